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

/// Kill points that each operation has at least on any machine: about four fifths of what a release
/// build of GCC 12 was counted to have. Counted are those before an instruction of Ringway's own,
/// as libraries have what they choose for processor and kernel (Puppet::in_own_code()); of the
/// flusher the boundaries, not what chance adds. Without optimization there are more. Of whole
/// processes system call boundaries are counted: half of the fewest that were seen, as the traffic
/// beside them adds the more the slower the machine is.
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
    RecordedPoints{"topic delete", 200},
    RecordedPoints{"attach, flush, detach", 250},
    RecordedPoints{"cursor commit", 200},
    RecordedPoints{"ring replacement", 400},
    RecordedPoints{"ring replacement, a producer stopped", 600},
    RecordedPoints{"orderly stop", 180},
    RecordedPoints{"adoption at restart", 600},
    RecordedPoints{"keeper take-over", 200},
    RecordedPoints{"topic create, keeper killed", 100},
    RecordedPoints{"ring replacement, keeper killed", 70},
};

inline std::uint64_t recorded_points(std::string_view operation) {
  for (const RecordedPoints& recorded : kRecordedPoints) {
    if (recorded.operation == operation) return recorded.points;
  }
  throw std::logic_error("no points are recorded of " + std::string(operation));
}

}  // namespace ringway::proof
