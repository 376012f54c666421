#include "tools/bench/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

#include "tools/bench/figure_text.hpp"
#include "tools/bench/median.hpp"
#include "tools/bench/setting_text.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli {
namespace {

/// Of the repeats in which it was measured.
template <class Look>
std::optional<double> median_of(const std::vector<Repeat>& repeats, Look&& look) {
  std::vector<double> values;
  for (const Repeat& repeat : repeats) {
    if (const std::optional<double> value = look(repeat)) values.push_back(*value);
  }
  return median(std::move(values));
}

Figures medians(const std::vector<Repeat>& repeats) {
  Figures all;
  for (const Figure& each : figure::all) {
    all.*each.value =
        median_of(repeats, [&](const Repeat& repeat) { return repeat.figures.*each.value; });
  }
  return all;
}

Figures limit_medians(const std::vector<Repeat>& repeats) {
  Figures all;
  for (const Figure& each : figure::all) {
    all.*each.value = median_of(repeats, [&](const Repeat& repeat) {
      return repeat.limit ? (*repeat.limit).*each.value : std::nullopt;
    });
  }
  return all;
}

Json line_json(const std::optional<double>& before, const std::optional<double>& after) {
  return {{"before", json_number(before)}, {"after", json_number(after)}};
}

/// The variant that was best most often.
std::string usual_variant(const std::vector<Repeat>& repeats) {
  std::map<std::string, int> times;
  for (const Repeat& repeat : repeats) ++times[repeat.variant];
  const auto fewer = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto most = std::max_element(times.begin(), times.end(), fewer);
  return most == times.end() ? std::string() : most->first;
}

/// One of several that the best was taken of, and what it reached in the median of the repeats.
struct ToldVariant {
  std::string name;
  std::optional<double> reached;
};
struct ToldVariants {
  std::string figure;
  std::vector<ToldVariant> all;
};

std::optional<double> reached_by(const std::string& variant, const Json& told) {
  const Json& all = told.contains("variants") ? told["variants"] : Json();
  const auto one = all.find(variant);
  if (one == all.end() || !one->is_number()) return std::nullopt;
  return one->get<double>();
}

/// As best_of() told in each repeat: of the limit, or of what stands for itself. None where there
/// was nothing to choose from.
ToldVariants variants_of(const std::vector<Repeat>& repeats, Json Repeat::* told) {
  const auto first = std::ranges::find_if(
      repeats, [&](const Repeat& repeat) { return (repeat.*told).contains("variants"); });
  if (first == repeats.end()) return {};
  const Json& names = (*first.*told)["variants"];
  ToldVariants variants{(*first.*told)["variants_of"].get<std::string>(), {}};
  for (const auto& [name, ignored] : names.items()) {
    variants.all.push_back({name, median_of(repeats, [&](const Repeat& repeat) {
                              return reached_by(name, repeat.*told);
                            })});
  }
  return variants;
}

Json json_of(const ToldVariants& variants) {
  Json json = Json::array();
  for (const ToldVariant& each : variants.all) {
    json.push_back({{"variant", each.name}, {variants.figure, json_number(each.reached)}});
  }
  return json;
}

std::string text_of(const ToldVariants& variants) {
  std::string text;
  for (const ToldVariant& each : variants.all) {
    text += fmt::format("{:>14}  {}\n", figure_text(variants.figure, each.reached), each.name);
  }
  return text.empty() ? text : "variants, in the median:\n" + text;
}

Json run_json(const Repeat& repeat) {
  Json json = json_of(repeat.figures);
  json.update(repeat.more);
  if (repeat.limit) {
    json["limit"] = json_of(*repeat.limit);
    json["limit"]["variant"] = repeat.variant;
    json["limit"].update(repeat.limit_more);
  } else {
    json["limit"] = nullptr;
  }
  json["line_ns"] = line_json(repeat.line_before_ns, repeat.line_after_ns);
  json["steady"] = repeat.steady;
  json["ratio"] = json_number(repeat.ratio);
  return json;
}

std::string number_text(const std::optional<double>& value, const char* format) {
  return value ? fmt::format(fmt::runtime(format), *value) : kNotMeasured;
}

std::string verdict_text(const Comparison& row) {
  if (const std::optional<bool> passed = row.passed()) return *passed ? "pass" : "miss";
  if (!row.not_judged.empty()) return "not judged: " + row.not_judged;
  if (row.repeats.size() >= kRepeatsJudged) return "not judged: a repeat was not measured";
  return fmt::format("not judged: takes {} repeats", kRepeatsJudged);
}

struct Heading {
  Figure figure;
  const char* ours;
  bool limits;  // whether the limit has it, too
};
constexpr Heading kHeadings[] = {{figure::records_per_s, "RECORDS", false},
                                 {figure::bytes_per_s, "BYTES", false},
                                 {figure::p50_ns, "P50", false},
                                 {figure::p99_ns, "P99", false},
                                 {figure::p999_ns, "P99.9", false},
                                 {figure::cpu_ns_per_record, "CPU/RECORD", false}};

/// The headings whose figures anybody measured: others would fill the table with nothing.
std::vector<Heading> shown(const std::vector<Repeat>& repeats) {
  std::vector<Heading> all;
  for (Heading heading : kHeadings) {
    bool there = false;
    for (const Repeat& repeat : repeats) {
      there |= (repeat.figures.*heading.figure.value).has_value();
      heading.limits |= repeat.limit && ((*repeat.limit).*heading.figure.value).has_value();
    }
    if (there) all.push_back(heading);
  }
  return all;
}

/// What a row says of one repeat, under the headings; the same order as columns_of().
std::vector<Cell> cells_of(const Repeat& repeat, const std::vector<Heading>& headings,
                           bool has_ratio) {
  std::vector<Cell> cells;
  for (const Heading& heading : headings) {
    const std::string name = heading.figure.name;
    cells.push_back(Cell::of_text(figure_text(name, repeat.figures.*heading.figure.value)));
    if (!heading.limits) continue;
    const Figures limit = repeat.limit.value_or(Figures{});
    cells.push_back(Cell::of_text(figure_text(name, limit.*heading.figure.value)));
  }
  if (has_ratio) cells.push_back(Cell::of_text(number_text(repeat.ratio, "{:.3f}")));
  for (const auto& line : {repeat.line_before_ns, repeat.line_after_ns}) {
    cells.push_back(Cell::of_text(figure_text("line_ns", line)));
  }
  cells.push_back(Cell::of_text(repeat.variant + (repeat.steady ? "" : " (unsteady)")));
  return cells;
}

std::vector<Column> columns_of(const std::vector<Heading>& headings, bool has_ratio,
                               bool has_limit) {
  std::vector<Column> columns{{"REPEAT", "repeat"}};
  for (const Heading& heading : headings) {
    columns.push_back({heading.ours, heading.figure.name, Align::right});
    if (heading.limits) columns.push_back({"LIMIT'S", "limit", Align::right});
  }
  if (has_ratio) columns.push_back({"RATIO", "ratio", Align::right});
  columns.push_back({"LINE BEFORE", "before", Align::right});
  columns.push_back({"AFTER", "after", Align::right});
  columns.push_back({has_limit ? "BEST LIMIT" : "VARIANT", "variant"});
  return columns;
}

}  // namespace

