#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/top/sample.hpp"

namespace ringway::cli::top {

/// Per second between two samples; none in the first one, and for bytes also none right after a
/// ring was replaced, whose positions begin anew.
struct Speed {
  std::optional<double> records{};
  std::optional<double> bytes{};
};

/// How bad it is, in the order in which it is worth a look.
enum class Mood : unsigned char { well, slow, bad };

struct State {
  std::string text = "serving";
  Mood mood = Mood::well;
};

struct TopicFacts {
  Speed speed{};
  double fill = 0;  ///< of its fullest partition
  std::uint64_t committed = 0;  ///< sums over partitions
  std::uint64_t durable = 0;
  std::optional<std::uint64_t> lag{};  ///< of its slowest consumer
  State state{};
  std::vector<Speed> partitions{};
  std::vector<Speed> handles{};  ///< consumers: records read; in the order of the sample
  std::deque<double> trend{};    ///< records per second, the newest last
};

/// What follows from one sample after another. Pure: no clock, no memory of a bus. One thread.
class History {
 public:
  static constexpr std::size_t kTrendMax = 120;

  /// Samples come in the order in which they were taken.
  void take(BusSample sample);

  const BusSample& sample() const noexcept { return sample_; }
  /// Of sample().topics[topic].
  const TopicFacts& facts(std::size_t topic) const { return facts_.at(sample_.topics[topic].name); }

 private:
  using Growth = std::map<HandleSample::Id, int>;  ///< in how many samples running a lag grew

  TopicFacts facts_of(const TopicSample& topic, const TopicSample* before, double seconds);

  BusSample sample_;
  std::map<std::string, TopicFacts> facts_;
  std::map<std::string, Growth> growth_;
};

/// What holds a partition up, or "serving".
State state_of(const PartitionSample& partition);

}  // namespace ringway::cli::top
