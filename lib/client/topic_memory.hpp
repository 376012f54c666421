#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "layout/bell.hpp"
#include "layout/board.hpp"
#include "layout/ring.hpp"
#include "ring/partition_view.hpp"
#include "shm/descriptor.hpp"
#include "shm/landing.hpp"
#include "shm/region.hpp"
#include "shm/uuid.hpp"

namespace ringway {

/// One ring generation of a topic as this process maps it: board (read-only), ring (writable for
/// producers only) and bell. Shared by the handles of one role; any thread. Verified when made:
/// sealed, sized as the board says, of a layout this library knows. The descriptors stay open, so
/// that a person can still reach the ring when everybody else is dead.
class TopicMemory {
 public:
  /// What the supervisor said it hands over.
  struct Identity {
    shm::Uuid topic;
    std::uint64_t generation;
    layout::Role role;

    friend auto operator<=>(const Identity&, const Identity&) = default;
  };

  /// @throws Error incompatible when the layouts differ, naming both versions; failed when a
  /// descriptor is not what it should be.
  TopicMemory(const Identity& identity, shm::Descriptor board, shm::Descriptor ring,
              shm::Descriptor bell);

  const Identity& identity() const noexcept { return identity_; }
  std::uint32_t partitions() const noexcept { return partitions_; }
  std::uint64_t ring_bytes() const noexcept { return ring_bytes_; }
  layout::TopicMode mode() const noexcept { return mode_; }

  const layout::BoardHeader& board() const noexcept { return *board_; }
  const layout::BoardPartition& board(std::uint32_t partition) const noexcept {
    return board_partitions_[partition];
  }
  layout::BellHeader& bell() const noexcept { return *bell_; }
  layout::BellPartition& bell(std::uint32_t partition) const noexcept {
    return bell_partitions_[partition];
  }
  /// Whether who serves it keeps BoardPartition::told up. Relaxed: every sleep ends.
  bool tells_by_offset() const noexcept {
    return board_->minor.load(std::memory_order::relaxed) >= layout::kToldSinceMinor;
  }
  /// The entry of an open handle; nullptr where the table has none of that number.
  const layout::Attachment* attachment(std::uint32_t index) const noexcept {
    return index < attachments_.size() ? &attachments_[index] : nullptr;
  }
  /// All entries, also those of nobody.
  std::span<const layout::Attachment> attachments() const noexcept { return attachments_; }
  /// How far a partition is claimed, without a mapping of its records.
  const std::atomic<std::uint64_t>& tail(std::uint32_t partition) const noexcept;
  /// Writable for producers only.
  std::atomic<std::uint32_t>& bell_seq() const noexcept { return *bell_seq_; }

  /// The partition's memory, mapped at its first use.
  /// @throws Error when no more can be mapped.
  ring::PartitionView view(std::uint32_t partition);

  /// What it maps, for who hands it on.
  const shm::Descriptor& board_file() const noexcept { return board_file_; }
  const shm::Descriptor& ring_file() const noexcept { return ring_file_; }

  /// Whether this mapping lost some of the partition's ring, or of the tails: what is read there is
  /// not what others see.
  bool lost_ring_page(std::uint32_t partition);
  /// The same of anything in it that may be lost.
  bool lost_page();
  /// The same memory in a mapping that has lost nothing yet.
  /// @throws Error when no more can be mapped.
  std::shared_ptr<TopicMemory> mapped_anew() const;

 private:
  Identity identity_;
  shm::Descriptor board_file_, ring_file_, bell_file_;
  shm::Region board_region_, ring_region_, bell_region_;
  const layout::BoardHeader* board_ = nullptr;
  const layout::BoardPartition* board_partitions_ = nullptr;
  std::span<const layout::Attachment> attachments_;
  layout::BellHeader* bell_ = nullptr;
  layout::BellPartition* bell_partitions_ = nullptr;
  std::atomic<std::uint32_t>* bell_seq_ = nullptr;
  std::uint32_t partitions_ = 0;
  std::uint64_t ring_bytes_ = 0;
  layout::TopicMode mode_{};
  // Nobody but the supervisor can punch holes into the board.
  shm::LandingArea tails_landing_, bell_landing_;
  struct Data {
    shm::DataArea area;
    shm::LandingArea landing;
  };
  std::mutex mutex_;
  std::vector<Data> data_;  // by partition; under mutex_
  std::uint64_t populated_bytes_ = 0;  // under mutex_
};

}  // namespace ringway
