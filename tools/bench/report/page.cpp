#include "tools/bench/report/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <vector>

#include "tools/bench/figure_text.hpp"
#include "tools/bench/figures.hpp"
#include "tools/bench/report/bar_chart.hpp"
#include "tools/bench/report/markup.hpp"
#include "tools/bench/report/style.hpp"
#include "tools/bench/summary.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli {
namespace {

std::optional<double> number(const Json& object, const std::string& name) {
  const auto at = object.find(name);
  if (at == object.end() || !at->is_number()) return std::nullopt;
  return at->get<double>();
}

std::uint64_t setting(const Json& row, const char* name) {
  return row["settings"].value(name, std::uint64_t{0});
}

std::string name_in(const Json& row) {
  return row["name"].get<std::string>();
}

bool begins(const Json& row, std::string_view prefix) {
  return name_in(row).starts_with(prefix);
}

/// A row that shows a figure of its own: its ratio is not one between two of Ringway's.
bool stands_alone(const Json& row) {
  const std::string name = name_in(row);
  return !name.ends_with("_to_one") && !name.ends_with("_to_shared") &&
         !name.ends_with("_smallest_share") && !name.ends_with("_nobody_asleep");
}

bool is_lower(const Json& row) {
  return row.value("better", "") == "lower";
}

/// Records and bytes of slots as large have one ratio.
bool is_ratio_of(const Json& row, const std::string& figure) {
  const std::string of = row["ratio_of"].is_string() ? row["ratio_of"].get<std::string>() : "";
  const auto is_rate = [](const std::string& name) {
    return name == figure::records_per_s.name || name == figure::bytes_per_s.name;
  };
  return of == figure || (is_rate(of) && is_rate(figure));
}

/// `figure` of a row beside its limit's. The target is of the ratio, and drawn where that is this
/// figure's.
Bar bar_of(const Json& row, std::string label, const std::string& figure) {
  Bar bar{.label = std::move(label),
          .value = number(row, figure),
          .limit = {},
          .target = {},
          .note = {},
          .verdict = Verdict::no_target};
  const Json& limit = row.contains("limit") ? row["limit"] : Json();
  if (limit.is_object()) bar.limit = number(limit, figure);
  if (bar.limit) bar.note = "limit " + figure_text(figure, bar.limit);
  if (!is_ratio_of(row, figure)) return bar;
  bar.verdict = summary_of(row).verdict;
  const auto ratio = number(row, "ratio"), target = number(row, "target");
  if (ratio) bar.note += fmt::format(", ratio {:.2f}", *ratio);
  if (target) bar.note += fmt::format(" ({} {:g})", is_lower(row) ? "\u2264" : "\u2265", *target);
  if (bar.limit && target) bar.target = *bar.limit * *target;
  return bar;
}

struct Section {
  std::string title;
  std::string about;
  BarChart chart;
};

std::string html_of(const Section& section) {
  if (section.chart.bars.empty()) return {};
  return fmt::format("<section>\n<h2>{}</h2>\n<p>{}</p>\n{}</section>\n", escaped(section.title),
                     escaped(section.about), svg_of(section.chart));
}

/// A bar for each row whose name begins so, under what `label` calls it.
Section rows_that_begin(const Json& rows, std::string_view prefix, Section section,
                        const std::function<std::string(const Json&)>& label) {
  for (const Json& row : rows) {
    if (!begins(row, prefix) || !stands_alone(row)) continue;
    section.chart.bars.push_back(bar_of(row, label(row), section.chart.figure));
  }
  return section;
}

std::string ring_label(const Json& row) {
  std::string label = format_size(setting(row, "size_bytes"));
  if (const std::uint64_t claim = setting(row, "claim"); claim > 1) {
    label += fmt::format(", claims of {}", claim);
  }
  if (row["settings"].value("exclusive", false)) label += ", exclusive";
  if (const std::uint64_t producers = setting(row, "producers"); producers > 1) {
    label += ", " + counted(producers, "producer");
  }
  return label;
}

std::string persist_label(const Json& row) {
  return fmt::format("{}, ring of {}", format_size(setting(row, "size_bytes")),
                     format_size(setting(row, "ring_bytes")));
}

std::string replay_label(const Json& row) {
  return fmt::format("{}, {}", format_size(setting(row, "size_bytes")),
                     row["settings"].value("cold", false) ? "cold" : "warm");
}

std::string durable_label(const Json& row) {
  return counted(std::max<std::uint64_t>(1, setting(row, "producers")), "producer");
}

Section ring_section(const Json& rows) {
  return rows_that_begin(
      rows, "ring_",
      {"Through memory",
       "Records filled in place, from a producer to a consumer that reads every byte; headers "
       "count. The frame is the best bare ring of this machine with slots as large.",
       {.figure = figure::bytes_per_s.name, .bars = {}}},
      ring_label);
}

/// Both rows of a latency have all percentiles: each stands in the row that judges it.
Section latency_section(const Json& rows) {
  Section section{"One way",
                  "From one process to another, half of there and back, by a logarithmic scale; "
                  "the frame is a bare copy in place of a record as large.",
                  {.figure = figure::p50_ns.name, .decades = true, .bars = {}}};
  const auto add = [&](const Json& row, const char* word, const Figure& figure) {
    section.chart.bars.push_back(bar_of(
        row, fmt::format("{}, {}", format_size(setting(row, "size_bytes")), word), figure.name));
  };
  for (const Json& row : rows) {
    if (!begins(row, "latency_")) continue;
    if (name_in(row).ends_with("_p50")) add(row, "p50", figure::p50_ns);
    if (!name_in(row).ends_with("_p99")) continue;
    add(row, "p99", figure::p99_ns);
    add(row, "p99.9", figure::p999_ns);
  }
  return section;
}

Section wake_section(const Json& rows) {
  return rows_that_begin(rows, "wake_",
                         {"Out of sleep",
                          "From before a record is claimed to when a consumer that slept has seen "
                          "it: the median. The frame is a bare futex wake.",
                          {.figure = figure::p50_ns.name, .bars = {}}},
                         [](const Json& row) { return format_size(setting(row, "size_bytes")); });
}

Section persist_section(const Json& rows) {
  return rows_that_begin(
      rows, "persist_",
      {"To the disk",
       "Published until the last record is written, with a reader. The frame is the best writer "
       "of such a ring past the page cache.",
       {.figure = figure::bytes_per_s.name, .bars = {}}},
      persist_label);
}

Section replay_section(const Json& rows) {
  return rows_that_begin(rows, "replay_",
                         {"From the log",
                          "Read from its start out of segments, warm from the page cache and cold "
                          "from the device. The frame is read(2) and one pass over every byte.",
                          {.figure = figure::bytes_per_s.name, .bars = {}}},
                         replay_label);
}

Section durable_section(const Json& rows) {
  return rows_that_begin(
      rows, "durable_",
      {"Until it is durable",
       "Publish a record of 64 bytes and wait until it is on the device: the median. The frame is "
       "a bare write and fdatasync.",
       {.figure = figure::p50_ns.name, .bars = {}}},
      durable_label);
}

Section beside_section(const Json& rows) {
  Section section{"Beside others",
                  "A producer with many consumers, and one while a consumer falls to disk and "
                  "comes back. The frame is the same with one consumer, and without the one that "
                  "falls.",
                  {.figure = figure::records_per_s.name, .bars = {}}};
  for (const Json& row : rows) {
    if (name_in(row).ends_with("_from_log")) continue;
    if (!begins(row, "fanout_") && !begins(row, "spill_")) continue;
    section.chart.bars.push_back(bar_of(row, name_in(row), section.chart.figure));
  }
  return section;
}

/// "zeromq" of "peer_zeromq_latency_64".
std::string peer_label(const Json& row, std::string_view what) {
  const std::string name = name_in(row).substr(std::string_view("peer_").size());
  std::string label = name.substr(0, name.find(fmt::format("_{}_", what)));
  std::ranges::replace(label, '_', ' ');
  return fmt::format("{}, {}", label, format_size(setting(row, "size_bytes")));
}

/// A row of Ringway's that others stand beside, and what it promises of a record on disk.
struct OwnRow {
  std::string_view name;
  const char* persisted;
};

/// Nothing where no others were measured. Small records first, and of each size Ringway.
Section peers_section(const Json& rows, std::string_view what, const std::vector<OwnRow>& ours,
                      Section section) {
  std::multimap<std::uint64_t, Bar> bars;  // by size, else in the order of the rows
  const auto add = [&](const Json& row, std::string label, const std::string& persisted) {
    bars.emplace(setting(row, "size_bytes"), Bar{.label = std::move(label),
                                                 .value = number(row, section.chart.figure),
                                                 .limit = {},
                                                 .target = {},
                                                 .note = "on disk: " + persisted,
                                                 .verdict = Verdict::no_target});
  };
  for (const Json& row : rows) {
    const auto own = std::ranges::find(ours, name_in(row), &OwnRow::name);
    if (own == ours.end() || !number(row, section.chart.figure)) continue;
    add(row, "Ringway, " + format_size(setting(row, "size_bytes")), own->persisted);
  }
  const std::size_t own = bars.size();
  for (const Json& row : rows) {
    if (!begins(row, "peer_") || name_in(row).find(what) == std::string::npos) continue;
    add(row, peer_label(row, what), row["settings"].value("persisted", std::string()));
  }
  if (bars.size() == own) return section;
  for (auto& [size, bar] : bars) section.chart.bars.push_back(std::move(bar));
  return section;
}

Section peer_rates_section(const Json& rows) {
  return peers_section(
      rows, "throughput",
      {{"ring_64_claim_1", "nothing"},
       {"ring_1024_claim_1", "nothing"},
       {"persist_64", "written, and synced every 5 ms"},
       {"persist_1024", "written, and synced every 5 ms"}},
      {"What others pass on",
       "The same records, each filled, passed on and checked byte by byte, by a logarithmic "
       "scale.",
       {.figure = figure::records_per_s.name, .decades = true, .bars = {}}});
}

Section peer_latency_section(const Json& rows) {
  return peers_section(rows, "latency",
                       {{"latency_64_p50", "nothing"}, {"durable_64", "synced before it is told"}},
                       {"How long others take",
                        "One way, half of there and back: the median, by a logarithmic scale.",
                        {.figure = figure::p50_ns.name, .decades = true, .bars = {}}});
}

/// Durations, each below its own target.
Section pause_section(const Json& rows) {
  Section section{"After a death",
                  "What others wait for behind a producer that was killed, and behind a "
                  "supervisor: the 99th percentile, by a logarithmic scale.",
                  {.figure = figure::p99_ns.name, .decades = true, .bars = {}}};
  for (const Json& row : rows) {
    if (!row.contains("samples")) continue;
    Bar bar{.label = name_in(row),
            .value = number(row, row["target"].is_number() ? "judged" : "p99_ns"),
            .limit = {},
            .target = number(row, "target"),
            .note = {},
            .verdict = summary_of(row).verdict};
    if (bar.target) bar.note = "target " + figure_text(section.chart.figure, bar.target);
    section.chart.bars.push_back(std::move(bar));
  }
  return section;
}

/// Of all rows that are held against a target.
std::vector<Distance> distances(const Json& rows) {
  std::vector<Distance> all;
  for (const Json& row : rows) {
    const auto target = number(row, "target");
    if (!target || *target == 0) continue;
    const bool durations = row.contains("samples");
    const auto at = number(row, durations ? "judged" : "ratio");
    if (!at || *at == 0) continue;
    const double from = number(row, "ratio_min").value_or(*at);
    const double to = number(row, "ratio_max").value_or(*at);
    const auto of_target = [&](double value) {
      return is_lower(row) ? *target / std::max(value, 1e-9) : value / *target;
    };
    const auto [low, high] = std::minmax({of_target(from), of_target(to)});
    all.push_back({name_in(row), of_target(*at), low, high, summary_of(row).verdict});
  }
  return all;
}

std::string table_row(const Json& row) {
  const Summary line = summary_of(row);
  const std::string verdict = line.verdict == Verdict::no_target ? "" : name_of(line.verdict);
  std::string out = fmt::format(
      "<tr><th scope=\"row\">{}<span>{}</span><code>{}</code></th>", escaped(line.name),
      escaped(row.value("about", "")), escaped(row.value("command", "")));
  for (const std::string& cell : {line.figure, line.limit, line.ratio, line.range, line.target}) {
    out += fmt::format("<td>{}</td>", escaped(cell));
  }
  const char* kind = line.verdict == Verdict::pass ? "pass"
                     : line.verdict == Verdict::miss ? "miss"
                                                     : "plain";
  out += fmt::format("<td class=\"{}\">{}", kind, escaped(verdict));
  if (!line.why.empty()) out += fmt::format("<span>{}</span>", escaped(line.why));
  return out + "</td></tr>\n";
}

std::string table_of(const Json& rows) {
  std::string out =
      "<section>\n<h2>Every row</h2>\n<p>Each with the command that measures it alone. The ratio "
      "is the median of the repeats' own, the range theirs.</p>\n<div class=\"wide\">"
      "<table>\n<thead><tr><th>Row</th><th>Figure</th><th>Limit</th><th>Ratio</th><th>Range</th>"
      "<th>Target</th><th>Verdict</th></tr></thead>\n<tbody>\n";
  for (const Json& row : rows) out += table_row(row);
  return out + "</tbody>\n</table></div>\n</section>\n";
}

}  // namespace