std::optional<double> ratio_between(const Figure& figure, const Figures& ours,
                                    const std::optional<Figures>& limit) {
  if (!limit) return std::nullopt;
  const std::optional<double>& above = ours.*figure.value;
  const std::optional<double>& below = (*limit).*figure.value;
  if (!above || !below || *below == 0) return std::nullopt;
  return *above / *below;
}

std::optional<double> Comparison::ratio() const {
  return median_of(repeats, [](const Repeat& repeat) { return repeat.ratio; });
}

std::optional<double> Comparison::ratio_min() const {
  std::optional<double> least;
  for (const Repeat& repeat : repeats) {
    if (repeat.ratio) least = std::min(least.value_or(*repeat.ratio), *repeat.ratio);
  }
  return least;
}

std::optional<double> Comparison::ratio_max() const {
  std::optional<double> most;
  for (const Repeat& repeat : repeats) {
    if (repeat.ratio) most = std::max(most.value_or(*repeat.ratio), *repeat.ratio);
  }
  return most;
}

std::optional<bool> Comparison::passed() const {
  const auto measured = static_cast<std::size_t>(std::count_if(
      repeats.begin(), repeats.end(), [](const auto& each) { return each.ratio.has_value(); }));
  const std::size_t wanted = judged == Judged::median ? repeats.size() : 1;
  if (!target || !not_judged.empty() || repeats.size() < kRepeatsJudged || measured < wanted) {
    return std::nullopt;
  }
  if (better == Better::higher) {
    return (judged == Judged::median ? *ratio() : *ratio_max()) >= *target;
  }
  return (judged == Judged::median ? *ratio() : *ratio_min()) <= *target;
}

