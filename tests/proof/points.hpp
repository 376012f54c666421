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
  std::uint64_t stores = 0;  ///< before and behind those to shared memory, of whole processes
  std::uint64_t places = 0;  ///< in the program, that these stores are at
};

/// The fewest kill points that each operation may have: four fifths of the fewest that a release
/// build of GCC 12 was seen to have. A test fails below that; where an operation has become longer
/// or shorter, it is counted anew. Of single processes all instructions are counted that stand
/// before one of Ringway's own, as libraries have what they choose for processor and kernel
/// (Puppet::in_own_code()); of the flusher the boundaries, not what chance adds. Without
/// optimization there are more. Of whole processes it is boundaries of system calls, and of stores,
/// from the beginning of the act to its end, in the longest of three runs. The traffic beside them
/// and the device's speed make a supervisor's vary by a factor of two to three, and its stores by
/// more: here it is three fifths of the fewest of 40 countings of system calls, some at high and
/// some at low priority on overbooked cores, and half of the fewest of 20 countings of stores, two
/// of them on idle cores, where the traffic stores least. In how many places of the program there
/// are stores that come in one of the three at least varies little: three quarters of the fewest,
/// in seven countings, that came in each of them. The table of handles that goes with a ring is
/// left out: by how many stores 64 KiB are copied is the compiler's business. A take-over itself
/// stores nothing.
inline constexpr std::array kRecordedPoints{
    RecordedPoints{"claim, fill, commit", 2460},
    RecordedPoints{"claim beside rivals", 3290},
    RecordedPoints{"batch", 2340},
    RecordedPoints{"abort", 1260},
    RecordedPoints{"poll, pin, advance, unpin", 9420},
    RecordedPoints{"ring the bell", 370},
    RecordedPoints{"fall asleep on the bell", 140},
    RecordedPoints{"repair", 6700},
    RecordedPoints{"limit", 790},
    RecordedPoints{"committed watermark and boundary table", 1790},
    RecordedPoints{"fence and verdict, stopped", 180},
    RecordedPoints{"fence and verdict, killed", 180},
    RecordedPoints{"retire, supervisor killed", 1900},
    RecordedPoints{"exclusive: claim, fill, commit", 2350},
    RecordedPoints{"exclusive to shared, nobody is killed", 385},
    RecordedPoints{"exclusive to shared, owner killed", 2360},
    RecordedPoints{"exclusive to shared, supervisor killed", 220},
    RecordedPoints{"fence and verdict, exclusive, stopped", 350},
    RecordedPoints{"fence and verdict, exclusive, killed", 710},
    RecordedPoints{"retire an exclusive ring, supervisor killed", 4100},
    RecordedPoints{"flusher: write, table, slot, sync, roll", 132},
    RecordedPoints{"flusher: in memory only, and on behind a gap", 105},
    RecordedPoints{"topic create", 500, 730, 45},
    RecordedPoints{"topic delete", 135, 47, 8},
    RecordedPoints{"attach, flush, detach", 200, 138, 21},
    RecordedPoints{"cursor commit", 230, 123, 25},
    RecordedPoints{"ring replacement", 570, 470, 47},
    RecordedPoints{"ring replacement, a producer stopped", 740, 3400, 85},
    RecordedPoints{"orderly stop", 280, 41, 10},
    RecordedPoints{"adoption at restart", 740, 42, 9},
    RecordedPoints{"keeper take-over", 350, 50, 3},
    RecordedPoints{"topic create, keeper killed", 46},
    RecordedPoints{"ring replacement, keeper killed", 50},
    RecordedPoints{"attach, flush, detach, client killed", 70, 33, 11},
    RecordedPoints{"cursor commit, client killed", 78, 8, 6},
    RecordedPoints{"ring replacement, producer killed", 70, 150, 24},
    RecordedPoints{"ring replacement, consumer killed", 60, 46, 6},
};

inline const RecordedPoints& recorded(std::string_view operation) {
  for (const RecordedPoints& points : kRecordedPoints) {
    if (points.operation == operation) return points;
  }
  throw std::logic_error("no points are recorded of " + std::string(operation));
}

inline std::uint64_t recorded_points(std::string_view operation) {
  return recorded(operation).points;
}

}  // namespace ringway::proof
