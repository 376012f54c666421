#include "tools/bench/peer_rows.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "ringway/error.hpp"
#include "tools/stage/interruption.hpp"

namespace ringway::cli {
namespace {

constexpr int kLookForSignalsMs = 100;

/// Ended in order with the object.
class Program {
 public:
  Program(const std::string& path, const std::vector<std::string>& arguments) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error(errno, path, "no pipe can be made");
    std::vector<char*> words{const_cast<char*>(path.c_str())};
    for (const std::string& each : arguments) words.push_back(const_cast<char*>(each.c_str()));
    words.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      ::dup2(ends[1], STDOUT_FILENO);
      ::execv(path.c_str(), words.data());
      ::dprintf(STDERR_FILENO, "%s: %s\n", path.c_str(), std::strerror(errno));
      ::_exit(127);
    }
    ::close(ends[1]);
    output_ = ends[0];
    if (pid_ < 0) throw system_error(errno, path, "fork failed");
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    ::close(output_);
    if (pid_ <= 0) return;
    ::kill(pid_, SIGTERM);
    static_cast<void>(wait());
  }

  /// All that it prints.
  std::string read() const {
    std::string text;
    for (char buffer[1 << 16];;) {
      check_interrupted();
      pollfd wait{output_, POLLIN, 0};
      if (::poll(&wait, 1, kLookForSignalsMs) <= 0) continue;
      const ssize_t got = ::read(output_, buffer, sizeof buffer);
      if (got == 0) return text;
      if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
      if (got < 0 && errno != EINTR) throw system_error(errno, "the pipe", "cannot be read");
    }
  }
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
  int output_ = -1;
};

}  // namespace

PeerRows::PeerRows(std::string program, std::vector<std::string> arguments)
    : program_(std::move(program)), arguments_(std::move(arguments)) {
  if (::access(program_.c_str(), X_OK) == 0) return;
  throw Error(ErrorCode::usage, "--peers " + program_,
              fmt::format("cannot be run: {}", std::strerror(errno)),
              "build it as tests/bench/README.md says, and give its path");
}

Json PeerRows::measure() const {
  Program program(program_, arguments_);
  const std::string text = program.read();
  const int status = program.wait();
  Json rows = Json::parse(text, nullptr, false);
  if (status != 0 || !rows.is_array()) {
    throw Error(ErrorCode::failed, program_, "did not measure its rows", "see above what it said");
  }
  for (Json& row : rows) {
    row["command"] = fmt::format("ringway-peers {}", fmt::join(arguments_, " "));
  }
  return rows;
}

}  // namespace ringway::cli
