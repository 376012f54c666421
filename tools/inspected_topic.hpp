#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "layout/board.hpp"
#include "layout/session.hpp"
#include "ring/partition_view.hpp"
#include "shm/landing.hpp"
#include "shm/region.hpp"
#include "tools/found_memory.hpp"

namespace ringway::cli {

/// One open handle as the board shows it; a copy.
struct Handle {
  layout::Role role{};
  std::uint32_t producer = 0;  ///< identity
  layout::ProcessId process{};
  std::string user;
  std::string cursor;      ///< "" for none
  bool exclusive = false;  ///< a producer that has the topic for itself
  bool copies = false;     ///< a consumer that holds nothing in place any more
  std::uint64_t session = 0;
  std::uint32_t chunk = 0;
  std::uint32_t first_slot = 0;
};

/// Copies of the entries of a board's table that are somebody's.
std::vector<Handle> handles_in(std::span<const layout::Attachment> entries);

/// A topic's memory, mapped read-only to be looked at while everybody goes on: board and ring, and
/// the sessions' slots as far as they were found. Everything in it is untrusted; sizes are checked
/// when it is made, words are loaded once. Owned by one verb, used by one thread.
class InspectedTopic {
 public:
  /// Throws Error incompatible or failed when the memory is not what it should be, or not yet.
  explicit InspectedTopic(FoundMemory found);

  const shm::Uuid& uuid() const noexcept { return found_.topic; }
  std::uint64_t generation() const noexcept { return found_.generation; }
  const std::string& through() const noexcept { return found_.through; }
  std::string name() const;
  /// The version of the shared memory, as its supervisor keeps it up: "1.0".
  std::string layout() const;
  std::uint32_t partitions() const noexcept { return partitions_; }
  std::uint64_t ring_bytes() const noexcept { return ring_bytes_; }
  layout::ProcessId supervisor() const noexcept { return header_->supervisor; }
  /// Of the supervisor, or of who has a handle, as process_state() has it.
  std::string_view state_of(const layout::ProcessId& process) const;
  layout::TopicState state() const noexcept;

  std::vector<Handle> handles() const;
  /// The handle's slot for a partition; nullptr when its session was not found.
  const layout::Slot* slot(const Handle& handle, std::uint32_t partition) const;

  const layout::BoardPartition& board(std::uint32_t partition) const;
  /// Valid until the next call; only its loads may be used.
  ring::PartitionView view(std::uint32_t partition);

 private:
  FoundMemory found_;
  shm::Region board_;
  shm::Region tails_;
  shm::DataArea data_;  // of the partition looked at last
  std::map<FoundMemory::SessionChunk, shm::Region> sessions_;
  // Whoever wrote to these may have punched holes into them.
  shm::LandingArea tails_landing_, data_landing_;
  std::vector<shm::LandingArea> sessions_landings_;
  const layout::BoardHeader* header_ = nullptr;
  std::uint32_t partitions_ = 0;
  std::uint64_t ring_bytes_ = 0;
  std::uint32_t attachments_ = 0;
};

}  // namespace ringway::cli
