#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "layout/board.hpp"

namespace ringway::cli::top {

// What was seen at one moment: copies, in no need of the memory they come from.

struct PartitionSample {
  std::uint64_t claimed_offset = 0;    ///< the next record's; moves without a supervisor, too
  std::uint64_t claimed_position = 0;  ///< bytes since this ring began
  std::uint64_t first_offset = 0;
  std::uint64_t committed = 0;
  std::uint64_t written = 0;
  std::uint64_t durable = 0;
  std::uint64_t log_bytes = 0;
  double fill = 0;  ///< 0 to 1
  layout::Hold hold{};
  std::uint32_t hold_pid = 0;
};

struct HandleSample {
  using Id = std::tuple<std::uint64_t, std::uint32_t, std::uint32_t>;  ///< session, chunk, slot

  Id id{};
  layout::Role role{};
  std::uint32_t pid = 0;
  std::string user{};
  std::string_view process{};  ///< as process_state() has it
  std::string cursor{};
  bool exclusive = false;
  bool copies = false;
  std::optional<std::uint64_t> lag{};  ///< records, of all partitions it reads; none: not visible
  std::optional<std::uint64_t> read{};  ///< the sum of its offsets

  /// A named cursor that nobody holds has neither process nor pid.
  bool attached() const noexcept { return pid != 0; }
};

struct TopicSample {
  std::string name{};
  std::uint64_t generation = 0;
  bool persisted = true;
  std::vector<PartitionSample> partitions{};
  std::vector<HandleSample> handles{};
  std::string trouble{};  ///< why there are no partitions to see, or what else is wrong with all
};

struct BusSample {
  std::chrono::steady_clock::time_point at{};
  bool answers = false;    ///< a supervisor does
  std::string state{};     ///< as it says: "serving", "degraded"; else why none answers
  std::uint64_t pid = 0;   ///< of the supervisor that answered last
  std::uint64_t hidden = 0;  ///< topics that this user has no right to
  std::vector<TopicSample> topics{};
};

}  // namespace ringway::cli::top
