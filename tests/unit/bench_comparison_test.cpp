#include <catch2/catch.hpp>

#include "tools/bench/comparison.hpp"
#include "tools/bench/median.hpp"

namespace ringway::cli::bench_comparison_test {
namespace {

Figures rate(double records_per_s) {
  Figures figures;
  figures.records_per_s = records_per_s;
  return figures;
}

Comparison row_of(std::initializer_list<std::pair<double, double>> ours_and_limits) {
  Comparison row;
  row.name = "r";
  row.ratio_of = figure::records_per_s.name;
  row.target = 0.9;
  for (const auto& [ours, limit] : ours_and_limits) {
    row.repeats.push_back({.figures = rate(ours),
                           .limit = rate(limit),
                           .variant = limit > 100 ? "fast" : "plain",
                           .line_before_ns = 50,
                           .line_after_ns = 60,
                           .steady = true,
                           .ratio = ratio_between(figure::records_per_s, rate(ours), rate(limit)),
                           .more = Json::object(),
                           .limit_more = Json{{"variants", {{"plain", limit}}},
                                              {"variants_of", "records_per_s"}}});
  }
  return row;
}

TEST_CASE("bench: the median is the middle one, or half-way between two", "[bench]") {
  CHECK(median({3, 1, 2}) == 2.0);
  CHECK(median({4, 1, 2, 3}) == 2.5);
  CHECK_FALSE(median({}).has_value());
}

TEST_CASE("bench: the ratio is the median of the repeats' own, not of their figures", "[bench]") {
  // The medians of the figures are 100 and 100.
  const Comparison row = row_of({{50, 100}, {100, 200}, {200, 100}, {100, 50}, {45, 100}});
  CHECK(row.ratio() == 0.5);
  CHECK(row.ratio_min() == 0.45);
  CHECK(row.ratio_max() == 2.0);
  CHECK(row.passed() == false);
}

TEST_CASE("bench: what is as good as the target passes", "[bench]") {
  Comparison row = row_of({{90, 100}, {90, 100}, {90, 100}, {90, 100}, {90, 100}});
  CHECK(row.passed() == true);
  row.target = 0.901;
  CHECK(row.passed() == false);
  row.better = Comparison::Better::lower;
  CHECK(row.passed() == true);
  row.target = 0.899;
  CHECK(row.passed() == false);
}

TEST_CASE("bench: a limit is judged by its best repeat", "[bench]") {
  Comparison row = row_of({{10, 100}, {10, 100}, {95, 100}, {10, 100}, {10, 100}});
  CHECK(row.passed() == false);
  row.judged = Comparison::Judged::best;
  CHECK(row.passed() == true);
  row.repeats[0].ratio.reset();
  CHECK(row.passed() == true);
  row.better = Comparison::Better::lower;
  row.target = 0.1;
  CHECK(row.passed() == true);
}

TEST_CASE("bench: fewer repeats than five are shown, but not judged", "[bench]") {
  const Comparison row = row_of({{90, 100}, {90, 100}, {90, 100}, {90, 100}});
  CHECK(row.ratio() == 0.9);
  CHECK_FALSE(row.passed().has_value());
  CHECK(row.json()["pass"].is_null());
  CHECK(row.table(Style::plain).find("not judged") != std::string::npos);
}

TEST_CASE("bench: what is less than was promised of is shown, but not judged", "[bench]") {
  Comparison row = row_of({{90, 100}, {90, 100}, {90, 100}, {90, 100}, {90, 100}});
  CHECK(row.json()["not_judged"].is_null());
  row.not_judged = "takes 8 GiB";
  CHECK_FALSE(row.passed().has_value());
  CHECK(row.json()["ratio"] == 0.9);
  CHECK(row.json()["not_judged"] == "takes 8 GiB");
  CHECK(row.table(Style::plain).find("not judged: takes 8 GiB") != std::string::npos);
}

TEST_CASE("bench: a repeat without a ratio leaves the row unjudged", "[bench]") {
  Comparison row = row_of({{90, 100}, {90, 100}, {90, 100}, {90, 100}, {90, 100}});
  row.repeats[2].figures = {};
  row.repeats[2].ratio.reset();
  CHECK_FALSE(row.passed().has_value());
  CHECK(row.json()["runs"][2]["records_per_s"].is_null());
  CHECK(row.json()["records_per_s"] == 90);
}

TEST_CASE("bench: there is no ratio to a limit that is missing or nothing", "[bench]") {
  CHECK(ratio_between(figure::records_per_s, rate(1), rate(2)) == 0.5);
  CHECK_FALSE(ratio_between(figure::records_per_s, rate(1), std::nullopt).has_value());
  CHECK_FALSE(ratio_between(figure::records_per_s, rate(1), rate(0)).has_value());
  CHECK_FALSE(ratio_between(figure::p50_ns, rate(1), rate(1)).has_value());
}

TEST_CASE("bench: JSON has every figure, null where it was not measured", "[bench]") {
  Comparison row = row_of({{95, 100}, {95, 101}, {95, 102}, {95, 99}, {95, 98}});
  row.slot_bytes = 96;
  row.ring_bytes = 1 << 20;
  row.settings["claim"] = 1;
  const Json json = row.json();
  CHECK(json["name"] == "r");
  CHECK(json["settings"]["claim"] == 1);
  CHECK(json["records_per_s"] == 95);
  for (const char* name : {"bytes_per_s", "p50_ns", "p99_ns", "p999_ns", "cpu_ns_per_record"}) {
    CHECK((json.contains(name) && json[name].is_null()));
    CHECK((json["limit"].contains(name) && json["limit"][name].is_null()));
  }
  CHECK(json["limit"]["records_per_s"] == 100);
  CHECK(json["limit"]["variant"] == "plain");
  CHECK(json["limit"]["slot_bytes"] == 96);
  CHECK(json["limit"]["ring_bytes"] == 1 << 20);
  CHECK(json["limit"]["line_ns"] == Json{{"before", 50.0}, {"after", 60.0}});
  CHECK(json["ratio"] == 0.95);
  CHECK(json["ratio_min"] == 0.931);
  CHECK(json["ratio_max"] == 0.969);
  CHECK(json["better"] == "higher");
  CHECK(json["target"] == 0.9);
  CHECK(json["pass"] == true);
  CHECK(json["runs"].size() == 5);
  CHECK(json["runs"][1]["limit"]["variant"] == "fast");
  CHECK(json["runs"][1]["limit"]["variants"]["plain"] == 101);
  CHECK(json["runs"][0]["line_ns"]["after"] == 60);
}

TEST_CASE("bench: what a limit is the best of stands there in the median, variant by variant",
          "[bench]") {
  Comparison row = row_of({{95, 100}, {95, 100}, {95, 100}});
  const Json told[] = {{{"plain", 10}, {"held back", 30}},
                       {{"plain", 40}, {"held back", nullptr}},
                       {{"plain", 20}, {"held back", 50}}};
  for (std::size_t i = 0; i < std::size(told); ++i) {
    row.repeats[i].limit_more = {{"variants", told[i]}, {"variants_of", "records_per_s"}};
  }
  CHECK(row.json()["limit"]["variants"] ==
        Json::array({{{"variant", "plain"}, {"records_per_s", 20.0}},
                     {{"variant", "held back"}, {"records_per_s", 40.0}}}));
  CHECK(row.json()["variants"] == Json::array());
  CHECK(row.table(Style::plain).find("variants, in the median:\n") != std::string::npos);
  for (Repeat& repeat : row.repeats) std::swap(repeat.more, repeat.limit_more);
  CHECK(row.json()["variants"].size() == 2);
  CHECK(row.json()["limit"]["variants"] == Json::array());
}

TEST_CASE("bench: a row that was not measured says why, and neither passes nor misses", "[bench]") {
  Comparison row;
  row.name = "r";
  row.target = 0.9;
  row.not_measured = "needs two CPUs";
  CHECK(row.json()["not_measured"] == "needs two CPUs");
  CHECK(row.json()["pass"].is_null());
  CHECK(row.json()["ratio"].is_null());
  CHECK(row.json()["limit"].is_null());
  CHECK(row.table(Style::plain).find("not measured: needs two CPUs") != std::string::npos);
}

}  // namespace
}  // namespace ringway::cli::bench_comparison_test
