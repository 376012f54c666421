// ENOSPC and EIO at each file call of the topics in turn: of creation, deletion, other rings and
// starts, the k-th of each kind, once and until it is healed, for k = 1, 2, ... until the life
// swept over makes no k-th one any more.

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "log/recovery.hpp"
#include "log/segment_reader.hpp"
#include "ring/scan.hpp"
#include "shm/uuid.hpp"
#include "support/failing_vfs.hpp"
#include "unit/registry_bench.hpp"

namespace topic_sweep_test {

using namespace ringway;
using namespace ringway::daemon;
using test::Call;
using test::RegistryHost;
using test::RegistryLife;

namespace {

constexpr std::uint64_t kRing = 64 * 1024;

TopicSettings with_log(std::uint32_t partitions) {
  return {.partitions = partitions, .ring_bytes = kRing, .sync = SyncPolicy::every_batch};
}

/// What somebody was told of one partition.
struct Told {
  std::map<std::uint64_t, std::string> records;  ///< that must be there, by offset
  std::uint64_t end = 0;                         ///< no offset below it is given again
};

/// What somebody was told of a topic that exists.
struct Model {
  shm::Uuid uuid;
  TopicSettings settings;
  std::vector<Told> partitions;
};

/// What is done about a refusal.
enum class Then {
  tick,  ///< the device works again, and the supervisor tries again by itself
  die,   ///< the supervisor dies; the next one finds what it left
};

class Story {
 public:
  Story(Call call, int k, int error, bool lasting, Then then)
      : error_(error), message_(std::generic_category().message(error)), then_(then) {
    host_.files.faults.fail(call, k, error, lasting);
  }

  bool hit() const { return host_.files.faults.failures() > 0; }
  int calls(Call call) const { return host_.files.faults.calls(call); }

  void tell() {
    start();
    create("a", with_log(2));
    create("b", with_log(2));
    create("c", {.ring_bytes = kRing, .persist = false});
    publish();
    remove("b");
    alter("a", 2 * kRing);
    publish();
    die(false);
    start();
    publish();
    create("d", with_log(2));
    publish();
    remove("c");
    die(true);
    start();
    publish();
    alter("a", kRing);
    remove("d");
    create("b", with_log(1));
    publish();
    heal();
    if (any_refuses()) {  // another life comes sooner than its next try
      die(false);
      start();
    }
    await_durable();
    for (const auto& [name, ring_bytes] : std::exchange(refused_, {})) alter(name, ring_bytes);
    CHECK(refused_.empty());
    die(false);
    check_logs();
    start();
    for (const char* name : {"a", "b"}) remove(name);
    CHECK(models_.empty());
    CHECK(std::filesystem::is_empty(host_.topics()));
    CHECK(host_.kept().empty());
  }

 private:
  void heal() { host_.files.faults.heal(); }
  Topic& topic(const std::string& name) { return *life_->registry().get(name); }
  void check_told(const std::string& text, const std::string& name) {
    CHECK_THAT(text, Catch::Contains(fmt::format("'{}'", name)) && Catch::Contains(message_));
  }
  /// An Error that a person gets.
  void check_refusal(const Error& told, const std::string& name) {
    check_told(told.what(), name);
    CHECK_FALSE(told.fix().empty());
  }

  // What there is, that is: rows, directories and memory at the keeper.

  std::set<std::string> footprint() {
    std::set<std::string> all = host_.kept();
    for (const TopicRow& row : life_->catalog().topics()) all.insert("row " + row.name);
    std::error_code none_yet;
    for (const auto& entry : std::filesystem::directory_iterator(host_.topics(), none_yet)) {
      all.insert(entry.path().filename());
    }
    return all;
  }
  bool leaves(const shm::Uuid& uuid) {
    return std::ranges::any_of(footprint(), [&](const std::string& one) {
      return one.find(shm::to_string(uuid)) != one.npos;
    });
  }
  /// The keeper has the rings that are served, those that are to be, and no other.
  void check_keeper() {
    std::set<std::string> wanted;
    for (const auto& [name, topic] : life_->registry().all()) {
      for (const shm::MemoryKind kind : kTopicMemory) {
        wanted.insert(memory_name(topic->row.uuid, topic->row.generation, kind));
        if (!topic->replacement) continue;
        wanted.insert(memory_name(topic->row.uuid, topic->row.generation + 1, kind));
      }
    }
    CHECK(host_.kept() == wanted);
    life_->replace_keeper();
  }

