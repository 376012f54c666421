#include <catch2/catch.hpp>
#include <limits>
#include <vector>

#include "log/trim.hpp"

namespace ringway::log::log_trim_test {
namespace {

constexpr std::uint64_t kNobody = std::numeric_limits<std::uint64_t>::max();

/// Four segments of 10 records, of the times 100 to 109, 200 to 209, ...
std::vector<SegmentInfo> four() {
  std::vector<SegmentInfo> segments(4);
  for (std::uint64_t i = 0; i < segments.size(); ++i) {
    segments[i].first.offset = 10 * i;
    segments[i].end.offset = 10 * (i + 1);
    segments[i].time_min = static_cast<std::int64_t>(100 * (i + 1));
    segments[i].time_max = segments[i].time_min + 9;
  }
  return segments;
}

TrimDecision by_offset(std::uint64_t offset, std::uint64_t protected_offset = kNobody) {
  return decide_trim(four(), {.offset = offset}, protected_offset);
}
TrimDecision by_time(std::int64_t time_ns) {
  return decide_trim(four(), {.time_ns = time_ns}, kNobody);
}

}  // namespace

TEST_CASE("trim: only whole segments before an offset go", "[log]") {
  CHECK(by_offset(0) == TrimDecision{0, TrimStop::limit});
  CHECK(by_offset(9) == TrimDecision{0, TrimStop::within});
  CHECK(by_offset(10) == TrimDecision{1, TrimStop::limit});
  CHECK(by_offset(25) == TrimDecision{2, TrimStop::within});
  CHECK(by_offset(30) == TrimDecision{3, TrimStop::limit});
}

TEST_CASE("trim: the last never goes", "[log]") {
  CHECK(by_offset(31) == TrimDecision{3, TrimStop::last});
  CHECK(by_offset(kNobody) == TrimDecision{3, TrimStop::last});
  CHECK(decide_trim({}, {.offset = 5}, kNobody) == TrimDecision{0, TrimStop::limit});
}

TEST_CASE("trim: before a time, by the latest record of a segment", "[log]") {
  CHECK(by_time(100) == TrimDecision{0, TrimStop::limit});
  CHECK(by_time(109) == TrimDecision{0, TrimStop::within});
  CHECK(by_time(110) == TrimDecision{1, TrimStop::limit});
  CHECK(by_time(1000) == TrimDecision{3, TrimStop::last});
  // One without a record is no obstacle.
  auto segments = four();
  segments[0].end = segments[0].first;
  segments[0].time_min = segments[0].time_max = kNoTime;
  CHECK(decide_trim(segments, {.time_ns = 210}, kNobody) == TrimDecision{2, TrimStop::limit});
}

TEST_CASE("trim: what a cursor protects stays", "[log]") {
  CHECK(by_offset(30, 15) == TrimDecision{1, TrimStop::cursor});
  CHECK(by_offset(30, 0) == TrimDecision{0, TrimStop::cursor});
  CHECK(by_offset(30, 30) == TrimDecision{3, TrimStop::limit});
}

}  // namespace ringway::log::log_trim_test
