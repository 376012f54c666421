#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "tools/top/history.hpp"

namespace ringway::cli::top {

enum class Kind : unsigned char { topics, partitions, consumers, producers };
inline constexpr std::size_t kKinds = 4;

std::string_view name_of(Kind kind);

/// What a row may be sorted by: numbers from large to small, text from A to Z.
struct Field {
  std::string text{};
  double number = -1;
  bool numeric = false;

  static Field of_text(std::string text) { return {.text = std::move(text)}; }
  static Field of_number(std::string text, double number) {
    return {.text = std::move(text), .number = number, .numeric = true};
  }
  static Field none() { return {.text = "-", .number = -1, .numeric = true}; }
};

struct Heading {
  std::string text;
  bool right = false;  ///< aligned to the right
  int drop = 0;        ///< the higher, the sooner it goes where the screen is narrow; 0: never
};

struct Line {
  std::vector<Field> fields;
  Mood mood = Mood::well;
  std::deque<double> trend{};
};

/// What one view shows: of each kind its own columns; topics have a trend beside them.
struct Table {
  std::vector<Heading> headings;
  std::vector<Line> lines;
  bool trend = false;
};

/// Which of it, and in which order.
struct Choice {
  Kind kind = Kind::topics;
  std::size_t sort = 0;  ///< a column
  bool reversed = false;
  std::string filter{};  ///< lines of topics whose name holds it
};

/// Lines that the filter lets through, sorted; equal ones by topic, as they came.
Table table_of(const History& history, const Choice& choice);
/// The columns of a view, to choose one to sort by.
std::vector<Heading> headings_of(Kind kind);

}  // namespace ringway::cli::top