  void start() {
    life_ = std::make_unique<RegistryLife>(host_);
    bool kept_out = false;
    CHECK(life_->registry().all().size() == models_.size());
    for (const auto& [name, model] : models_) {
      CAPTURE(name);
      const Topic& found = topic(name);
      REQUIRE(found.row.uuid == model.uuid);
      const std::filesystem::path live = host_.topics() / shm::to_string(model.uuid);
      if (found.served) {
        CHECK_FALSE(std::filesystem::exists(live.string() + std::string(kDeletedSuffix)));
        continue;
      }
      kept_out = true;
      CHECK_THAT(found.fault, Catch::Contains(message_));
      CHECK(host_.says("topic_not_served", name));
    }
    if (kept_out) {
      life_->replace_keeper();
      heal();
      die(false);
      life_ = std::make_unique<RegistryLife>(host_);
    }
    for (const auto& [name, model] : models_) {
      CAPTURE(name);
      const Topic& found = topic(name);
      INFO(found.fault);
      REQUIRE(found.served);
      // Another ring may be due that a predecessor had begun.
      if (found.replacement) finish_replacement(name);
      for (std::uint32_t p = 0; p < model.partitions.size(); ++p) {
        CHECK(topic(name).served->view(p).board().committed_offset.load() >=
              model.partitions[p].end);
      }
      if (!model.settings.persist) check_ring(name);
    }
    check_keeper();
  }

  /// With the keeper all goes that was not written.
  void die(bool with_keeper) {
    for (auto& [name, model] : models_) {
      for (std::uint32_t p = 0; with_keeper && p < model.partitions.size(); ++p) {
        const std::uint64_t written =
            model.settings.persist ? topic(name).served->view(p).board().written_offset.load() : 0;
        auto& records = model.partitions[p].records;
        records.erase(records.lower_bound(written), records.end());
      }
    }
    life_.reset();
    if (with_keeper) host_.keeper.end();
  }

  void create(const std::string& name, const TopicSettings& settings) {
    const std::set<std::string> before = footprint();
    const auto make = [&] {
      const auto made = life_->registry().create(name, settings, {.uid = ::geteuid()});
      models_[name] = {made->row.uuid, settings, std::vector<Told>(settings.partitions)};
    };
    try {
      make();
    } catch (const Error& told) {
      check_refusal(told, name);
      CHECK_THROWS_AS(life_->registry().get(name), Error);
      // What refused it may be in the way of taking it back, too.
      if (life_->registry().all().contains(name)) finish_removal(name);
      CHECK(footprint() == before);
      heal();
      if (then_ == Then::die) {
        die(false);
        start();
      }
      make();
    }
    check_keeper();
  }

  void remove(const std::string& name) {
    const auto leaving = life_->registry().get(name);
    const Model model = models_[name];
    bool tried = false, gone = false;
    life_->registry().remove(leaving, [&] { tried = true; }, [&] { gone = true; });
    life_->run_until([&] { return tried; });
    if (!gone) {
      CHECK_THROWS_AS(life_->registry().get(name), Error);
      if (then_ == Then::die) {
        heal();
        die(false);
        // Half-way a log has another name, which the next one cannot take back either.
        host_.files.faults.fail(Call::rename, 1, error_, true);
        start();  // as if nobody had asked
        return remove(name);
      }
      finish_removal(name);
      CHECK(gone);
    }
    models_.erase(name);
    CHECK_FALSE(leaves(model.uuid));
    check_keeper();
  }
  /// By ticks: the first may be refused, too.
  void finish_removal(const std::string& name) {
    CHECK_THROWS_WITH(life_->registry().create(name, with_log(1), {.uid = ::geteuid()}),
                      Catch::Contains("is being deleted"));
    life_->registry().finish_removals();
    const std::vector<std::string> waiting = life_->registry().waiting();
    if (waiting.empty()) return;
    CHECK(waiting.size() == 1);
    check_told(waiting.front(), name);
    CHECK(host_.says("topic_deletion_waits", name));
    heal();
    life_->registry().finish_removals();
    CHECK(life_->registry().waiting().empty());
  }

