#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace ringway::control {

/// What something is that needs attention: what programs decide on. Its name goes over the wire and
/// into JSON, and never changes.
enum class TroubleKind : std::uint8_t {
  unknown,  ///< of a newer supervisor, or of one that only knew words
  topic_not_served,
  topic_deletion_waits,
  ring_replacement_waits,
  segment_damaged,    ///< a file, or blocks within it, that consumers do not get
  segment_missing,    ///< a file that is not there any more
  segment_not_removed,  ///< retention's choice, but it cannot be removed
  log_without_topic,  ///< the catalog does not know it
  disk_short,         ///< less than disk.keep_free, and nothing may be removed
  retention_held,     ///< by a named cursor, while the disk is short
  housekeeping_failed,
  keeper_not_replaced,
  keeper_stands_still,
  metrics_not_served,
  // Partitions that do not move, as layout::Hold has them.
  disk_full,
  disk_error,
  pinned,
  stopped_claim,
  slow_consumer,
  stopping,
  quarantined,
  memory_only,
};

inline constexpr TroubleKind kLastTroubleKind = TroubleKind::memory_only;

std::string_view to_string(TroubleKind kind) noexcept;
/// `unknown` for a name that this version does not have.
TroubleKind trouble_kind_of(std::string_view name) noexcept;

/// How many there are of each kind.
class TroubleCounts {
 public:
  void add(TroubleKind kind, std::uint64_t count = 1) noexcept {
    counts_[static_cast<std::size_t>(kind)] += count;
  }
  std::uint64_t of(TroubleKind kind) const noexcept {
    return counts_[static_cast<std::size_t>(kind)];
  }
  std::uint64_t all() const noexcept;

 private:
  std::array<std::uint64_t, static_cast<std::size_t>(kLastTroubleKind) + 1> counts_{};
};

/// Something that needs attention, as `status` tells it.
struct StatusTrouble {
  static constexpr std::size_t kPartitionsTold = 64;

  TroubleKind what{};
  std::string topic{};                      ///< "": of no topic
  std::vector<std::uint32_t> partitions{};  ///< the first of them; over the wire kPartitionsTold
  std::uint32_t partition_count = 0;        ///< how many there are
  std::uint32_t pid = 0;                    ///< of who is the cause; 0: nobody, or unknown
  std::string path{};                       ///< of the file or directory; "": of none
  std::string reason{};                     ///< what was found, for people
  std::string text{};                       ///< all of it in a line, for people

  bool operator==(const StatusTrouble&) const = default;
};

/// Without the fields that say nothing.
nlohmann::json to_json(const StatusTrouble& trouble);

/// What a report of `status` says, of whatever version its supervisor is: one that had only words
/// (`degraded`) names no kind. What is not understood is left out; never throws for it.
std::vector<StatusTrouble> troubles_in(const nlohmann::json& report);

}  // namespace ringway::control