Json Comparison::json() const {
  Json json{{"name", name}, {"about", about}, {"settings", settings}};
  json.update(json_of(medians(repeats)));
  const bool has_limit =
      std::any_of(repeats.begin(), repeats.end(), [](const auto& each) { return each.limit; });
  if (has_limit) {
    json["limit"] = json_of(limit_medians(repeats));
    json["limit"]["variant"] = usual_variant(repeats);
    json["limit"]["variants"] = json_of(variants_of(repeats, &Repeat::limit_more));
    json["limit"]["slot_bytes"] = slot_bytes != 0 ? Json(slot_bytes) : Json();
    json["limit"]["ring_bytes"] = ring_bytes != 0 ? Json(ring_bytes) : Json();
    json["limit"]["line_ns"] =
        line_json(median_of(repeats, [](const Repeat& each) { return each.line_before_ns; }),
                  median_of(repeats, [](const Repeat& each) { return each.line_after_ns; }));
  } else {
    json["limit"] = nullptr;
  }
  json["variants"] = json_of(variants_of(repeats, &Repeat::more));
  json["ratio"] = json_number(ratio());
  json["ratio_min"] = json_number(ratio_min());
  json["ratio_max"] = json_number(ratio_max());
  json["ratio_of"] = ratio_of.empty() ? Json() : Json(ratio_of);
  json["better"] = better == Better::higher ? "higher" : "lower";
  json["target"] = json_number(target);
  json["judged"] = judged == Judged::median ? "median" : "best";
  json["pass"] = passed() ? Json(*passed()) : Json();
  json["not_measured"] = not_measured.empty() ? Json() : Json(not_measured);
  json["not_judged"] = not_judged.empty() ? Json() : Json(not_judged);
  json["redone"] = redone;
  json["runs"] = Json::array();
  for (const Repeat& repeat : repeats) json["runs"].push_back(run_json(repeat));
  return json;
}

std::string Comparison::table(Style style) const {
  std::string text = fmt::format("{}: {}\n  {}\n", name, about, setting_text(settings));
  if (repeats.empty()) return text + fmt::format("{}: {}\n", kNotMeasured, not_measured);
  const std::vector<Heading> headings = shown(repeats);
  const bool has_limit = std::any_of(headings.begin(), headings.end(),
                                     [](const Heading& heading) { return heading.limits; });
  Rows rows(columns_of(headings, !ratio_of.empty(), has_limit));
  for (std::size_t i = 0; i < repeats.size(); ++i) {
    std::vector<Cell> cells{Cell::of_text(fmt::format("{}", i + 1))};
    std::ranges::move(cells_of(repeats[i], headings, !ratio_of.empty()), std::back_inserter(cells));
    rows.add(std::move(cells));
  }
  text += rows.render(Format::table, style);
  text += text_of(variants_of(repeats, &Repeat::more));
  if (has_limit) text += text_of(variants_of(repeats, &Repeat::limit_more));
  if (redone != 0)
    text += fmt::format("{} done again, as not steady\n", counted(redone, "repeat"));
  if (ratio()) {
    text += fmt::format("ratio of {}: {:.3f} in the median of {}, {:.3f} to {:.3f}\n", ratio_of,
                        *ratio(), counted(repeats.size(), "repeat"), *ratio_min(), *ratio_max());
  }
  if (target) {
    text += fmt::format(
        "target: {} {} in {}: {}\n", better == Better::higher ? "at least" : "at most", *target,
        judged == Judged::median ? "the median" : "the best repeat", verdict_text(*this));
  }
  return text;
}

}  // namespace ringway::cli
