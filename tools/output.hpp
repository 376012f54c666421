#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ringway::cli {

/// --output. table is for people; json is one value; jsonl is one object a line.
enum class Format : unsigned char { table, json, jsonl };

/// "table", "json" or "jsonl"; throws Error(usage) otherwise.
Format parse_format(std::string_view flag, std::string_view text);

enum class Align : unsigned char { left, right };
enum class Style : unsigned char { plain, coloured };

/// Text from elsewhere must not drive the terminal: control characters, and bytes that belong to no
/// code point, show as '?'.
std::string printable(std::string_view text);

using Json = nlohmann::ordered_json;

/// One value with both its faces: the text people read and the JSON that programs read.
struct Cell {
  std::string text;
  Json json;

  static Cell none();  ///< "-" and null
  static Cell of_text(std::string text);
  static Cell of_number(std::uint64_t number);
  static Cell of_bytes(std::uint64_t bytes);                 ///< "16 MiB" and the number
  static Cell of_duration(std::chrono::nanoseconds length);  ///< "3.2 s" and nanoseconds
  static Cell of_time(std::int64_t ns);                      ///< RFC 3339 and nanoseconds
  static Cell of_truth(bool truth);                          ///< "yes", "no" and true, false
};

struct Column {
  std::string heading;  ///< of the table
  std::string name;     ///< in JSON
  Align align = Align::left;
};

/// Many things of one kind: a table with headings, or an array of objects. Owned by one verb.
class Rows {
 public:
  explicit Rows(std::initializer_list<Column> columns) : columns_(columns) {}
  explicit Rows(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// One cell per column; anything else is a programmer's error and aborts.
  void add(std::vector<Cell> cells);
  /// The rows of another list, each with `first` in front.
  void add_behind(const Cell& first, const Rows& others);
  bool empty() const noexcept { return rows_.empty(); }
  std::size_t size() const noexcept { return rows_.size(); }

  Json json() const;
  std::string render(Format format, Style style) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

/// One thing: "heading: value" lines and, below them, its tables and the things inside of it; or
/// one JSON object with members in the order they were added.
class Report {
 public:
  void add(std::string heading, std::string name, Cell cell);
  void add(std::string heading, std::string name, Rows rows);
  void add(std::string heading, std::string name, Report report);

  Json json() const;
  std::string render(Format format, Style style) const;

 private:
  struct Member;
  std::vector<Member> members_;
};

struct Report::Member {
  std::string heading;
  std::string name;
  std::variant<Cell, Rows, Report> content;
};

}  // namespace ringway::cli
