#include <catch2/catch.hpp>

#include "tools/quickstart_run/latency.hpp"
#include "tools/quickstart_run/tally.hpp"

namespace ringway::quickstart::quickstart_tally_test {
namespace {

/// Counts records given as {sequence, offset}.
Tally counted(std::initializer_list<std::pair<std::uint64_t, std::uint64_t>> records) {
  Tally tally;
  for (const auto& [sequence, offset] : records) {
    tally.add({{0, sequence}, 1, offset, "key", "line " + std::to_string(sequence)});
  }
  return tally;
}

TEST_CASE("tally: the same records in the same places are equal", "[quickstart]") {
  const Tally input = counted({{0, 0}, {1, 1}, {2, 5}});
  CHECK(input.same_checksums(input));
  CHECK(input.lost(input) == 0);
  CHECK(input.doubled() == 0);
  CHECK(input.disordered() == 0);
  CHECK(input.end_offset(1) == 6);
  CHECK(input.end_offset(0) == 0);
}

TEST_CASE("tally: what is lost, doubled, swapped or misplaced is seen", "[quickstart]") {
  const Tally input = counted({{0, 0}, {1, 1}, {2, 2}});
  SECTION("lost in the middle") {
    const Tally seen = counted({{0, 0}, {2, 2}});
    CHECK(seen.lost(input) == 1);
    CHECK_FALSE(seen.same_checksums(input));
  }
  SECTION("lost at the end") {
    CHECK(counted({{0, 0}, {1, 1}}).lost(input) == 1);
  }
  SECTION("nothing seen at all") {
    CHECK(Tally().lost(input) == 3);
  }
  SECTION("doubled") {
    const Tally seen = counted({{0, 0}, {1, 1}, {1, 1}, {2, 2}});
    CHECK(seen.doubled() == 1);
    CHECK(seen.lost(input) == 0);
    CHECK_FALSE(seen.same_checksums(input));
  }
  SECTION("swapped") {
    const Tally seen = counted({{1, 1}, {0, 0}, {2, 2}});
    CHECK(seen.disordered() != 0);
    CHECK(seen.lost(input) == 0);
    CHECK_FALSE(seen.same_checksums(input));
  }
  SECTION("at another offset") {
    const Tally seen = counted({{0, 0}, {1, 1}, {2, 3}});
    CHECK(seen.lost(input) == 0);
    CHECK_FALSE(seen.same_checksums(input));
  }
}

TEST_CASE("latency: quantiles are true to a sixteenth", "[quickstart]") {
  LatencyHistogram histogram;
  CHECK(histogram.quantile(0.5) == 0);
  for (int i = 1; i <= 100; ++i) histogram.add(std::int64_t{i} * 1'000'000);
  CHECK(histogram.quantile(0.5) == Approx(50e6).epsilon(0.07));
  CHECK(histogram.quantile(0.99) == Approx(100e6).epsilon(0.07));
  histogram.add(-5);
  CHECK(histogram.quantile(0) <= 1);
}

}  // namespace
}  // namespace ringway::quickstart::quickstart_tally_test
