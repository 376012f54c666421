#include "daemon/serve.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "control/host_unit.hpp"
#include "control/keeper_connection.hpp"
#include "control/shell_word.hpp"
#include "daemon/journal.hpp"
#include "daemon/keeper_client.hpp"
#include "daemon/metrics/event_counts.hpp"
#include "daemon/metrics/listening.hpp"
#include "daemon/metrics/server.hpp"
#include "daemon/reload.hpp"
#include "daemon/systemd.hpp"
#include "daemon/service_store.hpp"
#include "daemon/status_line.hpp"
#include "daemon/supervisor.hpp"
#include "daemon/watchdog.hpp"
#include "ringway/error.hpp"
#include "shm/descriptor_limit.hpp"
#include "shm/landing.hpp"

namespace ringway::daemon {
namespace {

/// key=value lines on stderr, or fields to the journal where that is what stderr is.
EventLog::Sink log_sink() {
  if (stderr_is_journal()) return write_to_journal;
  const auto logger = spdlog::stderr_logger_mt("ringwayd");
  logger->set_pattern("time=%Y-%m-%dT%H:%M:%S.%e%z level=%l %v");
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::trace);
  return [logger](const Event& event) {
    constexpr spdlog::level::level_enum kSpdlogLevels[] = {
        spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err};
    logger->log(kSpdlogLevels[static_cast<int>(event.severity)], line_of(event));
  };
}

/// Rings that the other store has would be lost to this start, and to nobody's use.
void refuse_rings_of_a_keeper(const std::filesystem::path& runtime_dir) {
  std::optional<control::KeeperConnection> living;
  try {
    living.emplace(runtime_dir.string());
  } catch (const Error& none) {
    if (none.code() == ErrorCode::unavailable) return;
    throw;
  }
  const auto whose = living->whose();
  if (whose.rings == 0) return;
  throw Error(ErrorCode::usage, "descriptor_store \"service\"",
              fmt::format("a keeper (pid {}) holds living rings for {}, of a supervisor that died",
                          living->pid(), runtime_dir.string()),
              fmt::format("start that once more and end it with Ctrl-C (ringwayd --runtime-dir {} "
                          "--state-dir {}); or lose what is in no log (kill {})",
                          control::shell_quoted(runtime_dir.string()),
                          control::shell_quoted(whose.state_dir), living->pid()));
}

Keepsakes::Open store_opener(const Config& config, std::vector<KeptDescriptor> kept) {
  if (config.descriptor_store == StoreChoice::service) {
    auto inherited = std::make_shared<std::vector<KeptDescriptor>>(std::move(kept));
    return [inherited, runtime_dir = config.runtime_dir] {
      refuse_rings_of_a_keeper(runtime_dir);
      return std::make_unique<ServiceStore>(std::move(*inherited));
    };
  }
  if (!kept.empty()) {
    throw Error(ErrorCode::usage, "descriptor_store \"keeper\"",
                fmt::format("the service manager holds {} descriptors of living rings",
                            kept.size()),
                "start once more with \"service\", and stop in an orderly way");
  }
  return [runtime_dir = config.runtime_dir.string(), state_dir = config.state_dir.string()] {
    const std::string self = std::filesystem::read_symlink("/proc/self/exe");
    return std::make_unique<KeeperClient>(self, runtime_dir, state_dir);
  };
}

void warn_of_unknown_variables(const Configuration& configuration, const EventLog& log) {
  for (const auto& [variable, advice] : configuration.unknown_variables()) {
    log.warning("variable_ignored", {{"variable", variable},
                                     {"why", "is no key of the configuration"},
                                     {"fix", advice}});
  }
}

/// Which bus this is going to be, and why that one.
void say_which_bus(const Configuration& configuration, const EventLog& log) {
  const Config& config = configuration.config();
  const auto from = [&](const char* key) { return configuration.origins().at(key).where; };
  log.info("starting", {{"config", configuration.file().empty() ? "none"
                                                                : configuration.file().string()},
                        {"state_dir", config.state_dir.string()},
                        {"state_dir_from", from("state_dir")},
                        {"runtime_dir", config.runtime_dir.string()},
                        {"runtime_dir_from", from("runtime_dir")},
                        {"socket", config.socket.string()}});
  const bool of_a_home = from("state_dir") == "HOME" || from("state_dir") == "XDG_STATE_HOME";
  if (::geteuid() != 0 || !of_a_home || !control::has_host_unit()) return;
  log.warning("not_the_service",
              {{"why", "was started by hand, and its topics are not those of ringwayd.service"},
               {"fix",
                "systemctl start ringwayd; or name --runtime-dir and --state-dir of its own"}});
}

/// SIGHUP. What is wrong in it is refused as a whole.
void reload(const Options& options, Configuration& configuration, Supervisor& supervisor,
            EventLog& log) {
  try {
    Configuration fresh = options.read_configuration(MustExist::creators);
    supervisor.reconfigure(reloaded(supervisor.config(), fresh.config()));
    for (const ConfigChange& change : changes(configuration, fresh)) {
      log.info("config_changed", {{"key", change.key},
                                  {"from", change.from},
                                  {"to", change.to},
                                  {"counts", change.at_start ? "from the next start on" : "now"}});
    }
    warn_of_unknown_variables(fresh, log);
    log.info("config_read", {{"file", fresh.file().string()}});
    log.set_least(severity_of(fresh.config().log_level));
    configuration = std::move(fresh);
  } catch (const std::exception& refused) {
    log.error("config_refused", {{"why", refused.what()}});
  }
}

/// For the service's user and group: it names topics and cursors that `status` hides from who may
/// not read them, and has room for few connections.
constexpr mode_t kMetricsMode = 0660;

/// What keeps it from being served is said, and keeps the bus from nothing.
std::unique_ptr<metrics::Server> serve_metrics(const Config& config,
                                               const metrics::EventCounts& events,
                                               Supervisor& supervisor, const EventLog& log) {
  if (!config.metrics_at_socket && config.metrics_listen.empty()) return nullptr;
  const auto attempt = [&](auto&& deed) {
    try {
      deed();
    } catch (const std::exception& error) {
      supervisor.add_trouble({.what = control::TroubleKind::metrics_not_served,
                              .reason = error.what(),
                              .text = fmt::format("metrics: {}", error.what())});
      log.error("metrics_not_served", {{"why", error.what()}});
    }
  };
  metrics::Server::Options options{
      .state_dir = config.state_dir,
      .events = events,
      .ask = [&](auto take) { supervisor.ask_for_inventory(std::move(take)); }};
  std::string port;
  if (config.metrics_at_socket) {
    attempt([&] {
      options.unix_socket = metrics::listen_on_unix(config.metrics_socket, kMetricsMode);
      options.unix_path = config.metrics_socket;
    });
  }
  if (!config.metrics_listen.empty()) {
    attempt([&] {
      options.tcp_socket =
          metrics::listen_on_loopback(*metrics::parse_loopback(config.metrics_listen));
      port = metrics::bound_to(options.tcp_socket);
    });
  }
  std::unique_ptr<metrics::Server> server;
  attempt([&] {
    const bool at_socket = static_cast<bool>(options.unix_socket);
    if (!at_socket && port.empty()) return;
    server = std::make_unique<metrics::Server>(std::move(options));
    log.info("serving_metrics", {{"socket", at_socket ? config.metrics_socket.string() : "off"},
                                 {"listen", port.empty() ? "off" : port}});
  });
  return server;
}

}  // namespace

