#include "tools/capture.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <string_view>

#include "ringway/error.hpp"
#include "shm/descriptor.hpp"

namespace ringway::cli {
namespace {

/// What has not gone by then hangs in the kernel.
constexpr std::chrono::seconds kKillPatience{1};

/// A file in memory: a child that prints much never waits for who reads.
shm::Descriptor new_stream() {
  shm::Descriptor file(memfd_create("ringway-capture", MFD_CLOEXEC));
  if (!file) throw system_error(errno, "memory file", "cannot be made");
  return file;
}

std::string content_of(int fd, std::size_t bytes_max, bool& cut) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return {};
  const auto size = static_cast<std::size_t>(status.st_size);
  cut = cut || size > bytes_max;
  std::string text(std::min(size, bytes_max), '\0');
  const ssize_t got = pread(fd, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

/// Whether the child ends within its time.
bool ends_within(pid_t child, std::chrono::milliseconds patience) {
  const shm::Descriptor pidfd(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  if (!pidfd) return false;
  pollfd ended{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  const auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    const auto look = std::min<std::chrono::milliseconds>(left, std::chrono::hours(1));
    if (poll(&ended, 1, static_cast<int>(look.count())) > 0) return true;
  }
}

/// The child's end and what it left in the streams. One that is killed and stays, in the kernel, is
/// left to itself: whoever reaps us reaps it.
Captured await(pid_t child, const shm::Descriptor& out, const shm::Descriptor& err,
               std::chrono::milliseconds patience, std::size_t bytes_max) {
  Captured captured;
  captured.late = !ends_within(child, patience);
  if (captured.late) kill(child, SIGKILL);
  if (!captured.late || ends_within(child, kKillPatience)) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status)) captured.status = WEXITSTATUS(status);
  }
  captured.out = content_of(out.get(), bytes_max, captured.cut);
  captured.err = content_of(err.get(), bytes_max, captured.cut);
  return captured;
}

void write_whole(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

}  // namespace

Captured capture(const std::vector<std::string>& words, std::chrono::milliseconds patience,
                 std::size_t bytes_max) {
  const shm::Descriptor out = new_stream();
  const shm::Descriptor err = new_stream();
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.get(), STDERR_FILENO);
  pid_t child = 0;
  const int refused =
      posix_spawnp(&child, arguments.front(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (refused != 0) return {.err = std::strerror(refused)};
  return await(child, out, err, patience, bytes_max);
}

Captured capture(const std::function<std::string()>& work, std::chrono::milliseconds patience,
                 std::size_t bytes_max) {
  const shm::Descriptor out = new_stream();
  const shm::Descriptor err = new_stream();
  const pid_t child = fork();
  if (child < 0) return {.err = std::strerror(errno)};
  if (child > 0) return await(child, out, err, patience, bytes_max);
  try {
    write_whole(out.get(), work());
    _exit(0);
  } catch (const std::exception& error) {
    write_whole(err.get(), error.what());
    _exit(1);
  }
}

}  // namespace ringway::cli
