#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/directory_lock.hpp"
#include "control/status_trouble.hpp"
#include "daemon/catalog.hpp"
#include "daemon/config.hpp"
#include "daemon/control_server.hpp"
#include "daemon/event_log.hpp"
#include "daemon/flusher.hpp"
#include "daemon/handles.hpp"
#include "daemon/keepsakes.hpp"
#include "daemon/metrics/inventory.hpp"
#include "daemon/requests.hpp"
#include "daemon/retention.hpp"
#include "daemon/session_table.hpp"
#include "daemon/topic_registry.hpp"
#include "daemon/trouble_response.hpp"
#include "daemon/watchdog.hpp"
#include "shm/clock.hpp"
#include "storage/posix_file_system.hpp"

namespace ringway::daemon {

/// Everything of ringwayd: locks, catalog, keeper, topics, sessions, control socket, flusher. Made,
/// used and destroyed in the thread that runs the io_context, which must outlive it and not be run
/// any more afterwards. The flusher has a thread of its own, and so has the maker of memory. A
/// crash costs nothing, nor does ending it without a stop(): the next one adopts what the
/// descriptor store has.
class Supervisor {
 public:
  struct Options {
    Config config;  ///< complete
    Keepsakes::Open open_store;
    std::optional<shm::Descriptor> listener{};  ///< of a service manager, in config.socket's place
  };

  /// Starts: takes the locks, adopts living rings, recovers the log, then answers clients.
  /// @throws Error naming what is in the way.
  Supervisor(boost::asio::io_context& io, Options options, const EventLog& log);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  const Config& config() const noexcept { return options_.config; }

  /// Another configuration, from now on: who has a topic open keeps it, whatever rights it has now.
  void reconfigure(Config config);

  /// The threads beside the control thread.
  std::vector<WatchedThread> threads();
  /// What is on the bus, for metrics. Any thread; `take` is called in the control thread, or never
  /// where that has ended.
  void ask_for_inventory(std::function<void(metrics::Inventory)> take);
  /// Something of this program is not as it should be, for as long as it runs: `status` shows it.
  void add_trouble(control::StatusTrouble trouble) {
    lasting_troubles_.push_back(std::move(trouble));
  }

  /// What it does, in a line.
  std::string summary() const;

  /// Orderly stop: nothing more is committed, everything is drained to `durable`, positions are
  /// saved, the memory is given up. `done(false)`: something could not be drained; then the keeper
  /// keeps the rings for the next supervisor.
  void stop(std::function<void(bool clean)> done);

 private:
  void adopt_kept();
  void report_without_topic();
  void watch_keeper();
  void do_posted(const std::function<void()>& work) const;
  void report(std::vector<control::StatusTrouble> troubles);
  void tick();
  void save_cursors();
  void take_latencies() const;
  void drain(std::chrono::steady_clock::time_point until, std::function<void(bool complete)> done);
  bool end_stop(bool complete);
  nlohmann::json status() const;
  metrics::Inventory inventory();
  enum class OfPartitions { told, left_out };
  std::vector<control::StatusTrouble> troubles(OfPartitions of_partitions) const;

  boost::asio::io_context& io_;
  Options options_;
  const EventLog& log_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  const std::int64_t started_ns_ = shm::realtime_ns();
  control::DirectoryLock state_lock_;
  control::DirectoryLock runtime_lock_;
  storage::PosixFileSystem file_system_;
  Keepsakes keepsakes_;
  std::map<std::string, KeptDescriptor> kept_;  // until adopt_kept() is through
  Catalog catalog_;
  std::uint64_t epoch_;
  Doorbells doorbells_;
  std::unique_ptr<Flusher> flusher_;  // ended first of all: its thread calls back into the rest
  SupervisorParts parts_;
  TopicRegistry registry_;
  Handles handles_;
  SessionTable sessions_;
  TroubleResponse trouble_response_;
  ProducerAdmission admission_;
  Requests requests_;
  ControlServer server_;
  Retention retention_;
  std::vector<std::string> without_;  ///< kernel features whose fallbacks are in use
  boost::asio::posix::stream_descriptor keeper_watch_;
  boost::asio::steady_timer ticker_;
  bool stopping_ = false;
  std::vector<std::filesystem::path> logs_without_topic_;  ///< that were not removed meanwhile
  std::vector<control::StatusTrouble> lasting_troubles_;
  std::vector<control::StatusTrouble> failed_chores_;  ///< of the last tick
};

}  // namespace ringway::daemon
