#include "log/retention.hpp"

namespace ringway::log {

std::string_view to_string(Limit limit) noexcept {
  switch (limit) {
    case Limit::bytes:
      return "bytes";
    case Limit::age:
      return "age";
    case Limit::disk:
      return "disk";
  }
  return "unknown";
}

RetentionDecision decide_retention(std::span<const SegmentInfo> segments,
                                   const RetentionLimits& limits,
                                   const RetentionFacts& facts) noexcept {
  std::uint64_t bytes = 0;
  for (const SegmentInfo& segment : segments) bytes += segment.file_bytes;
  std::uint64_t freed = 0;
  RetentionDecision decision;
  for (const SegmentInfo& oldest : segments) {
    const bool too_many = limits.bytes > 0 && bytes - freed > limits.bytes;
    const bool too_old = limits.age_ns > 0 && facts.now_ns - oldest.written_at_ns > limits.age_ns;
    const bool too_tight = facts.free_bytes < limits.free_bytes_min &&
                           freed < limits.free_bytes_min - facts.free_bytes;
    if (!too_many && !too_old && !too_tight) break;
    if (decision.retire + 1 == segments.size()) {
      decision.next = Keeps::last;
      break;
    }
    if (oldest.end.offset > facts.protected_offset) {
      decision.next = Keeps::cursor;
      break;
    }
    freed += oldest.file_bytes;
    ++decision.retire;
    const Limit limit = too_many ? Limit::bytes : too_old ? Limit::age : Limit::disk;
    ++decision.by[static_cast<std::size_t>(limit)];
  }
  return decision;
}

}  // namespace ringway::log
