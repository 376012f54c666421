#include "tools/gap_note.hpp"

#include <fmt/format.h>

namespace ringway::cli {
namespace {

const char* reason(const Gap& gap, std::uint64_t first_offset) {
  switch (gap.reason) {
    case Status::lapped:
      return "overwritten before they were read";
    case Status::corrupt:
      return "lost on disk";
    default:
      // Retention takes the oldest only.
      return gap.from < first_offset ? "not kept any more"
                                     : "lost from memory before they were written";
  }
}

}  // namespace

std::string gap_note(const std::string& topic, const Gap& gap, std::uint64_t first_offset) {
  // An end that cannot be told either is not behind the beginning.
  const std::string which = gap.to > gap.from + 1
                                ? fmt::format("offsets {} to {} are", gap.from, gap.to - 1)
                            : gap.to > gap.from ? fmt::format("offset {} is", gap.from)
                                                : fmt::format("offsets from {} on are", gap.from);
  return fmt::format("{} partition {}: {} missing: {}", topic, gap.partition, which,
                     reason(gap, first_offset));
}

}  // namespace ringway::cli
