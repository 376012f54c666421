#include "daemon/log_damage.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ringway::daemon {
namespace {

/// Of each topic: a device may spoil any number of blocks. Files are few, and of each that is
/// missing consumers are told why.
constexpr std::size_t kHolesMax = 1000;

bool is_kept(const ServedTopic& topic, const LogDamage::Range& range) noexcept {
  const auto& board = topic.view(range.partition).board();
  return range.to.offset > board.first_offset.load(std::memory_order::acquire);
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
      return fmt::format("{} missing from the log, as {} {}; restore it and restart the "
                         "supervisor, or let ringway log repair note the loss",
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
  const bool known = std::ranges::any_of(ranges_, [&](const Range& other) {
    return other.kind == range.kind && other.partition == range.partition &&
           other.file == range.file && other.from.offset == range.from.offset;
  });
  const bool is_hole = range.kind == Kind::hole;
  if (known || (is_hole && holes_ == kHolesMax)) return;
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
  log.write(Severity::error,
            range.kind == Kind::missing ? "segment_missing" : "segment_damaged", fields);
  ranges_.push_back(std::move(range));
  holes_ += is_hole ? 1 : 0;
}

bool LogDamage::has(std::uint32_t partition, std::uint64_t offset) const noexcept {
  return std::ranges::any_of(ranges_, [&](const Range& range) {
    return range.partition == partition && range.to.offset != kUnknown &&
           offset >= range.from.offset && offset < range.to.offset;
  });
}

std::optional<log::LogPoint> LogDamage::missing_up_to(std::uint32_t partition,
                                                      std::uint64_t offset) const noexcept {
  std::optional<log::LogPoint> end;
  const auto goes_on = [&](const Range& range) {
    return range.kind == Kind::missing && range.partition == partition &&
           offset >= range.from.offset && offset < range.to.offset;
  };
  for (auto next = std::ranges::find_if(ranges_, goes_on); next != ranges_.end();
       next = std::ranges::find_if(ranges_, goes_on)) {
    end = next->to;
    offset = end->offset;
  }
  return end;
}

std::optional<std::uint64_t> LogDamage::lost_files_in(std::uint32_t partition, std::uint64_t from,
                                                      std::uint64_t to) const noexcept {
  std::optional<std::uint64_t> first;
  for (const Range& range : ranges_) {
    const std::uint64_t begin = range.from.offset;
    if (range.kind == Kind::hole || range.partition != partition) continue;
    if (begin >= from && begin < to && begin < first.value_or(to)) first = begin;
  }
  return first;
}

std::vector<control::StatusTrouble> LogDamage::troubles(const ServedTopic& topic) const {
  std::vector<control::StatusTrouble> all;
  for (const Range& range : ranges_) {
    if (!is_kept(topic, range)) continue;
    all.push_back({.what = range.kind == Kind::missing ? control::TroubleKind::segment_missing
                                                       : control::TroubleKind::segment_damaged,
                   .topic = topic.name(),
                   .partitions = {range.partition},
                   .partition_count = 1,
                   .path = range.file,
                   .reason = range.rule,
                   .text = fmt::format("topic '{}' partition {}: {}", topic.name(),
                                       range.partition, words_of(range))});
  }
  return all;
}

std::size_t LogDamage::count(const ServedTopic& topic) const noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(ranges_, [&](const Range& range) { return is_kept(topic, range); }));
}

}  // namespace ringway::daemon
