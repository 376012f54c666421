#include "tools/gap_note.hpp"

#include <fmt/format.h>

namespace ringway::cli {
namespace {

const char* reason(Status status) {
  switch (status) {
    case Status::lapped:
      return "overwritten before they were read";
    case Status::corrupt:
      return "damaged on disk";
    default:
      return "not kept any more";
  }
}

}  // namespace

std::string gap_note(const std::string& topic, const Gap& gap) {
  // An end that cannot be told either is not behind the beginning.
  const std::string which = gap.to > gap.from + 1
                                ? fmt::format("offsets {} to {} are", gap.from, gap.to - 1)
                            : gap.to > gap.from ? fmt::format("offset {} is", gap.from)
                                                : fmt::format("offsets from {} on are", gap.from);
  return fmt::format("{} partition {}: {} missing: {}", topic, gap.partition, which,
                     reason(gap.reason));
}

}  // namespace ringway::cli
