#include <catch2/catch.hpp>

#include "tools/bench/repeats.hpp"
#include "tools/bench/suite.hpp"

namespace ringway::cli::bench_suite_test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

/// Verbs that write nothing, and note what they had to spare.
class Verbs {
 public:
  void add(const std::string& name, const Demand& demand) {
    plan_.push_back(name);
    benchmarks_.push_back({.verb = name,
                           .why = "",
                           .examples = "",
                           .add_flags = [this, name, demand](CLI::App&) -> Configure {
                             return [this, name, demand] { return configured(name, demand); };
                           }});
  }
  Suite suite() const { return Suite(benchmarks_, plan_, {}); }
  const std::vector<std::uint64_t>& spare() const noexcept { return spare_; }

 private:
  Configured configured(const std::string& name, const Demand& demand) {
    return {.name = name, .about = "", .demand = demand, .measure = [this](Spare& spare) {
              spare_.push_back(spare.bytes());
              return BenchRows{};
            }};
  }

  std::vector<std::string> plan_;
  std::vector<Benchmark> benchmarks_;
  std::vector<std::uint64_t> spare_;
};

std::vector<std::uint64_t> spare_of(std::initializer_list<std::uint64_t> written) {
  Verbs verbs;
  for (const std::uint64_t bytes : written) {
    verbs.add("v" + std::to_string(bytes), {.written_bytes = bytes});
  }
  static_cast<void>(verbs.suite().measure(1min, [](std::size_t, const std::string&) {}));
  return verbs.spare();
}

TEST_CASE("bench: what nobody to come will write is there to spare, up to 3 GiB each", "[bench]") {
  // Nothing is written here: what the first ones did not need is there for the last.
  CHECK(spare_of({20 * kGiB, 19 * kGiB}) == std::vector{kGiB, 3 * kGiB});
  CHECK(spare_of({20 * kGiB, 20 * kGiB}) == std::vector{std::uint64_t{0}, 3 * kGiB});
  CHECK(spare_of({kGiB}) == std::vector{3 * kGiB});
}

TEST_CASE("bench: a plan that would write more than 40 GiB, or hold more than 16, is refused",
          "[bench]") {
  CHECK_THROWS_AS(spare_of({20 * kGiB, 20 * kGiB + 1}), Error);
  Verbs verbs;
  verbs.add("within", {.disk_bytes = 10 * kGiB, .memory_bytes = 3 * kGiB});
  CHECK(verbs.suite().demand().disk_bytes == 13 * kGiB);  // what it has to spare may be held, too
  verbs.add("beyond", {.disk_bytes = 10 * kGiB, .memory_bytes = 3 * kGiB + 1});
  CHECK_THROWS_AS(verbs.suite(), Error);
}

TEST_CASE("bench: repeats are done again for as long as there is something to spare", "[bench]") {
  Spare spare(5);
  bool far = false;
  const Turns turns = take_turns(
      {[] { return Measured{}; }}, 4,
      [&] {
        far = !far;
        return far ? 200.0 : 50.0;
      },
      [&] { return spare.take(2); });
  CHECK(turns.redone == 2);
  CHECK(turns.kept.size() == 4);
  CHECK(spare.bytes() == 1);
}

}  // namespace
}  // namespace ringway::cli::bench_suite_test
