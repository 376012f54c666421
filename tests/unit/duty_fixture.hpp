#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/nonce_source.hpp"
#include "daemon/partition_duty.hpp"
#include "log/recovery.hpp"
#include "support/model_disk.hpp"
#include "unit/ring_fixture.hpp"

namespace ringway::test {

using namespace ringway::daemon;
using layout::Hold;
using layout::Role;
using layout::Slot;

inline constexpr std::uint64_t kDutyRing = 64 * 1024;
inline const TopicIdentity kDutyTopic{{9, 9}, "t", 1};

/// One partition with its producer, a model disk, and a clock that moves when told.
struct DutyBench {
  explicit DutyBench(std::uint64_t seed, std::uint32_t sync_interval_ms = 5,
                     const TopicIdentity& identity = kDutyTopic, TopicSettings settings = {},
                     std::uint64_t segment_bytes = 256 * 1024)
      : disk(seed) {
    settings.sync_interval_ms = sync_interval_ms;
    settings.ring_bytes = kDutyRing;
    settings.segment_bytes = segment_bytes;
    auto memory = daemon::TopicMemory::create(identity, settings, 8);
    ring::open_ring(memory.view(0), 0, NonceSource());
    memory.publish();
    topic = std::make_shared<ServedTopic>(ServedTopic::Options{identity, settings, 1, "t"},
                                          std::move(memory));
    start_duty();
    writer.emplace(topic->view(0), slot);
  }

  /// The first, or that of the next supervisor, from topic->log_start() on.
  void start_duty() {
    duty = std::make_unique<PartitionDuty>(*topic, 0, disk, disk, events);
    duty->attach({1, Role::producer, 4711, &slot, {}});
  }

  void round() {
    now += std::chrono::milliseconds(6);  // a batch is due every time
    duty->round(now, [](std::uint64_t, bool) {});
    storage::Completion completion;
    while (disk.reap({&completion, 1}, std::chrono::nanoseconds(0)) == 1) {
      LogFlush::complete(completion.token, completion.result);
    }
    const auto& board = topic->view(0).board();
    // G8: no level is ever taken back, and they stay in order.
    REQUIRE(board.durable_offset.load() >= durable);
    REQUIRE(board.written_offset.load() >= board.durable_offset.load());
    REQUIRE(board.committed_offset.load() >= board.written_offset.load());
    durable = board.durable_offset.load();
  }
  /// As many as fit; returns how many.
  int publish(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string payload = std::to_string(published) + std::string(200, '.');
      if (ring::test::publish_record(*writer, payload).status != Status::ok) return i;
      ++published;
    }
    return count;
  }
  Hold hold() { return static_cast<Hold>(topic->view(0).board().hold.load()); }

  /// Which offsets recovery and a reader find, in order and with their bytes.
  std::vector<bool> in_log() {
    std::vector<bool> found(published);
    const log::Recovered recovered =
        log::recover(disk, topic->directory(0).string(), log::RecoverMode::inspect);
    CHECK(recovered.damaged.empty());
    CHECK(recovered.end.offset == published);
    std::uint64_t next = 0;
    for (const log::SegmentInfo& info : recovered.segments) {
      const std::string path = topic->directory(0).string() + "/" + info.name;
      log::SegmentReader reader(disk,
                                storage::File(disk, disk.open(path, storage::OpenMode::read)));
      reader.limit_to(info.end);
      log::SegmentWalk walk(reader);
      log::Record record;
      while (walk.next(record) == log::ReadStatus::ok) {
        const std::string_view body(reinterpret_cast<const char*>(record.body.data()),
                                    record.header.payload_bytes);
        const std::string number(body.substr(0, body.find('.')));
        // An assertion for each of millions would take longer than all else.
        if (record.at.offset < next || number != std::to_string(record.at.offset)) {
          FAIL("at offset " << record.at.offset << ", behind " << next << ": " << number);
        }
        next = record.at.offset + 1;
        found.at(record.at.offset) = true;
      }
    }
    return found;
  }
  void check_log_holds_everything() { CHECK(in_log() == std::vector<bool>(published, true)); }

  void damage_first_record() {
    std::vector<std::string> names;
    REQUIRE(disk.list(topic->directory(0).string(), names) == 0);
    REQUIRE(names.size() == 1);
    const storage::File file(
        disk, disk.open(topic->directory(0).string() + "/" + names[0], storage::OpenMode::write));
    log::SegmentHeader header;
    REQUIRE(disk.read(file.descriptor(), std::as_writable_bytes(std::span(&header, 1)), 0) ==
            sizeof header);
    REQUIRE(disk.write(file.descriptor(), std::vector(64, std::byte{0xee}), header.data_start) ==
            0);
  }

  ModelDisk disk;
  std::vector<std::string> lines;
  std::function<void()> on_line;
  EventLog events{[this](const Event& event) {
    lines.emplace_back(line_of(event));
    if (on_line) on_line();
  }};
  Slot slot{};
  std::shared_ptr<ServedTopic> topic;
  std::unique_ptr<PartitionDuty> duty;
  std::optional<ring::test::PlainWriter> writer;
  SteadyTime now{};
  std::uint64_t published = 0;
  std::uint64_t durable = 0;
};

}  // namespace ringway::test
