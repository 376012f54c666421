#include "tools/top/fitting.hpp"

#include <algorithm>
#include <functional>
#include <optional>

#include "tools/output.hpp"

namespace ringway::cli::top {
namespace {

constexpr std::size_t kTextMin = 12;
constexpr std::size_t kTrendMin = 6;
constexpr std::string_view kTrend = "TREND";

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

std::vector<Fitted::Column> natural(const Table& table) {
  std::vector<Fitted::Column> columns;
  for (std::size_t i = 0; i < table.headings.size(); ++i) {
    std::size_t width = width_of(table.headings[i].text);
    for (const Line& line : table.lines) width = std::max(width, width_of(line.fields[i].text));
    columns.push_back({i, width});
  }
  return columns;
}

std::size_t sum(const std::vector<Fitted::Column>& columns) {
  std::size_t width = columns.size() - 1;
  for (const Fitted::Column& column : columns) width += column.width;
  return width;
}

/// Takes what is too much from a column of text, but leaves something of it.
void shrink(Fitted::Column& column, std::size_t too_much) {
  if (column.width <= kTextMin) return;
  column.width -= std::min(too_much, column.width - kTextMin);
}

/// The column that goes first, if any may.
std::optional<std::size_t> dispensable(const Table& table,
                                       const std::vector<Fitted::Column>& columns) {
  std::optional<std::size_t> found;
  int highest = 0;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const int drop = table.headings[columns[i].index].drop;
    if (drop <= highest) continue;
    highest = drop;
    found = i;
  }
  return found;
}

std::string padded(std::string_view text, std::size_t width, bool right) {
  std::string shown = cut(text, width);
  const std::size_t missing = width - std::min(width, width_of(shown));
  return right ? std::string(missing, ' ') + shown : shown + std::string(missing, ' ');
}

}  // namespace

std::string printable(std::string_view text, Characters characters) {
  std::string shown = cli::printable(text);
  if (characters == Characters::ascii) {
    std::ranges::replace_if(
        shown, [](char c) { return static_cast<unsigned char>(c) > 0x7F; }, '?');
  }
  return shown;
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, std::not_fn(continues)));
}

std::string cut(std::string_view text, std::size_t width) {
  if (width_of(text) <= width) return std::string(text);
  if (width == 0) return {};
  std::size_t end = 0;
  for (std::size_t left = width - 1; end < text.size(); ++end) {
    if (!continues(text[end]) && left-- == 0) break;
  }
  return std::string(text.substr(0, end)) + "~";
}

Fitted fit(const Table& table, std::size_t width) {
  Fitted fitted{natural(table)};
  const std::size_t wanted = table.trend ? width - std::min(width, kTrendMin + 1) : width;
  for (;;) {
    std::vector<Fitted::Column>& columns = fitted.columns;
    for (Fitted::Column* text : {&columns.front(), &columns.back()}) {
      if (sum(columns) > wanted) shrink(*text, sum(columns) - wanted);
    }
    if (sum(columns) <= wanted) break;
    const auto goes = dispensable(table, columns);
    if (!goes) break;
    columns.erase(columns.begin() + static_cast<std::ptrdiff_t>(*goes));
  }
  const std::size_t used = sum(fitted.columns) + 1;
  if (table.trend && used + kTrendMin <= width) {
    fitted.trend_width = std::min(width - used, History::kTrendMax);
  }
  return fitted;
}

std::string text_of(const Table& table, const Fitted& fitted, const Line* line, std::size_t width,
                    Characters characters) {
  std::string text;
  for (const Fitted::Column& column : fitted.columns) {
    if (!text.empty()) text += ' ';
    const Heading& heading = table.headings[column.index];
    const std::string shown =
        line == nullptr ? heading.text : printable(line->fields[column.index].text, characters);
    text += padded(shown, column.width, heading.right);
  }
  if (fitted.trend_width != 0) {
    text += ' ';
    text += line == nullptr ? padded(kTrend, fitted.trend_width, true)
                            : sparkline(line->trend, fitted.trend_width, characters);
  }
  return cut(text, width);
}

}  // namespace ringway::cli::top
