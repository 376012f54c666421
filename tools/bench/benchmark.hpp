#pragma once

#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tools/bench/comparison.hpp"
#include "tools/bench/demand.hpp"
#include "tools/bench/result.hpp"
#include "tools/command_line.hpp"

// A verb of `ringway bench` says what it takes and how it measures; who runs it, alone or with all
// others, prints what came of it.

namespace ringway::cli {

/// What a benchmark measured: held against a limit, or durations as they are.
class BenchRow {
 public:
  BenchRow(Comparison comparison) : of_(std::move(comparison)) {}
  BenchRow(BenchResult durations) : of_(std::move(durations)) {}

  Json json() const {
    return std::visit([](const auto& row) { return row.json(); }, of_);
  }
  std::string table(Style style) const {
    return std::visit([&](const auto& row) { return row.table(style); }, of_);
  }

 private:
  std::variant<Comparison, BenchResult> of_;
};
using BenchRows = std::vector<BenchRow>;

/// One configuration of a benchmark: its flags were parsed and found good, and nothing has run yet.
struct Configured {
  std::string name;  ///< of its first row
  std::string about;
  Demand demand;
  std::function<std::string()> why_not = {};  ///< it cannot be measured here; "" where it can
  std::function<BenchRows(Spare&)> measure;   ///< throws Error, and Interrupted
};

/// What it measured, or one row that says why it was not. Throws Error, and Interrupted.
BenchRows rows_of(const Configured& configured, Spare& spare);

/// Asked once flags are parsed. Throws Error(usage).
using Configure = std::function<Configured()>;

/// A verb of `ringway bench`.
struct Benchmark {
  std::string verb;
  std::string why;
  std::string examples;
  /// Adds its flags to `verb`, with defaults of its own. What it gives may outlive `verb`.
  std::function<Configure(CLI::App& verb)> add_flags;
};

/// The verb by itself.
void add_benchmark(CommandLine& line, const Benchmark& benchmark);

/// One row that says why it is not there.
BenchRow not_measured(const Configured& configured, std::string why);

/// Rows of one kind as rows of any.
template <class Row>
BenchRows as_rows(std::vector<Row> rows) {
  return {std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end())};
}

}  // namespace ringway::cli