  void alter(const std::string& name, std::uint64_t ring_bytes) {
    const TopicSettings before = topic(name).settings;
    TopicSettings settings = before;
    settings.ring_bytes = ring_bytes;
    bool done = false;
    std::optional<Error> told;
    try {
      life_->registry().alter(life_->registry().get(name), settings,
                              [&](const std::optional<Error>& refused) {
                                done = true;
                                told = refused;
                              });
    } catch (const Error& busy) {
      done = true;
      told = busy;
    }
    life_->run_until([&] { return done || waits(name); });
    if (!done && then_ == Then::die) {
      heal();
      die(false);
      start();  // what was asked for is forgotten, but the ring has ended
      CHECK(topic(name).settings == before);
      return alter(name, ring_bytes);
    }
    if (!done) finish_replacement(name);
    CHECK(done);
    check_keeper();
    refused_.erase(name);
    if (told) {
      CHECK(hit());
      CHECK_THAT(told->what(), Catch::Contains(fmt::format("'{}'", name)) &&
                                   Catch::Contains("the device of its log refuses"));
      CHECK_FALSE(told->fix().empty());
      refused_[name] = ring_bytes;
    } else {
      models_[name].settings = settings;
    }
    CHECK(topic(name).settings == models_[name].settings);
  }
  bool waits(const std::string& name) {
    const auto& replacement = topic(name).replacement;
    return replacement && !replacement->refused.empty();
  }
  void finish_replacement(const std::string& name) {
    life_->run_until([&] { return !topic(name).replacement || waits(name); });
    if (!waits(name)) return;
    const std::vector<std::string> waiting = life_->registry().waiting();
    REQUIRE(waiting.size() == 1);
    check_told(waiting.front(), name);
    CHECK(host_.says("ring_replacement_waits", name));
    heal();
    life_->registry().finish_replacements();
    CHECK_FALSE(topic(name).replacement);
  }

  /// One record in each partition, durable where the device does not refuse.
  void publish() {
    for (auto& [name, model] : models_) {
      std::vector<std::string> payloads;
      for (std::uint32_t p = 0; p < model.partitions.size(); ++p) {
        payloads.push_back(fmt::format("{} {} {}", name, p, ++published_));
      }
      const std::vector<ring::Claimed> claims = life_->publish(topic(name), payloads);
      for (std::uint32_t p = 0; p < claims.size(); ++p) {
        CAPTURE(name, p);
        Told& told = model.partitions[p];
        REQUIRE(claims[p].status == Status::ok);
        CHECK(claims[p].offset >= told.end);
        told.end = claims[p].offset + 1;
        told.records[claims[p].offset] = payloads[p];
      }
    }
    await([](const ServedTopic& served, std::uint32_t p, std::uint64_t end) {
      const layout::BoardPartition& board = served.view(p).board();
      if (board.committed_offset.load() < end) return false;
      return !served.settings().persist || board.durable_offset.load() >= end ||
             served.device_refuses(p).load();
    });
  }
  bool any_refuses() {
    return std::ranges::any_of(models_, [&](const auto& of) {
      const ServedTopic& served = *topic(of.first).served;
      for (std::uint32_t p = 0; p < served.partitions(); ++p) {
        if (served.device_refuses(p).load()) return true;
      }
      return false;
    });
  }
  void await_durable() {
    await([](const ServedTopic& served, std::uint32_t p, std::uint64_t end) {
      return !served.settings().persist || served.view(p).board().durable_offset.load() >= end;
    });
  }
  template <class Reached>
  void await(const Reached& reached) {
    for (auto& [name, model] : models_) {
      for (std::uint32_t p = 0; p < model.partitions.size(); ++p) {
        CAPTURE(name, p);
        const ServedTopic& served = *topic(name).served;
        life_->run_until([&] { return reached(served, p, model.partitions[p].end); });
      }
    }
  }

  /// What is in no log is in the ring that the keeper held.
  void check_ring(const std::string& name) {
    for (std::uint32_t p = 0; p < models_[name].partitions.size(); ++p) {
      CAPTURE(p);
      const ring::PartitionView view = topic(name).served->view(p);
      auto missing = models_[name].partitions[p].records;
      ring::Place place{0, view.board().base_offset.load()};
      ring::walk(view, place, view.announced().load(),
                 [&](ring::Place at, const layout::RecordHeader& header) {
                   const auto promised = missing.find(at.offset);
                   if (promised == missing.end()) return;
                   CHECK(promised->second == ring::test::payload_at(view, at.position, header));
                   missing.erase(promised);
                 });
      CHECK(missing.empty());
    }
  }

