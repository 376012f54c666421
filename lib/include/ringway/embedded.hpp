#pragma once

#include <filesystem>
#include <memory>
#include <ringway/bus.hpp>
#include <string>

namespace [[gnu::visibility("default")]] ringway {

class EmbeddedState;

struct EmbeddedOptions {
  /// "" makes temporary directories, removed by the destructor.
  std::filesystem::path runtime_dir{};
  std::filesystem::path state_dir{};
  LogCallback log{};
  /// The process outlives that the supervisor in it meets a lost page: see survive_lost_pages(),
  /// which does the same for its producers and consumers and installs a handler of its own.
  bool survive_lost_pages = false;
};

/// The supervisor of `ringwayd`, inside the calling process: for tests, and for programs that want
/// no daemon to install. It runs its own threads until destroyed; the destructor drains to
/// `durable`. Other processes may connect to socket(). Without the keeper process the rings live as
/// long as this process: what dies with it is everything not yet `written`. Link ringway-embedded.
class Embedded {
 public:
  /// Returns when it serves. Throws Error, as where another supervisor has one of the directories.
  explicit Embedded(EmbeddedOptions options = {});
  Embedded(Embedded&&) noexcept;
  Embedded& operator=(Embedded&&) noexcept;
  ~Embedded();

  std::string socket() const;
  Bus connect() const { return Bus::connect(socket()); }

 private:
  std::unique_ptr<EmbeddedState> state_;
};

}  // namespace ringway
