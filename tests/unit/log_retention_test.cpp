#include <catch2/catch.hpp>
#include <vector>

#include "log/retention.hpp"

namespace ringway::log::log_retention_test {
namespace {

/// Four segments of 100 bytes and 10 records, last written at 1000, 2000, 3000 and 4000.
std::vector<SegmentInfo> four() {
  std::vector<SegmentInfo> segments(4);
  for (std::uint64_t i = 0; i < segments.size(); ++i) {
    segments[i].first.offset = 10 * i;
    segments[i].end.offset = 10 * (i + 1);
    segments[i].file_bytes = 100;
    segments[i].written_at_ns = static_cast<std::int64_t>(1000 * (i + 1));
  }
  return segments;
}

}  // namespace

TEST_CASE("retention: decided by a table of cases", "[log]") {
  const auto segments = four();
  RetentionLimits limits;
  RetentionFacts facts;
  facts.now_ns = 5000;

  SECTION("without limits everything stays") {
    CHECK(decide_retention(segments, limits, facts) == RetentionDecision{0, Keeps::limits});
  }
  SECTION("bytes: as many go as bring the rest within the limit") {
    limits.bytes = 250;
    CHECK(decide_retention(segments, limits, facts) == RetentionDecision{2, Keeps::limits, {2}});
    limits.bytes = 400;
    CHECK(decide_retention(segments, limits, facts) == RetentionDecision{0, Keeps::limits});
  }
  SECTION("the last never goes") {
    limits.bytes = 1;
    CHECK(decide_retention(segments, limits, facts) == RetentionDecision{3, Keeps::last, {3}});
  }
  SECTION("age counts from the last write") {
    limits.age_ns = 2500;
    CHECK(decide_retention(segments, limits, facts) == RetentionDecision{2, Keeps::limits, {0, 2}});
  }
  SECTION("free space: only as many as bring it back") {
    limits.free_bytes_min = 1000;
    facts.free_bytes = 850;
    CHECK(decide_retention(segments, limits, facts) ==
          RetentionDecision{2, Keeps::limits, {0, 0, 2}});
    facts.free_bytes = 1000;
    CHECK(decide_retention(segments, limits, facts) == RetentionDecision{0, Keeps::limits});
  }
  SECTION("of several that ask for a segment, one counts: bytes before age, and the disk last") {
    limits = {.bytes = 300, .age_ns = 2500, .free_bytes_min = 1000};
    facts.free_bytes = 750;
    CHECK(decide_retention(segments, limits, facts) ==
          RetentionDecision{3, Keeps::limits, {1, 1, 1}});
  }
  SECTION("a protecting cursor holds the segment it reads") {
    limits.bytes = 1;
    facts.protected_offset = 15;
    CHECK(decide_retention(segments, limits, facts) == RetentionDecision{1, Keeps::cursor, {1}});
    facts.protected_offset = 20;
    CHECK(decide_retention(segments, limits, facts) == RetentionDecision{2, Keeps::cursor, {2}});
  }
  SECTION("no segments, no decision") {
    limits.bytes = 1;
    CHECK(decide_retention({}, limits, facts) == RetentionDecision{0, Keeps::limits});
  }
}

}  // namespace ringway::log::log_retention_test