int serve(Options options) {
  // One that takes more would leave files behind that the next start cannot open.
  ::umask(S_IRWXG | S_IRWXO);
  shm::install_landing();  // whatever clients punch into their memory (G7)
  shm::raise_descriptor_limit();
  boost::asio::io_context io(1);
  Configuration& configuration = options.configuration;
  const Config& config = configuration.config();
  EventLog log(log_sink(), severity_of(config.log_level));
  metrics::EventCounts events;
  log.watch([&](const Event& event) { events.count(event); });
  say_which_bus(configuration, log);
  boost::asio::signal_set ending(io, SIGTERM, SIGINT, SIGUSR1);
  boost::asio::signal_set reloading(io, SIGHUP);
  std::signal(SIGPIPE, SIG_IGN);
  Inherited inherited = take_inherited();
  auto open_store = store_opener(config, std::move(inherited.kept));
  Supervisor supervisor(
      io, {config, std::move(open_store), std::move(inherited.listener)}, log);
  warn_of_unknown_variables(configuration, log);
  auto metrics_server = serve_metrics(config, events, supervisor, log);
  notify("READY=1");
  StatusLine status_line(io, [&] { return supervisor.summary(); });
  std::vector<WatchedThread> threads = supervisor.threads();
  threads.push_back({"metrics", [&](auto answer) {
                       if (!metrics_server) return answer();
                       metrics_server->answer(std::move(answer));
                     }});
  const Watchdog watchdog(io, log, std::move(threads));
  std::function<void()> await_reload = [&] {
    reloading.async_wait([&](const boost::system::error_code& error, int) {
      if (error) return;
      reload(options, configuration, supervisor, log);
      await_reload();
    });
  };
  await_reload();
  int status = 0;
  ending.async_wait([&](const boost::system::error_code&, int signal) {
    if (signal == SIGUSR1) {
      notify("STOPPING=1\nSTATUS=Leaving the rings to the next one");
      log.info("left", {{"effect", "the rings live on, for the next supervisor"}});
      std::_Exit(0);  // as if it were killed, which costs nothing
    }
    status_line.end();
    notify("STOPPING=1\nSTATUS=Draining to the disk");
    supervisor.stop([&](bool clean) {
      status = clean ? 0 : 1;
      metrics_server.reset();  // it shows the drain; to wait for its thread costs no time of that
      io.stop();
    });
  });
  io.run();
  return status;
}

}  // namespace ringway::daemon