std::string report_page(const Json& rows, const Facts& facts) {
  std::string page = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<title>Ringway, measured</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n"
      "<header>\n<h1>Ringway, measured</h1>\n<p class=\"tally\">{}</p>\n<dl>\n",
      kReportStyle, escaped(tally_of(rows)));
  for (const auto& [name, value] : facts) {
    page += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escaped(name), escaped(value));
  }
  page +=
      "</dl>\n<p class=\"legend\"><i class=\"key bar plain\"></i> Ringway <i class=\"key "
      "limit\"></i> the limit of this machine, measured in the same run <i class=\"key "
      "target\"></i> target <i class=\"key bar pass\"></i> pass <i class=\"key bar miss\"></i> "
      "miss</p>\n</header>\n";
  if (const auto all = distances(rows); !all.empty()) {
    page +=
        "<section>\n<h2>Against the targets</h2>\n<p>Right of the line is better than promised, "
        "whichever way a figure goes; the stroke is the range of the repeats.</p>\n" +
        svg_of(all) + "</section>\n";
  }
  for (const auto& make : {ring_section, latency_section, wake_section, persist_section,
                           replay_section, durable_section, beside_section, pause_section,
                           peer_rates_section, peer_latency_section}) {
    page += html_of(make(rows));
  }
  return page + table_of(rows) + "</main>\n</body>\n</html>\n";
}

}  // namespace ringway::cli
