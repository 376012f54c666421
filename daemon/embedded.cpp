#include "ringway/embedded.hpp"

#include <fmt/format.h>
#include <stdlib.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <exception>
#include <future>
#include <optional>
#include <thread>

#include "daemon/memory_store.hpp"
#include "daemon/supervisor.hpp"
#include "ringway/error.hpp"
#include "shm/landing.hpp"

namespace ringway {
namespace {

/// Removed with everything in it when its owner is gone; "" is nobody's.
class OwnDirectory {
 public:
  OwnDirectory() = default;
  OwnDirectory(const OwnDirectory&) = delete;
  OwnDirectory& operator=(const OwnDirectory&) = delete;
  ~OwnDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path make() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ringway-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
      throw system_error(errno, pattern, "no temporary directory can be made");
    }
    return path_ = pattern;
  }

 private:
  std::filesystem::path path_;
};

daemon::EventLog::Sink sink(LogCallback callback) {
  return [callback = std::move(callback)](const daemon::Event& event) {
    if (!callback) return;
    callback(fmt::format("severity={} {}", daemon::to_string(event.severity), line_of(event)));
  };
}

}  // namespace

/// The supervisor's thread and what it needs. The supervisor itself lives in that thread alone.
class [[gnu::visibility("hidden")]] EmbeddedState {
 public:
  explicit EmbeddedState(EmbeddedOptions options) : log_(sink(std::move(options.log))) {
    if (options.survive_lost_pages) shm::install_landing();
    if (options.runtime_dir.empty()) options.runtime_dir = runtime_dir_.make();
    if (options.state_dir.empty()) options.state_dir = state_dir_.make();
    daemon::Config config;
    config.runtime_dir = options.runtime_dir;
    config.state_dir = options.state_dir;
    config.complete();
    socket_ = config.socket.string();
    std::promise<void> started;
    thread_ = std::thread([&] { run(std::move(config), started); });
    try {
      started.get_future().get();
    } catch (...) {
      thread_.join();
      throw;
    }
  }
  ~EmbeddedState() {
    boost::asio::post(io_, [this] { supervisor_->stop([this](bool) { io_.stop(); }); });
    thread_.join();
  }
  EmbeddedState(const EmbeddedState&) = delete;
  EmbeddedState& operator=(const EmbeddedState&) = delete;

  const std::string& socket() const noexcept { return socket_; }

 private:
  void run(daemon::Config config, std::promise<void>& started) {
    try {
      supervisor_.emplace(
          io_,
          daemon::Supervisor::Options{std::move(config),
                                      [] { return std::make_unique<daemon::MemoryStore>(); }},
          log_);
    } catch (...) {
      return started.set_exception(std::current_exception());
    }
    started.set_value();
    io_.run();
    supervisor_.reset();
  }

  // Removed last, when nothing uses them any more.
  OwnDirectory runtime_dir_, state_dir_;
  std::string socket_;
  daemon::EventLog log_;
  boost::asio::io_context io_{1};
  std::optional<daemon::Supervisor> supervisor_;
  std::thread thread_;
};

Embedded::Embedded(EmbeddedOptions options)
    : state_(std::make_unique<EmbeddedState>(std::move(options))) {}
Embedded::Embedded(Embedded&&) noexcept = default;
Embedded& Embedded::operator=(Embedded&&) noexcept = default;
Embedded::~Embedded() = default;

std::string Embedded::socket() const {
  return state_->socket();
}

}  // namespace ringway
