#include "tools/bench/result.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <thread>

#include "tools/bench/figures.hpp"
#include "tools/bench/setting_text.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli {
namespace {

constexpr double kPercentiles[] = {0.5, 0.99, 1};  // of a table

std::string percentile_name(double share) {
  return share == 1 ? "max" : fmt::format("p{:g}", share * 100);
}

Json figures(const Durations& durations) {
  Json json{{"samples", durations.size()}};
  for (const double share : kPercentiles) {
    json[percentile_name(share) + "_ns"] = durations.quantile(share).count();
  }
  json[figure::p999_ns.name] = durations.quantile(0.999).count();
  return json;
}

/// The first series' figures themselves, the others' as objects of their names.
Json figures(const std::vector<Series>& run) {
  Json json = figures(run.front().durations);
  for (auto series = run.begin() + 1; series != run.end(); ++series) {
    json[series->name] = figures(series->durations);
  }
  return json;
}

std::vector<Series> together(const std::vector<std::vector<Series>>& runs) {
  std::vector<Series> all = runs.front();
  for (auto run = runs.begin() + 1; run != runs.end(); ++run) {
    for (std::size_t i = 0; i < all.size(); ++i) all[i].durations.add((*run)[i].durations);
  }
  return all;
}

void add_rows(Rows& rows, const std::string& which, const std::vector<Series>& run) {
  for (const Series& series : run) {
    std::vector<Cell> cells{Cell::of_text(which), Cell::of_text(series.about),
                            Cell::of_number(series.durations.size())};
    for (const double share : kPercentiles) {
      cells.push_back(Cell::of_duration(series.durations.quantile(share)));
    }
    rows.add(std::move(cells));
  }
}

}  // namespace

std::chrono::nanoseconds BenchResult::judged() const {
  Durations of_runs;
  for (const auto& run : runs) of_runs.add(run.front().durations.quantile(target->share));
  return of_runs.quantile(0.5);
}

std::optional<bool> BenchResult::passed() const {
  if (!target) return std::nullopt;
  return judged() < target->below;
}

Json BenchResult::json() const {
  Json json{{"name", name}, {"about", about}, {"settings", settings}};
  json.update(json_of(Figures{}));
  json.update(figures(together(runs)));
  json["limit"] = nullptr;
  json["ratio"] = nullptr;
  json["better"] = "lower";
  json["target"] = target ? Json(target->below.count()) : Json();
  json["target_of"] = target ? Json(percentile_name(target->share) + "_ns") : Json();
  json["judged"] = target ? Json(judged().count()) : Json();
  json["pass"] = target ? Json(*passed()) : Json();
  json["runs"] = Json::array();
  for (const auto& run : runs) json["runs"].push_back(figures(run));
  return json;
}

std::string BenchResult::table(Style style) const {
  Rows rows{{"RUN", "run"},
            {"WHAT", "what"},
            {"SAMPLES", "samples", Align::right},
            {"P50", "p50", Align::right},
            {"P99", "p99", Align::right},
            {"MAX", "max", Align::right}};
  for (std::size_t i = 0; i < runs.size(); ++i) add_rows(rows, fmt::format("{}", i + 1), runs[i]);
  if (runs.size() > 1) add_rows(rows, "all", together(runs));
  std::string text = fmt::format("{}: {}\n  {}\n", name, about, setting_text(settings));
  text += rows.render(Format::table, style);
  if (target) {
    text += fmt::format("target: {} below {}: {} ({} in the median of {} runs)\n",
                        percentile_name(target->share), format_duration(target->below),
                        *passed() ? "pass" : "miss", format_duration(judged()), runs.size());
  }
  return text;
}

Json bench_settings() {
  double load = 0;
  static_cast<void>(::getloadavg(&load, 1));
  return {{"cpus", std::thread::hardware_concurrency()}, {"load", std::round(load * 100) / 100}};
}

}  // namespace ringway::cli