  /// The logs hold what was promised, byte for byte, and no offset twice.
  void check_logs() {
    storage::PosixFileSystem files;
    for (const auto& [name, model] : models_) {
      for (std::uint32_t p = 0; model.settings.persist && p < model.partitions.size(); ++p) {
        CAPTURE(name, p);
        const std::string directory =
            host_.topics() / shm::to_string(model.uuid) / std::to_string(p);
        auto missing = model.partitions[p].records;
        std::uint64_t next = 0;
        const log::Recovered found = log::recover(files, directory, log::RecoverMode::inspect);
        CHECK(found.damaged.empty());
        for (const log::SegmentInfo& info : found.segments) {
          log::SegmentReader reader(
              files, storage::File(
                         files, files.open(directory + "/" + info.name, storage::OpenMode::read)));
          reader.limit_to(info.end);
          log::SegmentWalk walk(reader);
          walk.seek_offset(info.first.offset);
          log::Record record;
          while (walk.next(record) == log::ReadStatus::ok) {
            CHECK(record.at.offset >= next);
            next = record.at.offset + 1;
            const auto promised = missing.find(record.at.offset);
            if (promised == missing.end()) continue;
            CHECK(promised->second == std::string(reinterpret_cast<const char*>(record.body.data()),
                                                  record.header.payload_bytes));
            missing.erase(promised);
          }
        }
        CHECK(missing.empty());
      }
    }
  }

