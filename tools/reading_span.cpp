#include "tools/reading_span.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ringway/error.hpp"
#include "shm/descriptor_limit.hpp"
#include "tools/note.hpp"
#include "tools/topic_error.hpp"

namespace ringway::cli {
namespace {

Error not_placed(const std::string& topic, std::uint32_t partition, Status status) {
  const std::string thing = fmt::format("{}, partition {}", topic_thing(topic), partition);
  if (status == Status::no_descriptors) {
    return shm::NoDescriptorLeft(thing, "the start cannot be looked up");
  }
  const std::string rule = fmt::format("the start cannot be looked up ({})", to_string(status));
  return Error(status == Status::disconnected ? ErrorCode::unavailable : ErrorCode::failed, thing,
               rule, "see that ringwayd runs, and try again");
}

}  // namespace

void ReadingSpan::start(const std::string& topic, const OffsetRange& range,
                        const std::vector<bool>& kept, AtEnd at_end) {
  ends_ = at_end == AtEnd::end || range.to;
  read_up_to_.assign(spans_.size(), std::nullopt);
  // All ends first: what comes while the starts are looked up is not waited for.
  for (const std::uint32_t p : consumer_.assigned()) {
    if (at_end == AtEnd::end) read_up_to_[p] = consumer_.committed_offset(p);
    spans_[p] = resolve(p, range);
    if (ends_) open_.push_back(p);
  }
  for (const std::uint32_t p : consumer_.assigned()) {
    if (kept[p]) {
      spans_[p].from = 0;
    } else {
      place(topic, spans_[p], range.from);
    }
  }
}

PartitionSpan ReadingSpan::resolve(std::uint32_t partition, const OffsetRange& range) const {
  PartitionSpan span{.partition = partition};
  if (range.from.kind != Place::Kind::time) span.from = resolve(partition, range.from);
  if (!range.to) return span;
  if (range.to->kind == Place::Kind::time) {
    span.until_ns = range.to->time_ns;
  } else {
    span.to = resolve(partition, *range.to);
  }
  return span;
}

std::uint64_t ReadingSpan::resolve(std::uint32_t partition, const Place& place) const {
  const std::uint64_t first = consumer_.first_offset(partition);
  const std::uint64_t committed = consumer_.committed_offset(partition);
  switch (place.kind) {
    case Place::Kind::start:
      return first + place.records;
    case Place::Kind::end:
      return std::max(first, committed - std::min(committed, place.records));
    case Place::Kind::offset:
    case Place::Kind::time:
      break;
  }
  return place.records;
}

void ReadingSpan::place(const std::string& topic, const PartitionSpan& span, const Place& from) {
  const std::uint32_t p = span.partition;
  StartPoint to = at_offset(span.from);
  if (from.kind == Place::Kind::time) {
    to = at_timestamp(from.time_ns);
  } else if (const std::uint64_t committed = consumer_.committed_offset(p); span.from > committed) {
    if (!read_up_to_[p] && (!span.to || *span.to > span.from)) {
      note(fmt::format("{} partition {}: offset {} does not exist yet, the end is {}: waiting",
                       topic, p, span.from, committed));
    }
    to = at_offset(committed);  // not end(), which moves on: wants() passes what comes before
  } else if (const std::uint64_t first = consumer_.first_offset(p); span.from < first) {
    // Missing at the beginning is worth a word only where exact offsets were asked for.
    if (from.kind == Place::Kind::offset) {
      note(fmt::format("{} partition {}: offsets {} to {} are not kept any more", topic, p,
                       span.from, first - 1));
    }
    to = ringway::start();
  }
  Status status = consumer_.seek(p, to);
  if (status == Status::not_found) status = consumer_.seek(p, ringway::start());  // gone meanwhile
  if (status == Status::beyond_end) status = consumer_.seek(p, end());
  if (status != Status::ok) throw not_placed(topic, p, status);
}

bool ReadingSpan::wants(const RecordView& record) {
  PartitionSpan& span = spans_[record.partition()];
  if (span.until_ns && record.timestamp_ns() >= *span.until_ns) {
    span.until_ns.reset();
    span.to = record.offset();
  }
  return record.offset() >= span.from && (!span.to || record.offset() < *span.to);
}

bool ReadingSpan::finished(std::int64_t now_ns) {
  if (!ends_) return false;
  std::erase_if(open_, [&](std::uint32_t p) {
    PartitionSpan& span = spans_[p];
    // Once that time is over, only what is committed by now can be older.
    if (span.until_ns && now_ns >= *span.until_ns && !span.to) {
      span.to = consumer_.committed_offset(p);
    }
    const std::uint64_t position = consumer_.position(p);
    return (span.to && position >= *span.to) || (read_up_to_[p] && position >= *read_up_to_[p]);
  });
  return open_.empty();
}

}  // namespace ringway::cli
