#include <catch2/catch.hpp>

#include "tools/bench/result.hpp"

namespace ringway::cli::bench_result_test {
namespace {

using std::chrono::nanoseconds;

Durations up_to(int count) {
  Durations durations;
  for (int i = count; i > 0; --i) durations.add(nanoseconds(i));
  return durations;
}

BenchResult result_of(std::initializer_list<int> sizes, std::chrono::nanoseconds below) {
  BenchResult result{.name = "b",
                     .about = "a",
                     .settings = {},
                     .runs = {},
                     .target = BenchResult::Target{0.99, below}};
  for (const int size : sizes) {
    result.runs.push_back({{"first", "it", up_to(size)}, {"second", "beside", up_to(1)}});
  }
  return result;
}

TEST_CASE("bench: a quantile is the smallest duration that so many do not exceed", "[bench]") {
  CHECK(up_to(100).quantile(0.5).count() == 50);
  CHECK(up_to(100).quantile(0.99).count() == 99);
  CHECK(up_to(101).quantile(0.99).count() == 100);
  CHECK(up_to(3).quantile(0.5).count() == 2);
  CHECK(up_to(1).quantile(0.5).count() == 1);
  CHECK(up_to(200).max().count() == 200);
  CHECK(Durations().max().count() == 0);
}

TEST_CASE("bench: the median of the runs is judged, not the best and not all together", "[bench]") {
  const BenchResult result = result_of({1000, 100, 300}, nanoseconds(298));
  CHECK(result.judged().count() == 297);
  CHECK(result.passed() == true);
  CHECK(result_of({1000, 100, 300}, nanoseconds(297)).passed() == false);
  const Json json = result.json();
  CHECK(json["samples"] == 1400);
  CHECK(json["max_ns"] == 1000);
  CHECK(json["judged"] == 297);
  CHECK(json["runs"][1]["p99_ns"] == 99);
  CHECK(json["second"]["samples"] == 3);
}

TEST_CASE("bench: what has no target is neither passed nor missed", "[bench]") {
  BenchResult result = result_of({10}, nanoseconds(1));
  result.target.reset();
  CHECK_FALSE(result.passed());
  CHECK(result.json()["target"].is_null());
  CHECK(result.json()["pass"].is_null());
}

TEST_CASE("bench: durations have the fields of a comparison, null where they say nothing",
          "[bench]") {
  const Json json = result_of({1000}, nanoseconds(2000)).json();
  for (const char* name :
       {"records_per_s", "bytes_per_s", "cpu_ns_per_record", "limit", "ratio"}) {
    CHECK((json.contains(name) && json[name].is_null()));
  }
  CHECK(json["p999_ns"] == 999);
  CHECK(json["runs"][0]["p999_ns"] == 999);
  CHECK(json["target"] == 2000);
}

}  // namespace
}  // namespace ringway::cli::bench_result_test
