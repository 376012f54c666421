#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/bench/figures.hpp"
#include "tools/output.hpp"

namespace ringway::cli {

/// Fewer repeats are shown, but not judged.
inline constexpr std::uint32_t kRepeatsJudged = 5;

/// What one turn of what is measured, and of what it is held against, gave.
struct Repeat {
  Figures figures;
  std::optional<Figures> limit;
  std::string variant;                   ///< of the limit: the best one of this repeat
  std::optional<double> line_before_ns;  ///< one-way time of a cache line between the two CPUs
  std::optional<double> line_after_ns;
  bool steady = true;                ///< neither the line's time nor the limit moved meanwhile
  std::optional<double> ratio;       ///< figure / limit, of this repeat alone
  Json more = Json::object();        ///< what else is to be told of it
  Json limit_more = Json::object();  ///< and of its limit: what each variant reached
};

/// One configuration held against its limit, repeat by repeat.
struct Comparison {
  enum class Better : std::uint8_t { higher, lower };
  enum class Judged : std::uint8_t {
    median,  ///< the median of the repeats' ratios has to reach the target
    best,    ///< one repeat has to: a limit shows what the machine can do when it is let
  };

  std::string name;
  std::string about;
  Json settings = Json::object();
  std::uint64_t slot_bytes = 0;  ///< of the limit; 0 where it has no slots
  std::uint64_t ring_bytes = 0;
  std::string ratio_of;  ///< name of the figure that the ratios are of, or what they are
  Better better = Better::higher;
  Judged judged = Judged::median;
  std::optional<double> target;  ///< of the ratio
  std::vector<Repeat> repeats;
  std::uint32_t redone = 0;  ///< repeats that were thrown away, see repeats.hpp
  std::string not_measured;  ///< why, where there are no repeats: "needs two CPUs"
  std::string not_judged;    ///< why, where what was measured is less than what was promised of

  /// Median of the repeats' own ratios, and their range; nothing where none was measured.
  std::optional<double> ratio() const;
  std::optional<double> ratio_min() const;
  std::optional<double> ratio_max() const;
  /// Nothing without a target, with too few repeats, when one of them that counts has no ratio, or
  /// when it is not to be judged.
  std::optional<bool> passed() const;

  /// {"name","settings", Figures (medians),"limit":{Figures,"variant","variants":[{"variant", the
  /// figure that the best was chosen by}],"slot_bytes","ring_bytes","line_ns":{"before","after"}},
  /// "variants" (of what has no limit),"ratio","ratio_min","ratio_max","better","target","pass",
  /// "runs"}
  Json json() const;
  std::string table(Style style) const;
};

/// The ratio of a figure; nothing when either side is missing or the limit is 0.
std::optional<double> ratio_between(const Figure& figure, const Figures& ours,
                                    const std::optional<Figures>& limit);

}  // namespace ringway::cli
