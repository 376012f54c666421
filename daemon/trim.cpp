#include "daemon/trim.hpp"

#include <fmt/format.h>

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

}  // namespace

control::TopicTrimmed trim(const SupervisorParts& parts, const Topic& topic,
                           const control::TrimTopic& asked) {
  demand_log(topic, asked);
  log::TrimLimit limit;
  if (asked.before_offset) limit.offset = *asked.before_offset;
  if (asked.before_time_ns) limit.time_ns = *asked.before_time_ns;
  control::TopicTrimmed trimmed;
  for (std::uint32_t p = 0; p < topic.settings.partitions; ++p) {
    if (asked.partition && *asked.partition != p) continue;
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
    if (decision.remove == 0 || asked.dry_run) continue;
    const std::uint64_t first_kept = segments[decision.remove].first.offset;
    parts.log.info("log_trimmed", {{"topic", topic.row.name},
                                   {"partition", p},
                                   {"segments", decision.remove},
                                   {"first_offset", first_kept}});
    parts.flusher.retire(topic.served, p, first_kept);
  }
  return trimmed;
}

}  // namespace ringway::daemon
