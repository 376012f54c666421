#pragma once

#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "layout/record.hpp"
#include "log/segment_format.hpp"
#include "log/stream.hpp"
#include "storage/page_buffer.hpp"

namespace ringway::test {

/// Stands for a ring: committed records in memory that wraps, and what every offset held, for ever.
class RecordSource {
 public:
  struct Kept {
    std::string value;
    std::int64_t time;
    log::LogPoint at;
  };

  /// `start` is page aligned.
  RecordSource(std::uint64_t bytes, log::LogPoint start)
      : memory_(bytes), first_(start), tail_(start) {}

  log::Stream stream() const { return {memory_.data(), memory_.size(), first_.position}; }
  log::LogPoint first() const { return first_; }
  log::LogPoint tail() const { return tail_; }

  void add(const std::string& value, std::int64_t time) {
    layout::RecordHeader header{};
    header.stamp = 0x5eed ^ tail_.position;
    header.payload_bytes = static_cast<std::uint32_t>(value.size());
    header.timestamp_ns = time;
    header.kind = static_cast<std::uint8_t>(layout::RecordKind::data);
    records[tail_.offset] = {value, time, tail_};
    put(header, value);
  }
  void skip(std::uint64_t bytes, std::uint64_t offsets) {
    const auto header = layout::skip_header(bytes, offsets);
    put(header, std::string(header.payload_bytes, '\xee'));
  }
  /// What a hostile producer does; positions of the ring's first round.
  void scribble(std::uint64_t from, std::uint64_t end) {
    std::memset(memory_.data() + from, 0x5a, end - from);
  }
  /// Whether a record of this size overwrites nothing that the log still needs.
  bool room(std::uint64_t value_bytes, std::uint64_t durable) const {
    return tail_.position + layout::record_bytes(value_bytes, 0, 0) <=
           log::page_floor(durable) + memory_.size();
  }
  /// The record at a boundary, as a flusher copies it out.
  layout::RecordHeader header_at(std::uint64_t position) const {
    layout::RecordHeader header;
    std::memcpy(&header, memory_.data() + (position - first_.position) % memory_.size(),
                sizeof header);
    return header;
  }
  /// The ring was lost: a new one starts at `at`; records at or behind `end` never were.
  void begin_again(log::LogPoint at, log::LogPoint end) {
    records.erase(records.lower_bound(end.offset), records.end());
    std::memset(memory_.data(), 0, memory_.size());
    first_ = tail_ = at;
  }

  std::map<std::uint64_t, Kept> records;

 private:
  void put(const layout::RecordHeader& header, const std::string& body) {
    std::vector<std::byte> bytes(layout::record_bytes(header));
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, body.data(), body.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      memory_.data()[(tail_.position - first_.position + i) % memory_.size()] = bytes[i];
    }
    tail_.position += bytes.size();
    tail_.offset += layout::record_offsets(header);
  }

  storage::PageBuffer memory_;
  log::LogPoint first_;
  log::LogPoint tail_;
};

}  // namespace ringway::test
