#include "tools/output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "control/utf8.hpp"
#include "ringway/error.hpp"
#include "tools/quantity.hpp"
#include "tools/timestamp.hpp"

namespace ringway::cli {
namespace {

constexpr std::string_view kBold = "\033[1m";
constexpr std::string_view kNormal = "\033[0m";

/// Terminal columns, counting each code point as one.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string dump(const Json& json, int indent) {
  // Names of users and processes may be any bytes; they are shown with replacement characters.
  return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

void append_styled(std::string& out, std::string_view text, Style style) {
  if (style == Style::coloured) out.append(kBold);
  out.append(text);
  if (style == Style::coloured) out.append(kNormal);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    std::string_view rest = text;
    const std::int32_t point = control::next_code_point(rest);
    const bool is_shown = point >= 0 && !control::is_control(point);
    const std::size_t bytes = point < 0 ? 1 : text.size() - rest.size();
    shown += is_shown ? text.substr(0, bytes) : "?";
    text.remove_prefix(bytes);
  }
  return shown;
}

Format parse_format(std::string_view flag, std::string_view text) {
  if (text == "table") return Format::table;
  if (text == "json") return Format::json;
  if (text == "jsonl") return Format::jsonl;
  throw Error(ErrorCode::usage, fmt::format("{} '{}'", flag, text), "no such output format",
              "write table, json or jsonl");
}

Cell Cell::none() {
  return {"-", nullptr};
}
Cell Cell::of_text(std::string text) {
  std::string shown = printable(text);
  return {std::move(shown), std::move(text)};
}
Cell Cell::of_number(std::uint64_t number) {
  return {std::to_string(number), number};
}
Cell Cell::of_bytes(std::uint64_t bytes) {
  return {format_size(bytes), bytes};
}
Cell Cell::of_duration(std::chrono::nanoseconds length) {
  return {format_duration(length), static_cast<std::int64_t>(length.count())};
}
Cell Cell::of_time(std::int64_t ns) {
  Cell cell{{}, ns};
  append_rfc3339(cell.text, ns);
  return cell;
}
Cell Cell::of_truth(bool truth) {
  return {truth ? "yes" : "no", truth};
}

void Rows::add(std::vector<Cell> cells) {
  if (cells.size() != columns_.size()) std::abort();
  rows_.push_back(std::move(cells));
}

void Rows::add_behind(const Cell& first, const Rows& others) {
  for (std::vector<Cell> row : others.rows_) {
    row.insert(row.begin(), first);
    add(std::move(row));
  }
}

Json Rows::json() const {
  Json array = Json::array();
  for (const auto& row : rows_) {
    Json object = Json::object();
    for (std::size_t i = 0; i < columns_.size(); ++i) object[columns_[i].name] = row[i].json;
    array.push_back(std::move(object));
  }
  return array;
}

std::string Rows::render(Format format, Style style) const {
  std::string out;
  if (format == Format::json) return dump(json(), 2);
  if (format == Format::jsonl) {
    for (const Json& object : json()) out += dump(object, -1);
    return out;
  }
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(width(column.heading));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], width(row[i].text));
    }
  }
  const auto append_line = [&](const auto& text_of, Style line_style) {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& text = text_of(i);
      const std::string pad(widths[i] - width(text), ' ');
      if (i > 0) out += "  ";
      if (columns_[i].align == Align::right) out += pad;
      append_styled(out, text, line_style);
      if (columns_[i].align == Align::left && i + 1 < columns_.size()) out += pad;
    }
    out += '\n';
  };
  append_line([&](std::size_t i) -> const std::string& { return columns_[i].heading; }, style);
  for (const auto& row : rows_) {
    append_line([&](std::size_t i) -> const std::string& { return row[i].text; }, Style::plain);
  }
  return out;
}

void Report::add(std::string heading, std::string name, Cell cell) {
  members_.push_back({std::move(heading), std::move(name), std::move(cell)});
}
void Report::add(std::string heading, std::string name, Rows rows) {
  members_.push_back({std::move(heading), std::move(name), std::move(rows)});
}
void Report::add(std::string heading, std::string name, Report report) {
  members_.push_back({std::move(heading), std::move(name), std::move(report)});
}

Json Report::json() const {
  Json object = Json::object();
  for (const Member& member : members_) {
    if (const auto* cell = std::get_if<Cell>(&member.content)) {
      object[member.name] = cell->json;
    } else if (const auto* rows = std::get_if<Rows>(&member.content)) {
      object[member.name] = rows->json();
    } else {
      object[member.name] = std::get<Report>(member.content).json();
    }
  }
  return object;
}

std::string Report::render(Format format, Style style) const {
  if (format != Format::table) return dump(json(), format == Format::json ? 2 : -1);
  std::size_t widest = 0;
  for (const Member& member : members_) {
    if (std::holds_alternative<Cell>(member.content)) {
      widest = std::max(widest, width(member.heading));
    }
  }
  std::string facts;
  std::string sections;
  for (const Member& member : members_) {
    if (const auto* cell = std::get_if<Cell>(&member.content)) {
      append_styled(facts, member.heading + ":", style);
      facts.append(widest - width(member.heading) + 1, ' ');
      facts += cell->text + "\n";
      continue;
    }
    sections += '\n';
    append_styled(sections, member.heading, style);
    sections += '\n';
    if (const auto* rows = std::get_if<Rows>(&member.content)) {
      sections += rows->render(format, style);
    } else {
      sections += std::get<Report>(member.content).render(format, style);
    }
  }
  return facts + (facts.empty() && !sections.empty() ? sections.substr(1) : sections);
}

}  // namespace ringway::cli
