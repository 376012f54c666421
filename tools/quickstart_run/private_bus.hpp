#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace ringway::quickstart {

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
  /// kill -9, and gone.
  void kill() noexcept;
  /// Orderly stop: drained to `durable`. Throws Error when it does not end with 0 in a minute.
  void stop();

  std::string socket() const { return directory_ / "run" / "control.sock"; }
  pid_t pid() const noexcept { return pid_; }
  const std::filesystem::path& directory() const noexcept { return directory_; }

 private:
  bool serves() const;
  void signal_and_wait(int signal) noexcept;
  std::string log_end() const;

  std::filesystem::path daemon_;
  std::filesystem::path directory_;
  pid_t pid_ = -1;
};

/// The ringwayd that was built beside the running program: ../daemon/ringwayd.
std::filesystem::path built_daemon();

}  // namespace ringway::quickstart
