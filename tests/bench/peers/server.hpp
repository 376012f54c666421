#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace ringway::peers {

/// A directory of one's own on a disk, removed with the object.
class PrivateDirectory {
 public:
  PrivateDirectory();
  PrivateDirectory(const PrivateDirectory&) = delete;
  PrivateDirectory& operator=(const PrivateDirectory&) = delete;
  ~PrivateDirectory();
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// A peer's own process: a broker or daemon from its Debian package, ended with the object and with
/// the process that made it.
class Server {
 public:
  /// Runs it in `directory`, where its output is kept in `log`; returns when `answers` says so.
  /// Throws Error with the end of that when it ends instead, or does not answer within 20 s.
  Server(std::vector<std::string> command, const std::filesystem::path& directory,
         const std::function<bool()>& answers);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

 private:
  void end() noexcept;

  pid_t pid_ = -1;
};

/// A server with a directory of its own.
class Broker {
 public:
  using Command = std::function<std::vector<std::string>(const std::filesystem::path& directory)>;
  using Answers = std::function<bool(const std::filesystem::path& directory)>;

  /// As Server does it. Throws Error.
  Broker(const Command& command, const Answers& answers)
      : server_(command(directory_.path()), directory_.path(),
                [&] { return answers(directory_.path()); }) {}
  const std::filesystem::path& directory() const noexcept { return directory_.path(); }

 private:
  PrivateDirectory directory_;
  Server server_;
};

/// On the loopback device, at the moment. Throws Error.
std::uint16_t free_port();

/// Whether somebody takes connections there.
bool listens_at(std::uint16_t port);
bool listens_at(const std::filesystem::path& socket);

}  // namespace ringway::peers