  RegistryHost host_;
  const int error_;
  const std::string message_;
  const Then then_;
  std::map<std::string, Model> models_;
  std::unique_ptr<RegistryLife> life_;
  std::map<std::string, std::uint64_t> refused_;  ///< rings that are to be asked for again
  int published_ = 0;
};

/// Which k are tried: the first, then each `step`th; with RINGWAY_TEST_LONG all.
int next(int k, int step) {
  static const bool all = std::getenv("RINGWAY_TEST_LONG") != nullptr;
  return all || k < 3 ? k + 1 : k + step;
}

}  // namespace

TEST_CASE("sweep: any file call of the topics fails, and none is half there or lost", "[fault]") {
  // With how many a life makes at least that none of them fails. What partitions call is swept for
  // itself, too.
  const auto [call, least, step] = GENERATE(table<Call, int, int>({
      {Call::make_directories, 18, 1},
      {Call::sync_directory, 30, 1},
      {Call::rename, 25, 1},
      {Call::list, 12, 1},
      {Call::open, 65, 13},
      {Call::read, 210, 29},
      {Call::write, 22, 13},
      {Call::sync, 18, 13},
      {Call::reserve, 15, 13},
  }));
  const auto [error, lasting, then] =
      GENERATE(table<int, bool, Then>({{EIO, false, Then::die}, {ENOSPC, true, Then::tick}}));
  // What lasts is met by whichever comes next: fewer places are enough.
  for (int k = 1;; k = next(k, lasting ? step + 2 : step)) {
    CAPTURE(static_cast<int>(call), k, error, lasting, static_cast<int>(then));
    Story story(call, k, error, lasting, then);
    story.tell();
    if (story.hit()) continue;
    CHECK(story.calls(call) >= least);
    break;
  }
}

TEST_CASE("sweep: a topic is deleted while its next ring waits for the disk: both rings go",
          "[fault]") {
  RegistryHost host;
  RegistryLife life(host);
  const auto topic = life.registry().create("t", with_log(1), {.uid = ::geteuid()});
  TopicSettings larger = topic->settings;
  larger.ring_bytes = 2 * kRing;
  host.files.faults.fail(Call::list, 1, EIO, true);
  std::optional<Error> told;
  life.registry().alter(topic, larger,
                        [&](const std::optional<Error>& refused) { told = refused; });
  life.run_until([&] { return topic->replacement && !topic->replacement->refused.empty(); });
  CHECK(host.kept().size() == 2 * std::size(kTopicMemory));
  bool gone = false;
  life.registry().remove(topic, [] {}, [&] { gone = true; });
  life.run_until([&] { return gone; });
  CHECK(host.kept().empty());
  REQUIRE(told);
  CHECK_THAT(told->what(), Catch::Contains("topic 't': it is being deleted"));
  life.replace_keeper();
}

TEST_CASE("sweep: a creation is refused, and so is taking its row back: that is made up for",
          "[fault]") {
  const auto call = GENERATE(test::FailingVfs::Call::write, test::FailingVfs::Call::sync);
  test::FailingVfs vfs;
  RegistryHost host;
  RegistryLife life(host);
  const auto create = [&] {
    return life.registry().create("t", with_log(2), {.uid = ::geteuid()});
  };
  int waited = 0;
  for (int k = 1;; ++k) {
    CAPTURE(static_cast<int>(call), k);
    host.files.faults.fail(Call::make_directories, 2, EIO);  // that of the second partition
    vfs.fail(call, k, EIO, true);
    CHECK_THROWS_AS(create(), Error);
    CHECK_THROWS_WITH(life.registry().get("t"), Catch::Contains("does not exist"));
    const bool waits = life.registry().all().contains("t");
    CHECK(life.catalog().topics().size() == (waits ? 1 : 0));
    if (waits) {
      ++waited;
      CHECK_THROWS_WITH(create(), Catch::Contains("'t': is being deleted"));
      life.registry().finish_removals();
      REQUIRE(life.registry().waiting().size() == 1);
      CHECK_THAT(life.registry().waiting().front(),
                 Catch::Contains("topic 't' is deleted, but stays in the catalog"));
    }
    const bool hit = vfs.failures() > 0;
    vfs.heal();
    host.files.faults.heal();
    life.registry().finish_removals();
    CHECK(life.registry().all().empty());
    CHECK(life.catalog().topics().empty());
    CHECK(host.kept().empty());
    bool gone = false;
    life.registry().remove(create(), [] {}, [&] { gone = true; });
    life.run_until([&] { return gone; });
    CHECK(std::filesystem::is_empty(host.topics()));
    if (!hit) break;
  }
  CHECK(waited > 0);
}

TEST_CASE("sweep: deletions are refused: each is named, and logged when what it waits for changes",
          "[fault]") {
  RegistryHost host;
  RegistryLife life(host);
  int gone = 0;
  const auto waits_for = [&](int error) {
    host.files.faults.fail(Call::rename, 1, error, true);
    for (int tick = 0; tick < 3; ++tick) life.registry().finish_removals();
    const std::vector<std::string> waiting = life.registry().waiting();
    REQUIRE(waiting.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK_THAT(waiting[i], Catch::Contains(i == 0 ? "topic 'one'" : "topic 'two'") &&
                                 Catch::Contains(std::generic_category().message(error)));
    }
  };
  host.files.faults.fail(Call::rename, 1, EIO, true);
  for (const char* name : {"one", "two"}) {
    bool tried = false;
    life.registry().remove(
        life.registry().create(name, with_log(1), {.uid = ::geteuid()}), [&] { tried = true; },
        [&] { ++gone; });
    life.run_until([&] { return tried; });
  }
  const auto logged = [&](std::string_view name) {
    return host.count("topic_deletion_waits", name);
  };
  waits_for(EIO);
  CHECK((logged("one") == 1 && logged("two") == 1));
  waits_for(EACCES);
  CHECK((logged("one") == 2 && logged("two") == 2));
  CHECK(gone == 0);
  host.files.faults.heal();
  life.registry().finish_removals();
  CHECK(gone == 2);
  CHECK(life.registry().waiting().empty());
}

TEST_CASE("sweep: an orderly stop keeps no ring for a deletion that the disk refuses", "[fault]") {
  RegistryHost host;
  RegistryLife life(host);
  const auto topic = life.registry().create("t", with_log(1), {.uid = ::geteuid()});
  host.files.faults.fail(Call::rename, 1, EIO, true);
  bool tried = false;
  life.registry().remove(topic, [&] { tried = true; }, [] {});
  life.run_until([&] { return tried; });
  CHECK(life.registry().all().contains("t"));
  life.registry().announce_stop();
  CHECK(life.registry().mark_clean());
}

}  // namespace topic_sweep_test
