#include <catch2/catch.hpp>

#include "tools/bench/repeats.hpp"

namespace ringway::cli::bench_repeats_test {
namespace {

using Lines = std::vector<std::optional<double>>;

/// Gives one after the other, and the last one for ever.
class LineTimes {
 public:
  explicit LineTimes(Lines lines) : lines_(std::move(lines)) {}
  std::optional<double> operator()() {
    const std::size_t at = std::min(next_, lines_.size() - 1);
    ++next_;
    return lines_[at];
  }

 private:
  Lines lines_;
  std::size_t next_ = 0;
};

Measured measured(double records_per_s, std::string variant = "v") {
  Measured one{.figures = {}, .variant = std::move(variant)};
  one.figures.records_per_s = records_per_s;
  return one;
}

TEST_CASE("bench: contenders take turns, each with a look at the line around", "[bench]") {
  std::string order;
  const auto play = [&order](char who) -> Measure {
    return [&order, who] {
      order += who;
      return measured(1);
    };
  };
  const Turns turns = take_turns({play('A'), play('B')}, 3, [&order] {
    order += '-';
    return 50.0;
  });
  CHECK(order == "-AB--AB--AB-");
  CHECK(turns.kept.size() == 3);
  CHECK(turns.redone == 0);
}

TEST_CASE("bench: a line that moved by a quarter is steady, by more it is not", "[bench]") {
  CHECK(steady(40, 50));
  CHECK(steady(50, 40));
  CHECK_FALSE(steady(40, 50.1));
  CHECK_FALSE(steady(50.1, 40));
  CHECK_FALSE(steady(std::nullopt, 40));
  CHECK_FALSE(steady(40, std::nullopt));
}

TEST_CASE("bench: a repeat within which the cores moved is done again", "[bench]") {
  LineTimes line({50, 200, 200, 210, 50, 55});
  double next = 0;
  const Turns turns = take_turns({[&] { return measured(++next); }}, 2, line);
  REQUIRE(turns.kept.size() == 2);
  CHECK(turns.redone == 1);
  CHECK(*turns.kept[0].of[0].figures.records_per_s == 2);
  CHECK(*turns.kept[0].line_after_ns == 210);
  CHECK((turns.kept[0].steady && turns.kept[1].steady));
}

TEST_CASE("bench: a repeat within which the limit moved is done again", "[bench]") {
  std::vector<double> limits{100, 400, 100, 126, 100, 80, 101, 100};
  std::size_t next = 0;
  const auto limit = [&] { return measured(limits.at(next++)); };
  int ours = 0;
  const Turns turns = take_turns({limit, [&] { return measured(++ours); }}, 2, [] { return 50.0; },
                                 [] { return true; },
                                 LimitAgain{limit, figure::records_per_s});
  CHECK(turns.redone == 2);
  REQUIRE(turns.kept.size() == 2);
  CHECK(turns.kept[0].of[0].more["after"] == 80);
  CHECK(*turns.kept[0].of[1].figures.records_per_s == 3);
  CHECK(turns.kept[1].of[0].more["after"] == 100);
  CHECK((turns.kept[0].steady && turns.kept[1].steady));
}

TEST_CASE("bench: repeats are done again as often as there are, then kept and marked", "[bench]") {
  bool far = false;
  const Turns turns = take_turns({[] { return measured(1); }}, 3, [&] {
    far = !far;
    return far ? 200.0 : 50.0;
  });
  CHECK(turns.redone == 3);
  REQUIRE(turns.kept.size() == 3);
  for (const Turn& turn : turns.kept) CHECK_FALSE(turn.steady);
}

TEST_CASE("bench: the limit is the best of its variants, whoever was not measured", "[bench]") {
  const std::vector<Measured> variants{Measured{.figures = {}, .variant = "none"},
                                       measured(1, "slow"), measured(3, "fast"),
                                       measured(2, "middle")};
  CHECK(best_of(variants, figure::records_per_s, Comparison::Better::higher).variant == "fast");
  CHECK(best_of(variants, figure::records_per_s, Comparison::Better::lower).variant == "slow");
  const Json told = best_of(variants, figure::records_per_s, Comparison::Better::higher).more;
  CHECK(told["variants"] ==
        Json{{"none", nullptr}, {"slow", 1.0}, {"fast", 3.0}, {"middle", 2.0}});
  CHECK(told["variants_of"] == "records_per_s");
  CHECK(best_of({variants[0]}, figure::records_per_s, Comparison::Better::lower).variant == "none");
}

TEST_CASE("bench: each repeat is compared with the limit of its own turn", "[bench]") {
  double limit = 100, ours = 80;
  const Turns turns = take_turns(
      {[&] { return measured(limit *= 2, "L"); }, [&] { return measured(ours *= 2, "O"); }}, 2,
      [] { return 50.0; });
  Comparison row;
  compare(row, turns, 1, 0, figure::records_per_s);
  REQUIRE(row.repeats.size() == 2);
  CHECK(row.repeats[1].ratio == 0.8);
  CHECK(row.repeats[1].variant == "L");
  CHECK(row.ratio_of == "records_per_s");
}

}  // namespace
}  // namespace ringway::cli::bench_repeats_test
