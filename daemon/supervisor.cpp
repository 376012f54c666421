#include "daemon/supervisor.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <system_error>

#include "control/directories.hpp"
#include "control/peer_proof.hpp"
#include "daemon/death_watch.hpp"
#include "daemon/short_slice.hpp"
#include "daemon/without_topic.hpp"
#include "ringway/error.hpp"
#include "shm/barrier.hpp"
#include "shm/memory_budget.hpp"
#include "shm/process.hpp"

namespace ringway::daemon {
namespace {

constexpr std::chrono::seconds kTick{1};
/// While stopping, how long to wait for a ring that is being replaced between two looks.
constexpr std::chrono::milliseconds kReplacementPause{10};

constexpr const char* kCatalog = "catalog.db";

using control::StatusTrouble;
using control::TroubleKind;

StatusTrouble failed_chore(TroubleKind kind, const std::exception& failed) {
  return {.what = kind, .reason = failed.what(), .text = failed.what()};
}

/// Nothing is durable in a directory that is not. One with a catalog is: that comes behind this.
control::DirectoryLock lock_state(const std::filesystem::path& directory) {
  std::error_code unseen;
  if (!std::filesystem::exists(directory / kCatalog, unseen)) {
    control::create_durable_directories(directory.string(), 0700);
  }
  return control::DirectoryLock(directory.string());
}

control::DirectoryLock lock_runtime(const std::filesystem::path& directory) {
  control::create_directories(directory.string(), 0755);
  return control::DirectoryLock(directory.string());
}

std::map<std::string, KeptDescriptor> by_name(std::vector<KeptDescriptor> kept) {
  std::map<std::string, KeptDescriptor> map;
  for (KeptDescriptor& one : kept) map.emplace(one.name, std::move(one));
  return map;
}

/// With what is kept at hand: it may be what a catalog that is not there ought to know.
Catalog open_catalog(const std::filesystem::path& state_dir, const Keepsakes& keepsakes,
                     const std::map<std::string, KeptDescriptor>& kept) {
  const std::filesystem::path file = state_dir / kCatalog;
  return Catalog(file, [&] {
    demand_nothing_left(file, state_dir / kTopicsDirectory, kept, keepsakes.pid());
  });
}

/// Kernel features that there are fallbacks for, as RINGWAY_WITHOUT names them.
std::vector<std::string> missing_features(const Flusher& flusher) {
  std::vector<std::string> missing;
  if (flusher.engine_name() != "io_uring") missing.emplace_back("io_uring");
  if (!shm::ProcessBarrier::instance().available()) missing.emplace_back("membarrier");
  if (!control::PeerProof::kernel_proves_peers()) missing.emplace_back("peerpidfd");
  return missing;
}

std::uint64_t memory_limit(const Config& config) {
  return config.memory_bytes != 0 ? config.memory_bytes : shm::memory_budget().total_bytes / 2;
}

/// The control socket: the service manager's, where it has one.
control::Listener listener_of(Supervisor::Options& options) {
  const std::string path = options.config.socket.string();
  if (!options.listener) return control::Listener(path);
  control::Listener given(std::move(*options.listener));
  // Its directory is there, and may be a link.
  if (std::filesystem::weakly_canonical(given.path()) == std::filesystem::weakly_canonical(path)) {
    return given;
  }
  throw Error(ErrorCode::usage, path,
              fmt::format("is not where the service manager listens: {}", given.path()),
              "give `socket` and ListenSequentialPacket= of the socket unit the same path");
}

}  // namespace

Supervisor::Supervisor(boost::asio::io_context& io, Options options, const EventLog& log)
    : io_(io),
      options_(std::move(options)),
      log_(log),
      state_lock_(lock_state(options_.config.state_dir)),
      runtime_lock_(lock_runtime(options_.config.runtime_dir)),
      keepsakes_(options_.open_store, log_),
      kept_(by_name(keepsakes_.list())),
      catalog_(open_catalog(options_.config.state_dir, keepsakes_, kept_)),
      epoch_(catalog_.begin_epoch()),
      flusher_(std::make_unique<Flusher>(
          Flusher::Options{.file_system = file_system_,
                           .doorbells = doorbells_,
                           .events = log_,
                           .on_trouble =
                               [this](std::shared_ptr<ServedTopic> served, Trouble trouble) {
                                 parts_.post([this, served, trouble] {
                                   if (!stopping_) trouble_response_.respond(*served, trouble);
                                 });
                               }})),
      parts_{.config = options_.config,
             .log = log_,
             .file_system = file_system_,
             .catalog = catalog_,
             .keepsakes = keepsakes_,
             .flusher = *flusher_,
             .self = shm::own_identity(),
             .epoch = epoch_,
             .post =
                 [this](std::function<void()> work) {
                   boost::asio::post(io_, [this, work = std::move(work)] { do_posted(work); });
                 }},
      registry_(parts_, memory_limit(options_.config)),
      handles_(parts_),
      sessions_(io, parts_, handles_, doorbells_),
      trouble_response_(parts_, registry_, sessions_),
      admission_(io, parts_, sessions_),
      requests_(parts_, registry_, sessions_, handles_, admission_, [this] { return status(); }),
      server_(io,
              {.listener = listener_of(options_),
               .clients_max = options_.config.clients_max,
               .trusted_uid = ::geteuid(),
               .bus = catalog_.bus(),
               .epoch = epoch_},
              requests_, sessions_, log_),
      retention_(parts_),
      without_(missing_features(*flusher_)),
      keeper_watch_(io),
      ticker_(io) {
  ask_for_short_slices();
  adopt_kept();
  watch_keeper();
  server_.start();
  tick();
  log_.info("serving", {{"pid", ::getpid()},
                        {"socket", options_.config.socket.string()},
                        {"state_dir", options_.config.state_dir.string()},
                        {"epoch", epoch_},
                        {"topics", registry_.all().size()},
                        {"rings_held_by", keepsakes_.kind()},
                        {"keeper", keepsakes_.pid()}});
}

Supervisor::~Supervisor() {
  flusher_.reset();
}

void Supervisor::adopt_kept() {
  report_without_topic();
  // Only the board of a topic that is kept out says whose slots speak of it: all sessions' stay.
  if (registry_.load(kept_)) keepsakes_.hold(kept_);
  sessions_.adopt(registry_, kept_);
  registry_.remember_retired();
  registry_.serve();
  sessions_.watch_adopted();
  // What nobody of the catalog knows: memory of deleted topics, of sessions without handles.
  for (const auto& [name, kept] : kept_) keepsakes_.drop(name);
  kept_.clear();
  // Only now: what they leave with the keeper may have the name of what was just dropped.
  report(registry_.resume_replacements());  // the tick tries again
}

/// The catalog is not the one that knew them.
void Supervisor::report_without_topic() {
  const std::vector<TopicRow> rows = catalog_.topics();
  for (const RingWithoutTopic& ring : rings_without_topic(kept_, rows)) {
    log_.error("ring_without_topic", {{"topic", ring.topic},
                                      {"uuid", shm::to_string(ring.uuid)},
                                      {"generation", ring.generation},
                                      {"effect", "it is let go, with what its log has not"}});
  }
  logs_without_topic_ = logs_without_topic(options_.config.state_dir / kTopicsDirectory, rows);
  for (const auto& directory : logs_without_topic_) {
    log_.error("log_without_topic",
               {{"directory", directory.string()}, {"fix", kFixOfLogWithoutTopic}});
  }
}

/// Logs what is new of what cannot be done now, and has `status` show all of it.
void Supervisor::report(std::vector<StatusTrouble> troubles) {
  for (const StatusTrouble& trouble : troubles) {
    if (std::ranges::find(failed_chores_, trouble) == failed_chores_.end()) {
      log_.error("housekeeping_failed", {{"why", trouble.text}});
    }
  }
  failed_chores_ = std::move(troubles);
}

void Supervisor::watch_keeper() {
  boost::system::error_code ignored;
  keeper_watch_.close(ignored);
  if (keepsakes_.death_fd() < 0) return;
  keeper_watch_.assign(shm::duplicate(keepsakes_.death_fd()).release());
  await_death(keeper_watch_, [this] {
    if (stopping_) return;
    if (keepsakes_.look_again()) return watch_keeper();
    try {
      keepsakes_.replace();
      watch_keeper();
    } catch (const Error& failed) {
      // The next tick tries again, because nothing is watched any more; until then a crash would
      // lose rings.
      boost::system::error_code closed;
      keeper_watch_.close(closed);
      failed_chores_.push_back(failed_chore(TroubleKind::keeper_not_replaced, failed));
      log_.error("keeper_not_replaced", {{"why", failed.what()}});
    }
  });
}

/// What nobody waits for any more must not end the supervisor when it fails.
void Supervisor::do_posted(const std::function<void()>& work) const {
  try {
    work();
  } catch (const std::exception& failed) {
    log_.error("work_failed", {{"why", failed.what()}});
  }
}

void Supervisor::tick() {
  ticker_.expires_after(kTick);
  ticker_.async_wait([this](const boost::system::error_code& error) {
    if (error || stopping_) return;
    std::vector<StatusTrouble> troubles;
    // Each for itself: what makes room on a full disk does not wait for what needs room.
    const auto attempt = [&](auto&& chore, TroubleKind kind = TroubleKind::housekeeping_failed) {
      try {
        chore();
      } catch (const std::exception& failed) {
        troubles.push_back(failed_chore(kind, failed));
      }
    };
    const auto replace_keeper = [&] {
      if (keeper_watch_.is_open() || keepsakes_.death_fd() < 0) return;
      keepsakes_.replace();
      watch_keeper();
    };
    attempt(replace_keeper, TroubleKind::keeper_not_replaced);
    static_cast<void>(keepsakes_.look_again());
    attempt([&] { retention_.run(registry_); });
    attempt([&] { registry_.finish_removals(); });
    attempt([&] { registry_.finish_replacements(); });
    attempt(
        [&] { std::ranges::move(registry_.resume_replacements(), std::back_inserter(troubles)); });
    attempt([&] { save_cursors(); });
    attempt([&] { take_latencies(); });
    attempt([&] {
      std::erase_if(logs_without_topic_, [](const auto& log) { return !exists(log); });
    });
    report(std::move(troubles));
    tick();
  });
}

void Supervisor::save_cursors() {
  for (const auto& [name, topic] : registry_.all()) {
    if (!topic->deleting) handles_.save_cursors(*topic);
  }
}

/// Also when nobody asks for it: what is taken is a difference, of which 2^31 samples are too many.
void Supervisor::take_latencies() const {
  for (const auto& [id, session] : sessions_.all()) Handles::take_latencies(*session);
}

void Supervisor::stop(std::function<void(bool)> done) {
  if (stopping_) return;
  stopping_ = true;
  log_.info("stopping");
  ticker_.cancel();
  registry_.announce_stop();  // first: who finds its connection closed knows why
  server_.stop();
  drain(std::chrono::steady_clock::now() +
            std::chrono::milliseconds(options_.config.stop_patience_ms),
        [this, done = std::move(done)](bool complete) { done(end_stop(complete)); });
}

/// A ring that is being replaced may have left the flusher while its successor is not there yet:
/// what is drained meanwhile is not all there is.
void Supervisor::drain(std::chrono::steady_clock::time_point until,
                       std::function<void(bool)> done) {
  // Nothing else may be waited for by now, and the drain is the flusher's: run() must not end.
  const auto at_work = boost::asio::make_work_guard(io_);
  const bool all = !registry_.replacing();
  flusher_->drain(until, [this, at_work, until, all, done = std::move(done)](bool complete) {
    parts_.post([this, until, all, complete, done] {
      if (all || std::chrono::steady_clock::now() >= until) return done(complete && all);
      ticker_.expires_after(kReplacementPause);
      ticker_.async_wait([this, until, done](const boost::system::error_code& /*none*/) {
        do_posted([this] { registry_.finish_replacements(); });
        drain(until, done);
      });
    });
  });
}

bool Supervisor::end_stop(bool complete) {
  bool clean = false;
  try {
    save_cursors();
    clean = registry_.mark_clean() && complete;
  } catch (const Error& error) {
    log_.error("stop_not_clean", {{"why", error.what()}});
  }
  boost::system::error_code ignored;
  keeper_watch_.close(ignored);
  if (clean) {
    keepsakes_.end();
    log_.info("stopped");
  } else {
    log_.warning("stopped",
                 {{"clean", "no"},
                  {"effect", "the descriptor store keeps the rings for the next supervisor"}});
  }
  return clean;
}

void Supervisor::reconfigure(Config config) {
  options_.config = std::move(config);  // which all parts refer to
  registry_.set_memory_limit(memory_limit(options_.config));
  registry_.resolve_rights();
  requests_.resolve_creators();
  server_.set_clients_max(options_.config.clients_max);
}

std::vector<WatchedThread> Supervisor::threads() {
  return {{"flusher", [this](auto answer) { flusher_->answer(std::move(answer)); }},
          {"maker", [this](auto answer) { registry_.ask_maker(std::move(answer)); }}};
}

}  // namespace ringway::daemon
