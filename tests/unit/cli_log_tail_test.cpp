#include <catch2/catch.hpp>
#include <vector>

#include "log_fixture.hpp"
#include "tools/log_tail.hpp"

namespace cli_log_tail_test {

using namespace ringway;
using test::LogBench;

namespace {

std::vector<std::uint64_t> last_offsets(LogBench& bench, std::size_t count,
                                        std::uint64_t below = cli::kAnyOffset) {
  std::vector<std::uint64_t> offsets;
  for (const auto& record : cli::tail_of_log(bench.disk, test::kPath, count, below).records) {
    offsets.push_back(record.offset);
  }
  return offsets;
}

using Offsets = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("log tail: the last records, of several segments", "[cli]") {
  LogBench bench;
  for (int round = 0; round < 30; ++round) {
    bench.add(10);
    bench.driver->drain();
  }
  REQUIRE(bench.recover().segments.size() > 1);
  CHECK(last_offsets(bench, 3) == Offsets{297, 298, 299});
  CHECK(last_offsets(bench, 1000).size() == 300);
  CHECK(last_offsets(bench, 0).empty());
}

TEST_CASE("log tail: only what is below an offset", "[cli]") {
  LogBench bench;
  for (int round = 0; round < 30; ++round) {
    bench.add(10);
    bench.driver->drain();
  }
  const std::uint64_t second = bench.recover().segments.at(1).first.offset;
  CHECK(last_offsets(bench, 2, 299) == Offsets{297, 298});
  CHECK(last_offsets(bench, 2, second) == Offsets{second - 2, second - 1});
  CHECK(last_offsets(bench, 2, second + 1) == Offsets{second - 1, second});
  CHECK(last_offsets(bench, 9, 2) == Offsets{0, 1});
  CHECK(last_offsets(bench, 9, 0).empty());
}

TEST_CASE("log tail: skips are walked over, and no record before them is left out", "[cli]") {
  LogBench bench;
  bench.add(60);
  bench.driver->drain();
  for (int block = 0; block < 2; ++block) bench.source.skip(128 * layout::kUnitBytes, 128);
  bench.add(1);
  bench.driver->drain();
  bench.add(100);
  bench.driver->drain();
  REQUIRE(bench.recover().segments.size() > 1);  // the first has a table of its blocks
  CHECK(last_offsets(bench, 3, 317) == Offsets{58, 59, 316});
}

}  // namespace cli_log_tail_test
