#include "daemon/trim.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "control/channel.hpp"
#include "log/trim.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon {
namespace {

std::string kept_by(log::TrimStop stop) {
  switch (stop) {
    case log::TrimStop::limit:
      return "";
    case log::TrimStop::within:
      return "segment";
    case log::TrimStop::cursor:
      return "cursor";
    case log::TrimStop::last:
      return "last";
  }
  return "";
}

void demand_log(const Topic& topic, const control::TrimTopic& asked) {
  const std::string thing = fmt::format("topic '{}'", topic.row.name);
  if (!topic.settings.persist) {
    throw Error(ErrorCode::usage, thing, "it keeps no log (--no-persist), and so nothing to trim",
                "its ring forgets by itself");
  }
  if (asked.partition && *asked.partition >= topic.settings.partitions) {
    throw Error(ErrorCode::usage, fmt::format("partition {} of {}", *asked.partition, thing),
                fmt::format("the topic has {} partitions", topic.settings.partitions),
                "count from 0");
  }
  if (topic.replacement && topic.replacement->old_is_free) {
    throw Error(ErrorCode::busy, thing, "it gets another ring at this moment",
                "try again in a second");
  }
}

/// Only who asks as earlier versions did, for all of very many partitions, meets it.
void demand_one_message(const Topic& topic, const control::TopicTrimmed& trimmed) {
  constexpr std::uint64_t kLongestId = UINT64_MAX;
  if (control::encode(kLongestId, trimmed).size() <= control::kMessageBytesMax) return;
  throw Error(ErrorCode::limit, fmt::format("topic '{}'", topic.row.name),
              fmt::format("what there is to say of {} partitions is too long for this version of "
                          "the client; nothing was trimmed",
                          trimmed.partitions.size()),
              "install the supervisor's version of ringway, or trim each partition (-p)");
}

}  // namespace

control::TopicTrimmed trim(const SupervisorParts& parts, const Topic& topic,
                           const control::TrimTopic& asked) {
  demand_log(topic, asked);
  log::TrimLimit limit;
  if (asked.before_offset) limit.offset = *asked.before_offset;
  if (asked.before_time_ns) limit.time_ns = *asked.before_time_ns;
  const std::uint32_t all = topic.settings.partitions;
  std::uint32_t first = std::min(asked.first, all);
  std::uint32_t end = all - first > asked.max.value_or(all) ? first + *asked.max : all;
  if (asked.partition) {
    first = *asked.partition;
    end = first + 1;
  }
  control::TopicTrimmed trimmed;
  for (std::uint32_t p = first; p < end; ++p) {
    const auto segments = topic.served->segments(p).snapshot();
    const NamedCursors::Protection protection = topic.cursors.protection(p);
    const log::TrimDecision decision = log::decide_trim(segments, limit, protection.offset);
    control::TrimmedPartition one{.partition = p,
                                  .segments = decision.remove,
                                  .kept_by = kept_by(decision.stop)};
    if (decision.stop == log::TrimStop::cursor) one.cursor = protection.cursor;
    for (std::size_t i = 0; i < decision.remove; ++i) one.bytes += segments[i].file_bytes;
    one.first_offset =
        decision.remove != 0
            ? segments[decision.remove].first.offset
            : topic.served->view(p).board().first_offset.load(std::memory_order::acquire);
    trimmed.partitions.push_back(std::move(one));
  }
  if (end < all && !asked.partition) trimmed.next = end;
  demand_one_message(topic, trimmed);
  for (const control::TrimmedPartition& one : trimmed.partitions) {
    if (one.segments == 0 || asked.dry_run) continue;
    parts.log.info("log_trimmed", {{"topic", topic.row.name},
                                   {"partition", one.partition},
                                   {"segments", one.segments},
                                   {"first_offset", one.first_offset}});
    parts.flusher.retire(topic.served, one.partition, one.first_offset);
  }
  return trimmed;
}

}  // namespace ringway::daemon
