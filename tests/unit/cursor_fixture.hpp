#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/partition_cursor.hpp"
#include "daemon/commit_follower.hpp"
#include "unit/ring_fixture.hpp"

// A cursor in plain memory, beside a log that lies in memory, too.
namespace ringway::cursor_fixture {

using layout::TopicMode;
using ring::test::PlainRing;
using ring::test::PlainWriter;

/// A log that lies in memory: every byte of the stream, from the position where it starts.
class MemoryLog : public LogSource {
 public:
  struct Content {
    std::string bytes;                               // from log position 0 on
    std::map<std::uint64_t, std::uint64_t> records;  // offset -> position
    std::uint64_t end = 0;                           // position up to which it is written
    std::optional<LogEnd> expected;                  // what the cursor said last
    std::optional<LogChunk> answer;                  // instead of the truth
  };
  explicit MemoryLog(Content& content) : content_(content) {}

  LogChunk read(log::LogPoint at) noexcept override {
    if (content_.answer) return *std::exchange(content_.answer, std::nullopt);
    if (at.position >= content_.end) return {};
    const std::string_view rest =
        std::string_view(content_.bytes).substr(at.position, content_.end - at.position);
    return {LogChunk::Kind::records, at, std::as_bytes(std::span(rest.data(), rest.size())),
            Status::ok};
  }
  LogChunk read_offset(std::uint64_t offset) noexcept override {
    auto found = content_.records.upper_bound(offset);
    if (found == content_.records.begin()) return {};
    --found;
    return read({found->second, found->first});
  }
  TimePlace find_time(std::int64_t) noexcept override { return {}; }
  void expect(LogEnd end) noexcept override { content_.expected = end; }
  void rest() noexcept override {}

 private:
  Content& content_;
};

struct World {
  explicit World(TopicMode topic_mode = TopicMode::persisted) : mode(topic_mode) {
    plain.board->base_offset = 0;
    plain.board->base_position = 0;
  }
  PartitionCursor cursor() {
    return PartitionCursor(7, plain.view(), slots.emplace_back(), mode,
                           std::make_unique<MemoryLog>(log));
  }
  /// Publishes one record with a payload of `bytes`, a number in front.
  std::uint64_t publish(std::size_t bytes = 40) {
    std::string payload = std::to_string(published);
    payload.resize(std::max(bytes, payload.size()), '.');
    const ring::Claimed claim = ring::test::publish_record(writer, payload);
    REQUIRE(claim.status == Status::ok);
    keep(claim);
    ++published;
    return claim.offset;
  }
  void keep(const ring::Claimed& claim) {
    const std::uint64_t end = claim.first + claim.bytes;
    log.bytes.resize(end);
    for (std::uint64_t p = claim.first; p < end; ++p) {
      log.bytes[p] = static_cast<char>(*plain.view().at(p));
    }
    log.records[claim.offset] = claim.first;
    follower.follow(~std::uint64_t{0} >> 1, [](const auto&, const auto&) {});
  }
  /// All that is committed is durable: the log has it and the ring's space may be reused.
  void flush() {
    log.end = follower.committed().position;
    plain.publish(follower.committed());
  }
  std::vector<std::uint64_t> poll(PartitionCursor& cursor, std::size_t max = 1000) {
    records = RecordList(max);
    PartitionCursor::Harvest harvest{records, max, gaps};
    status = cursor.collect(harvest);
    std::vector<std::uint64_t> offsets;
    for (const RecordView& record : records) {
      CHECK(record.partition() == 7);
      offsets.push_back(record.offset());
    }
    return offsets;
  }

  PlainRing plain;
  TopicMode mode;
  std::deque<layout::Slot> slots{1};
  PlainWriter writer{plain.view(), slots.front()};
  daemon::CommitFollower follower{plain.view(), {0, 0}};
  MemoryLog::Content log;
  std::uint64_t published = 0;
  RecordList records;
  std::vector<Gap> gaps;
  Status status = Status::ok;
};

inline std::vector<std::uint64_t> numbers(std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint64_t> all;
  for (; from < to; ++from) all.push_back(from);
  return all;
}

}  // namespace ringway::cursor_fixture
