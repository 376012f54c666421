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

/// The fewest kill points that each operation may have: four fifths of the fewest that a release
/// build of GCC 12 was seen to have. A test fails below that; where an operation has become longer
/// or shorter, it is counted anew. Of single processes all instructions are counted that stand
/// before one of Ringway's own, as libraries have what they choose for processor and kernel
/// (Puppet::in_own_code()); of the flusher the boundaries, not what chance adds. Without
/// optimization there are more. Of whole processes it is system call boundaries
/// from the beginning of the act to its end, in the longest of three runs. The traffic beside them
/// and the device's speed make a supervisor's vary by a factor of two to three: here it is three
/// fifths of the fewest of 40 countings, some at high and some at low priority on overbooked cores.
inline constexpr std::array kRecordedPoints{
    RecordedPoints{"claim, fill, commit", 2460},
    RecordedPoints{"claim beside rivals", 3350},
    RecordedPoints{"batch", 2520},
    RecordedPoints{"abort", 1310},
    RecordedPoints{"poll, pin, advance, unpin", 12590},
    RecordedPoints{"ring the bell", 370},
    RecordedPoints{"fall asleep on the bell", 140},
    RecordedPoints{"repair", 6700},
    RecordedPoints{"limit", 790},
    RecordedPoints{"committed watermark and boundary table", 2250},
    RecordedPoints{"fence and verdict, stopped", 180},
    RecordedPoints{"fence and verdict, killed", 180},
    RecordedPoints{"retire, supervisor killed", 1900},
    RecordedPoints{"exclusive: claim, fill, commit", 2490},
    RecordedPoints{"exclusive to shared, nobody is killed", 400},
    RecordedPoints{"exclusive to shared, owner killed", 2540},
    RecordedPoints{"exclusive to shared, supervisor killed", 220},
    RecordedPoints{"fence and verdict, exclusive, stopped", 380},
    RecordedPoints{"fence and verdict, exclusive, killed", 760},
    RecordedPoints{"retire an exclusive ring, supervisor killed", 4100},
    RecordedPoints{"flusher: write, table, slot, sync, roll", 115},
    RecordedPoints{"topic create", 500},
    RecordedPoints{"topic delete", 135},
    RecordedPoints{"attach, flush, detach", 200},
    RecordedPoints{"cursor commit", 230},
    RecordedPoints{"ring replacement", 570},
    RecordedPoints{"ring replacement, a producer stopped", 740},
    RecordedPoints{"orderly stop", 280},
    RecordedPoints{"adoption at restart", 740},
    RecordedPoints{"keeper take-over", 350},
    RecordedPoints{"topic create, keeper killed", 46},
    RecordedPoints{"ring replacement, keeper killed", 50},
    RecordedPoints{"attach, flush, detach, client killed", 70},
    RecordedPoints{"cursor commit, client killed", 78},
    RecordedPoints{"ring replacement, producer killed", 70},
    RecordedPoints{"ring replacement, consumer killed", 60},
};

inline std::uint64_t recorded_points(std::string_view operation) {
  for (const RecordedPoints& recorded : kRecordedPoints) {
    if (recorded.operation == operation) return recorded.points;
  }
  throw std::logic_error("no points are recorded of " + std::string(operation));
}

}  // namespace ringway::proof
