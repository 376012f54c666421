#include "daemon/log_damage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <ranges>
#include <system_error>

#include "log/segment_name.hpp"

namespace ringway::daemon {
namespace {

/// Of each topic: a device may spoil any number of blocks. Files are few, and of each that is
/// missing consumers are told why.
constexpr std::size_t kHolesMax = 1000;

bool is_kept(const ServedTopic& topic, const LogDamage::Range& range) noexcept {
  const auto& board = topic.view(range.partition).board();
  return range.to.offset > board.first_offset.load(std::memory_order::acquire);
}

control::TroubleKind trouble_kind(LogDamage::Kind kind) noexcept {
  return kind == LogDamage::Kind::missing ? control::TroubleKind::segment_missing
                                          : control::TroubleKind::segment_damaged;
}

std::string offsets_of(const LogDamage::Range& range) {
  return range.to.offset - range.from.offset == 1
             ? fmt::format("offset {} is", range.from.offset)
             : fmt::format("offsets {} to {} are", range.from.offset, range.to.offset - 1);
}

std::string words_of(const LogDamage::Range& range) {
  switch (range.kind) {
    case LogDamage::Kind::unreadable:
      return fmt::format("{} is damaged ({}), its records are a gap; restore or remove it and "
                         "restart the supervisor",
                         range.file, range.rule);
    case LogDamage::Kind::missing:
      return fmt::format("{} missing from the log, as {} {}, and any file behind it that had some "
                         "of them; restore them and restart the supervisor, or let ringway log "
                         "repair note the loss",
                         offsets_of(range), range.file, range.rule);
    case LogDamage::Kind::hole:
      return fmt::format("{} damaged in {} ({}); look at the disk, and let ringway log repair note "
                         "the loss",
                         offsets_of(range), range.file, range.rule);
  }
  return {};
}

}  // namespace

void LogDamage::note(const EventLog& log, const ServedTopic& topic, Range range) {
  if (range.to.offset == range.from.offset) return;
  if (range.kind == Kind::hole) {
    const bool known = std::ranges::any_of(holes_, [&](const Range& other) {
      return other.partition == range.partition && other.from.offset == range.from.offset;
    });
    if (known || holes_.size() == kHolesMax) return;
    holes_.push_back(range);
  } else {
    const auto [known, is_new] =
        lost_files_.try_emplace({range.partition, range.from.offset}, range);
    if (!is_new) {
      known->second.to = range.to;
      return;
    }
  }
  std::vector<LogField> fields{
      {"topic", topic.name()},
      {"partition", range.partition},
      {"file", range.file},
      {"rule", range.rule}};
  if (range.kind != Kind::unreadable) {
    fields.emplace_back("from_offset", range.from.offset);
    fields.emplace_back("to_offset", range.to.offset);
  }
  fields.emplace_back("effect", range.kind == Kind::unreadable
                                    ? "kept as it is; its records are a gap"
                                    : "consumers are told of a gap");
  const EventName event = range.kind == Kind::missing ? EventName("segment_missing")
                                                      : EventName("segment_damaged");
  log.write(Severity::error, event, fields);
}

void LogDamage::note_missing(const EventLog& log, const ServedTopic& topic,
                             std::uint32_t partition, const log::MissingRange& range) {
  const std::string name = log::segment_name(range.from.offset);
  std::error_code unseen;
  const auto found = std::filesystem::status(topic.directory(partition) / name, unseen);
  const bool is_other = exists(found) && !is_regular_file(found);
  note(log, topic, {Kind::missing, partition, range.from, range.to, name,
                    is_other ? "is no regular file" : "is gone"});
}

bool LogDamage::has(std::uint32_t partition, std::uint64_t offset) const noexcept {
  return lost_file_with(partition, offset) != nullptr ||
         std::ranges::any_of(holes_, [&](const Range& range) {
           return range.partition == partition && offset >= range.from.offset &&
                  offset < range.to.offset;
         });
}

/// Where it is known how far the file went.
const LogDamage::Range* LogDamage::lost_file_with(std::uint32_t partition,
                                                  std::uint64_t offset) const noexcept {
  const auto behind = lost_files_.upper_bound({partition, offset});
  if (behind == lost_files_.begin()) return nullptr;
  const Range& range = std::prev(behind)->second;
  const bool has_it = range.partition == partition && range.to.offset != kUnknown &&
                      offset >= range.from.offset && offset < range.to.offset;
  return has_it ? &range : nullptr;
}

std::optional<log::LogPoint> LogDamage::end_of_lost_files(std::uint32_t partition,
                                                          std::uint64_t offset) const noexcept {
  std::optional<log::LogPoint> end;
  for (const Range* file = lost_file_with(partition, offset); file != nullptr;
       file = lost_file_with(partition, end->offset)) {
    end = file->to;
  }
  return end;
}

std::optional<std::uint64_t> LogDamage::lost_file_in(std::uint32_t partition, std::uint64_t from,
                                                     std::uint64_t to) const noexcept {
  const auto first = lost_files_.lower_bound({partition, from});
  if (first == lost_files_.end() || first->first.first != partition) return std::nullopt;
  return first->first.second < to ? std::optional(first->first.second) : std::nullopt;
}

std::vector<control::StatusTrouble> LogDamage::troubles(const ServedTopic& topic) const {
  std::vector<control::StatusTrouble> all;
  const auto add = [&](const Range& range) {
    if (!is_kept(topic, range)) return;
    all.push_back({.what = trouble_kind(range.kind),
                   .topic = topic.name(),
                   .partitions = {range.partition},
                   .partition_count = 1,
                   .path = (topic.directory(range.partition) / range.file).string(),
                   .reason = range.rule,
                   .text = fmt::format("topic '{}' partition {}: {}", topic.name(),
                                       range.partition, words_of(range))});
  };
  std::ranges::for_each(std::views::values(lost_files_), add);
  std::ranges::for_each(holes_, add);
  return all;
}

std::size_t LogDamage::count(const ServedTopic& topic) const noexcept {
  const auto kept = [&](const Range& range) { return is_kept(topic, range); };
  return static_cast<std::size_t>(std::ranges::count_if(std::views::values(lost_files_), kept) +
                                  std::ranges::count_if(holes_, kept));
}

}  // namespace ringway::daemon
