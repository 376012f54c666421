#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <filesystem>

#include "daemon/keeper.hpp"
#include "daemon/keeper_client.hpp"
#include "daemon/notify.hpp"
#include "daemon/options.hpp"
#include "daemon/supervisor.hpp"
#include "daemon/watchdog.hpp"
#include "ringway/error.hpp"
#include "shm/descriptor.hpp"
#include "shm/descriptor_limit.hpp"
#include "shm/landing.hpp"

namespace {

using namespace ringway;

/// key=value lines on stderr.
daemon::EventLog::Sink log_sink(const std::string& level) {
  const auto logger = spdlog::stderr_logger_mt("ringwayd");
  logger->set_pattern("time=%Y-%m-%dT%H:%M:%S.%e%z level=%l %v");
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::trace);
  return [logger](daemon::Severity severity, std::string_view line) {
    constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info,
                                                     spdlog::level::warn, spdlog::level::err};
    logger->log(kLevels[static_cast<int>(severity)], line);
  };
}

int serve(daemon::Config config) {
  shm::install_landing();  // whatever clients punch into their memory (G7)
  shm::raise_descriptor_limit();
  boost::asio::io_context io(1);
  const daemon::EventLog log(log_sink(config.log_level));
  boost::asio::signal_set stop(io, SIGTERM, SIGINT);
  std::signal(SIGHUP, SIG_IGN);  // nothing to read again yet
  std::signal(SIGPIPE, SIG_IGN);
  auto open_store = [runtime_dir = config.runtime_dir.string(),
                     state_dir = config.state_dir.string()] {
    const std::string self = std::filesystem::read_symlink("/proc/self/exe");
    return std::make_unique<daemon::KeeperClient>(self, runtime_dir, state_dir);
  };
  daemon::Supervisor supervisor(io, {std::move(config), open_store}, log);
  daemon::notify("READY=1\nSTATUS=Serving");
  const daemon::Watchdog watchdog(io);
  int status = 0;
  stop.async_wait([&](const boost::system::error_code&, int) {
    daemon::notify("STOPPING=1\nSTATUS=Draining to the disk");
    supervisor.stop([&](bool clean) {
      status = clean ? 0 : 1;
      io.stop();
    });
  });
  io.run();
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  shm::occupy_closed_standard_descriptors();
  try {
    daemon::Options options = daemon::parse_options(argc, argv);
    switch (options.action) {
      case daemon::Options::Action::keep:
        return daemon::keeper_main(options.keeper_runtime_dir, options.keeper_state_dir);
      case daemon::Options::Action::serve:
        return serve(std::move(options.config));
      default:
        return options.exit_status;
    }
  } catch (const Error& error) {
    fmt::print(stderr, "ringwayd: {}\n", error.what());
    return error.code() == ErrorCode::usage ? 2 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "ringwayd: {}\n", error.what());
    return 1;
  }
}
