#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/bench/summary.hpp"

namespace ringway::cli {

/// A figure with its limit behind it: what was measured is drawn, and nothing else.
struct Bar {
  std::string label;
  std::optional<double> value;
  std::optional<double> limit;
  std::optional<double> target;  ///< of the value, in the same units
  std::string note;              ///< below the value: "limit 3.10 GB/s, 0.930 of it"
  Verdict verdict = Verdict::no_target;
};

struct BarChart {
  std::string figure;  ///< name of the figure that the bars show
  bool decades = false;  ///< drawn by its logarithm: each step is ten times the one before
  std::vector<Bar> bars;
};

/// One SVG as wide as where it stands. Labels, bars and values have columns of their own.
std::string svg_of(const BarChart& chart);

/// How far each row is from its target, at 1: beyond it is better, whichever way that is.
struct Distance {
  std::string label;
  double at;
  double from, to;  ///< of the repeats
  Verdict verdict;
};
std::string svg_of(const std::vector<Distance>& distances);

}  // namespace ringway::cli
