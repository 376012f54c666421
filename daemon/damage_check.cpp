#include "daemon/damage_check.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "daemon/segment_search.hpp"
#include "log/file_error.hpp"
#include "log/segment_reader.hpp"
#include "log/verify.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon {
namespace {

constexpr std::size_t kPlacesOfUserMax = 16;
constexpr std::chrono::minutes kNotListened{1};

std::optional<LogDamage::Range> damage_at(storage::FileSystem& file_system,
                                          const ServedTopic& topic, std::uint32_t partition,
                                          std::uint64_t offset) {
  const std::vector<log::SegmentInfo> segments = topic.segments(partition).snapshot();
  const auto index = find_segment(segments, control::AtOffset{offset});
  if (!index || segments[*index].first.offset > offset) return std::nullopt;
  const log::SegmentInfo& segment = segments[*index];
  LogDamage::Range range{.kind = LogDamage::Kind::hole,
                         .partition = partition,
                         .from = segment.first,
                         .to = segment.end,
                         .file = segment.name,
                         .rule = "bytes do not verify"};
  const std::filesystem::path path = topic.directory(partition) / segment.name;
  try {
    const log::SegmentReader reader(
        file_system, log::open_or_throw(file_system, path.string(), storage::OpenMode::read),
        log::TableRead::later);
    reader.check_base_offset(segment.first.offset);
    reader.check_owner(topic.uuid(), partition);
    std::optional<log::LogPoint> end;
    if (*index + 1 < segments.size()) end = segment.end;
    const auto hole = log::hole_at(file_system, path.string(), offset, end);
    if (!hole || hole->known) return std::nullopt;
    range.from = hole->from;
    range.to = hole->to;
    if (hole->error < 0) range.rule = std::generic_category().message(-hole->error);
  } catch (const Error& error) {
    // Retention, or somebody, took it meanwhile: of a missing file others tell.
    std::error_code unseen;
    if (!std::filesystem::is_regular_file(path, unseen)) return std::nullopt;
    range.kind = LogDamage::Kind::unreadable;
    range.rule = error.rule();
  }
  return range;
}

}  // namespace

DamageCheck::~DamageCheck() {
  if (thread_.joinable()) thread_.join();
}

void DamageCheck::look_at(const std::shared_ptr<Topic>& topic, std::uint32_t partition,
                          std::uint64_t offset, std::uint32_t uid) {
  if (topic->damage.has(partition, offset) || !is_listened_to(uid)) return;
  const auto is_users = [&](const Place& place) { return place.uid == uid; };
  if (std::ranges::count_if(places_, is_users) >= std::ptrdiff_t{kPlacesOfUserMax}) return;
  places_.push_back({topic, partition, offset, uid});
  if (!thread_.joinable()) look_at_next();
}

bool DamageCheck::is_listened_to(std::uint32_t uid) {
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(not_before_, [&](const auto& one) { return one.second <= now; });
  return !not_before_.contains(uid);
}

void DamageCheck::look_at_next() {
  while (!places_.empty()) {
    const Place place = std::move(places_.front());
    places_.pop_front();
    const std::shared_ptr<ServedTopic> served = place.topic->served;
    if (!served || place.topic->deleting || !is_listened_to(place.uid) ||
        place.topic->damage.has(place.partition, place.offset)) {
      continue;
    }
    try {
      thread_ = std::thread([this, place, served] {
        std::optional<LogDamage::Range> range;
        try {
          range = damage_at(parts_.file_system, *served, place.partition, place.offset);
        } catch (const std::exception&) {
          // Out of memory: somebody will come there again.
        }
        parts_.post([this, place, served, range] { found(place, served, range); });
      });
    } catch (const std::system_error&) {
      // No thread to be had.
    }
    return;
  }
}

void DamageCheck::found(const Place& place, const std::shared_ptr<ServedTopic>& served,
                        const std::optional<LogDamage::Range>& range) {
  thread_.join();
  if (place.topic->deleting) return look_at_next();
  if (range) {
    place.topic->damage.note(parts_.log, *served, *range);
    // Records must not go on into a file that nobody can read.
    const auto segments = served->segments(range->partition).snapshot();
    if (range->kind == LogDamage::Kind::unreadable && !segments.empty() &&
        range->file == segments.back().name) {
      parts_.flusher.leave_segment(served, range->partition, [] {});
    }
  } else {
    not_before_[place.uid] = std::chrono::steady_clock::now() + kNotListened;
  }
  look_at_next();
}

}  // namespace ringway::daemon
