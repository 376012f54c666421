#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

namespace ringway::cli {

/// A supervisor of our own in a temporary directory of its own, with everything that belongs to it.
/// Owned by the process that made it, one thread; becomes the reaper of orphans, to find the
/// keeper. The destructor ends supervisor and keeper and removes the directory; a crash of the
/// owner ends the supervisor, and removing the directory by hand ends the keeper.
class PrivateBus {
 public:
  /// `daemon`: the ringwayd to run. The directory is made in `place`.
  PrivateBus(std::filesystem::path daemon, const std::filesystem::path& place);
  PrivateBus(const PrivateBus&) = delete;
  PrivateBus& operator=(const PrivateBus&) = delete;
  ~PrivateBus();

  /// Returns once clients are served. Throws Error with the end of its log when it does not come
  /// up.
  void start();
  /// From the next start on another ringwayd is run.
  void use(std::filesystem::path daemon) { daemon_ = std::move(daemon); }
  /// The first half of start(): its process runs, and that is all.
  void launch();
  /// The second one, which looks so often. Throws as start() does, and Interrupted.
  void await_service(std::chrono::nanoseconds look_every);
  /// kill -9, and gone.
  void kill() noexcept;
  /// Orderly stop: drained to `durable`. Throws Error when it does not end with 0 in a minute.
  void stop();

  std::string socket() const { return directory_ / "run" / "control.sock"; }
  pid_t pid() const noexcept { return pid_; }
  /// The process that keeps the memory; there is none before the first start.
  std::optional<pid_t> keeper() const;
  const std::filesystem::path& directory() const noexcept { return directory_; }

 private:
  /// Throws Error with the end of its log when it ended.
  void check_alive();
  /// Whether clients are served by now.
  bool serves() const;
  void signal_and_wait(int signal) noexcept;
  std::string log_end() const;

  std::filesystem::path daemon_;
  std::filesystem::path directory_;
  pid_t pid_ = -1;
};

/// The ringwayd that belongs to the running program: beside it where both are installed, else
/// ../daemon/ringwayd of its build.
std::filesystem::path nearby_daemon();

}  // namespace ringway::cli
