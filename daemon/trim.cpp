#include "daemon/trim.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "control/channel.hpp"
#include "control/quantity.hpp"
#include "log/trim.hpp"

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

/// Pure. What is to go, by each partition's segments and cursors.
control::TopicTrimmed decide(const Topic& topic, const control::TrimTopic& asked) {
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
  return trimmed;
}

/// Puts what went in the place of what was to go, and says so. The first file that stays is an
/// error.
std::optional<Error> settle(const EventLog& log, const ServedTopic& topic,
                            control::TopicTrimmed& trimmed,
                            const std::vector<SegmentRemoval>& removals) {
  const SegmentRemoval* refused = nullptr;
  std::uint64_t gone = 0;
  for (std::size_t i = 0; i < removals.size(); ++i) {
    control::TrimmedPartition& one = trimmed.partitions[i];
    const SegmentRemoval& removal = removals[i];
    one.segments = removal.segments;
    one.bytes = removal.bytes;
    one.first_offset =
        topic.view(one.partition).board().first_offset.load(std::memory_order::acquire);
    gone += removal.segments;
    if (removal.segments != 0) {
      log.info("log_trimmed", {{"topic", topic.name()},
                               {"partition", one.partition},
                               {"segments", one.segments},
                               {"first_offset", one.first_offset}});
    }
    if (removal.error == 0) continue;
    log.warning("segment_not_removed",
                {{"topic", topic.name()},
                 {"partition", one.partition},
                 {"error", std::generic_category().message(-removal.error)},
                 {"path", removal.path}});
    if (refused == nullptr) refused = &removal;
  }
  if (refused == nullptr) return std::nullopt;
  return Error(ErrorCode::failed, refused->path,
               fmt::format("cannot be removed, nor what is behind it: {}; {} of topic '{}' gone",
                           std::generic_category().message(-refused->error),
                           gone == 1 ? "1 segment is" : control::counted(gone, "segment") + " are",
                           topic.name()),
               "make it removable (the directory's mode, lsattr, a read-only mount), and trim "
               "again");
}

}  // namespace

void trim(const SupervisorParts& parts, const Topic& topic, const control::TrimTopic& asked,
          std::function<void(const control::TopicTrimmed&, const std::optional<Error>&)> done) {
  demand_log(topic, asked);
  control::TopicTrimmed trimmed = decide(topic, asked);
  demand_one_message(topic, trimmed);
  if (asked.dry_run) return done(trimmed, std::nullopt);
  const auto removals = std::make_shared<std::vector<SegmentRemoval>>(trimmed.partitions.size());
  for (std::size_t i = 0; i < removals->size(); ++i) {
    const control::TrimmedPartition& one = trimmed.partitions[i];
    if (one.segments == 0) continue;
    parts.flusher.retire(
        topic.served, one.partition, one.first_offset,
        [removals, i](SegmentRemoval removal) { (*removals)[i] = std::move(removal); });
  }
  // The flusher does one after the other: then it has done them all.
  parts.flusher.answer([&log = parts.log, post = parts.post, served = topic.served, removals,
                        trimmed = std::move(trimmed), done = std::move(done)] {
    post([&log, served, removals, trimmed, done]() mutable {
      const std::optional<Error> refused = settle(log, *served, trimmed, *removals);
      done(trimmed, refused);
    });
  });
}

}  // namespace ringway::daemon
