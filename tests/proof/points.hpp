#pragma once

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace ringway::proof {

struct RecordedPoints {
  std::string_view operation;
  std::uint64_t points;
};

/// Kill points that each operation has at least: about four fifths of what a release build of GCC
/// 12 was counted to have. A build with sanitizers or without optimization has more.
inline constexpr std::array kRecordedPoints{
    RecordedPoints{"claim, fill, commit", 2740},
    RecordedPoints{"claim beside rivals", 3620},
    RecordedPoints{"batch", 2750},
    RecordedPoints{"abort", 1610},
    RecordedPoints{"poll, pin, advance, unpin", 12590},
    RecordedPoints{"ring the bell", 420},
    RecordedPoints{"fall asleep on the bell", 480},
    RecordedPoints{"repair", 6990},
    RecordedPoints{"limit", 790},
    RecordedPoints{"committed watermark and boundary table", 2250},
    RecordedPoints{"fence and verdict, stopped", 230},
    RecordedPoints{"fence and verdict, killed", 230},
    RecordedPoints{"retire, supervisor killed", 270},
    RecordedPoints{"flusher: write, table, slot, sync, roll", 450},
};

inline std::uint64_t recorded_points(std::string_view operation) {
  for (const RecordedPoints& recorded : kRecordedPoints) {
    if (recorded.operation == operation) return recorded.points;
  }
  throw std::logic_error("no points are recorded of " + std::string(operation));
}

}  // namespace ringway::proof
