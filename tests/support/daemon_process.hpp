#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

#include "ringway/bus.hpp"
#include "support/temporary_directory.hpp"

namespace ringway::test {

/// A ringwayd of the test's own, in temporary directories, configured by TOML. The executable's
/// path is compiled in as RINGWAYD. Whatever is left of it, the keeper included, ends with the
/// object: the keeper goes when its runtime directory does.
class DaemonProcess {
 public:
  explicit DaemonProcess(std::string executable = RINGWAYD, const std::string& config = "")
      : executable_(std::move(executable)) {
    std::ofstream(this->config()) << config;
    start();
  }
  DaemonProcess(const DaemonProcess&) = delete;
  DaemonProcess& operator=(const DaemonProcess&) = delete;
  ~DaemonProcess() {
    if (pid_ > 0) stop();
  }

  /// Starts it and returns when it serves.
  void start() {
    launch();
    await();
  }
  void launch() {
    pid_ = ::fork();
    if (pid_ == 0) {
      ::execl(executable_.c_str(), "ringwayd", "--config", config().c_str(), "--socket",
              socket().c_str(), "--runtime-dir", runtime_dir().c_str(), "--state-dir",
              state_dir().c_str(), nullptr);
      ::_exit(127);
    }
  }
  void await() {
    for (;;) {
      try {
        const auto bus = connect();
        return;
      } catch (const Error&) {
        if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
          pid_ = -1;
          throw std::runtime_error("ringwayd ended instead of serving");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
  }
  void kill() { end(SIGKILL); }
  /// Orderly stop; returns the exit status.
  int stop() { return end(SIGTERM); }

  pid_t pid() const { return pid_; }
  /// Its keeper, by the runtime directory in the command line; -1 when there is none.
  pid_t keeper() const {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::ifstream file(entry.path() / "cmdline", std::ios::binary);
      std::string line;
      std::getline(file, line);  // nothing, when the process has gone meanwhile
      if (line.find("--keeper") != std::string::npos &&
          line.find(runtime_dir()) != std::string::npos) {
        return std::stoi(entry.path().filename());
      }
    }
    return -1;
  }
  void kill_keeper() const {
    for (pid_t pid = keeper(); pid > 0; pid = keeper()) ::kill(pid, SIGKILL);
  }
  std::string socket() const { return directory_ / "control.sock"; }
  std::string runtime_dir() const { return directory_ / "run"; }
  std::string state_dir() const { return directory_ / "state"; }
  std::string config() const { return directory_ / "ringwayd.toml"; }
  Bus connect() const { return Bus::connect(socket()); }

 private:
  int end(int signal) {
    if (pid_ <= 0) throw std::logic_error("no ringwayd to be ended");  // kill(-1) ends everything
    int status = 0;
    ::kill(pid_, signal);
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string executable_;
  TemporaryDirectory directory_;
  pid_t pid_ = -1;
};

/// A forked child that runs `body` and exits; killed with the object. The body opens its own Bus.
class Child {
 public:
  template <class Body>
  explicit Child(Body&& body) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("pipe failed");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      report_ = ends[1];
      int status = 1;
      try {
        body(*this);
        status = 0;
      } catch (const std::exception& error) {
        static_cast<void>(!::write(2, error.what(), std::char_traits<char>::length(error.what())));
      }
      ::_exit(status);
    }
    ::close(ends[1]);
    report_ = ends[0];
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    kill();
    ::close(report_);
  }

  /// In the child: says that it has come this far.
  void reached() { static_cast<void>(!::write(report_, "x", 1)); }
  /// In the parent: until the child has said so once more; false when it ended instead.
  bool await() {
    char byte;
    return ::read(report_, &byte, 1) == 1;
  }
  [[noreturn]] void stay() {
    for (;;) ::pause();
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  int join() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int report_ = -1;
};

}  // namespace ringway::test
