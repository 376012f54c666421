#include "tools/bench/summary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "tools/bench/comparison.hpp"
#include "tools/bench/figure_text.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli {
namespace {

std::optional<double> number_at(const Json& row, const std::string& name) {
  const auto at = row.find(name);
  if (at == row.end() || !at->is_number()) return std::nullopt;
  return at->get<double>();
}

std::string text_at(const Json& row, const std::string& name) {
  const auto at = row.find(name);
  return at != row.end() && at->is_string() ? at->get<std::string>() : std::string();
}

bool is_figure(const std::string& name) {
  return std::ranges::any_of(figure::all, [&](const Figure& each) { return name == each.name; });
}

/// The one that the row is about: its ratio's, else the first that was measured of what is wanted
/// more of, or less. None where the ratio is all there is.
std::string figure_of(const Json& row) {
  const std::string ratio_of = text_at(row, "ratio_of");
  if (is_figure(ratio_of)) return ratio_of;
  if (!ratio_of.empty() && !row["limit"].is_object()) return {};
  const bool lower = text_at(row, "better") == "lower";
  const bool bytes = ratio_of.empty();
  for (const Figure& each : {lower ? figure::p50_ns : bytes ? figure::bytes_per_s
                                                            : figure::records_per_s,
                             figure::records_per_s, figure::p50_ns}) {
    if (number_at(row, each.name)) return each.name;
  }
  return {};
}

std::string ratio_text(const std::optional<double>& ratio) {
  return ratio ? fmt::format("{:.3f}", *ratio) : std::string();
}

void add_comparison(Summary& line, const Json& row) {
  const std::string figure = figure_of(row);
  if (!figure.empty()) {
    if (const auto ours = number_at(row, figure)) line.figure = figure_text(figure, ours);
    if (row.contains("limit") && row["limit"].is_object()) {
      if (const auto limit = number_at(row["limit"], figure)) {
        line.limit = figure_text(figure, limit);
      }
    }
  }
  line.ratio = ratio_text(number_at(row, "ratio"));
  const auto low = number_at(row, "ratio_min"), high = number_at(row, "ratio_max");
  if (low && high) line.range = fmt::format("{:.2f} to {:.2f}", *low, *high);
  if (const auto target = number_at(row, "target")) {
    line.target = fmt::format("{} {}", text_at(row, "better") == "lower" ? "<=" : ">=", *target);
  }
}

/// Durations: what is judged is a percentile, and the target is a time.
void add_durations(Summary& line, const Json& row) {
  const std::string of = text_at(row, "target_of");
  const std::string which = of.empty() ? "p99" : of.substr(0, of.find("_ns"));
  const auto judged = number_at(row, of.empty() ? "p99_ns" : "judged");
  if (judged) line.figure = fmt::format("{} {}", which, figure_text("p99_ns", judged));
  if (const auto target = number_at(row, "target")) {
    line.target = fmt::format("< {}", figure_text("p99_ns", target));
  }
}

Verdict verdict_of(const Json& row) {
  if (!text_at(row, "not_measured").empty()) return Verdict::not_measured;
  if (row.contains("pass") && row["pass"].is_boolean()) {
    return row["pass"].get<bool>() ? Verdict::pass : Verdict::miss;
  }
  return number_at(row, "target") ? Verdict::not_judged : Verdict::no_target;
}

std::string why_of(const Json& row, Verdict verdict) {
  if (verdict == Verdict::not_measured) return text_at(row, "not_measured");
  if (verdict != Verdict::not_judged) return {};
  if (std::string why = text_at(row, "not_judged"); !why.empty()) return why;
  if (row["runs"].size() >= kRepeatsJudged) return "a repeat was not measured";
  return fmt::format("takes {} repeats", kRepeatsJudged);
}

}  // namespace

std::string name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "pass";
    case Verdict::miss:
      return "miss";
    case Verdict::not_judged:
      return "not judged";
    case Verdict::not_measured:
      return kNotMeasured;
    case Verdict::no_target:
      break;
  }
  return "no target";
}

Summary summary_of(const Json& row) {
  Summary line;
  line.name = text_at(row, "name");
  if (row.contains("samples")) {
    add_durations(line, row);
  } else {
    add_comparison(line, row);
  }
  line.verdict = verdict_of(row);
  line.why = why_of(row, line.verdict);
  return line;
}

std::string tally_of(const Json& rows) {
  std::map<Verdict, std::size_t> counts;
  for (const Json& row : rows) ++counts[verdict_of(row)];
  std::string text;
  for (const auto& [verdict, count] : counts) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name_of(verdict));
  }
  return text;
}

}  // namespace ringway::cli
