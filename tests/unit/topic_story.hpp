#pragma once

#include <cstdint>
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
#include "unit/registry_bench.hpp"

namespace ringway::test {

inline constexpr std::uint64_t kRing = 64 * 1024;

inline TopicSettings with_log(std::uint32_t partitions) {
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

/// The life of some topics over several supervisors, in which one file call fails; at each step
/// what there is is held against what somebody was told.
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
      const auto made = life_->create(name, settings);
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
    CHECK_THROWS_WITH(life_->create(name, with_log(1)), Catch::Contains("is being deleted"));
    life_->registry().finish_removals();
    const auto waiting = life_->registry().waiting();
    if (waiting.empty()) return;
    CHECK(waiting.size() == 1);
    CHECK(waiting.front().what == control::TroubleKind::topic_deletion_waits);
    check_told(waiting.front().text, name);
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
    const auto waiting = life_->registry().waiting();
    REQUIRE(waiting.size() == 1);
    CHECK(waiting.front().what == control::TroubleKind::ring_replacement_waits);
    check_told(waiting.front().text, name);
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

}  // namespace ringway::test
