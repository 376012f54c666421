#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "layout/bell.hpp"
#include "layout/board.hpp"
#include "layout/ring.hpp"
#include "ring/partition_view.hpp"
#include "ringway/topic.hpp"
#include "shm/descriptor.hpp"
#include "shm/landing.hpp"
#include "shm/memory_file.hpp"
#include "shm/region.hpp"
#include "shm/uuid.hpp"

namespace ringway::daemon {

/// What a board says once and for all about its topic.
struct TopicIdentity {
  shm::Uuid uuid{};
  std::string name;
  std::uint64_t generation = 1;
};

/// The three memory files of one topic before anybody has them: reserved and cleared by steps, for
/// rings may be large. One thread at a time, whichever.
class TopicMemoryInMaking {
 public:
  /// Of the memory that is there, `promised_bytes` are for others that are being made.
  /// @throws Error (limit) when memory is short, like step().
  TopicMemoryInMaking(const TopicIdentity& identity, const TopicSettings& settings,
                      std::uint32_t attachments, std::uint64_t promised_bytes);
  /// At most a few milliseconds of it.
  void step();
  std::uint64_t missing_bytes() const noexcept;

 private:
  friend class TopicMemory;
  shm::MemoryFileInMaking ring_, board_, bell_;
};

/// Ring, board and bell of one topic, open and mapped read-write, as the supervisor has them. Owned
/// by a ServedTopic. A crash costs nothing while the keeper holds the descriptors.
class TopicMemory {
 public:
  /// Makes the three memory files, sealed and reserved; the board is filled but for its magic.
  /// @throws Error (limit) when memory is short.
  static TopicMemory create(const TopicIdentity& identity, const TopicSettings& settings,
                            std::uint32_t attachments);
  /// The same of files of which nothing is missing any more.
  static TopicMemory create(const TopicIdentity& identity, const TopicSettings& settings,
                            std::uint32_t attachments, TopicMemoryInMaking files);

  /// Takes over what another supervisor made. The board must be whole, of this layout, and of that
  /// topic, generation and shape.
  /// @throws Error naming what does not fit; incompatible when another version can still use it,
  /// else the memory is worth nothing.
  static TopicMemory adopt(const TopicIdentity& identity, const TopicSettings& settings,
                           shm::Descriptor ring, shm::Descriptor board, shm::Descriptor bell);

  /// Bytes of shared memory that a topic of this shape takes.
  static std::uint64_t bytes(const TopicSettings& settings, std::uint32_t attachments) noexcept;

  /// Publishes the magic: from here on the board counts as whole.
  void publish() const noexcept;

  layout::BoardHeader& board() const { return board_.at<layout::BoardHeader>(0); }
  std::span<layout::Attachment> attachments() const;
  layout::BellHeader& bell() const { return bell_.at<layout::BellHeader>(0); }
  layout::BellPartition& bell(std::uint32_t partition) const;
  layout::RingHeader& ring() const { return ring_.at<layout::RingHeader>(0); }
  ring::PartitionView view(std::uint32_t partition) const;

  /// Whether some of the partition's ring, or the page with its tail, was punched out by a producer
  /// while there was no memory to fill it again: what is in it cannot be followed any more.
  bool lost_ring_page(std::uint32_t partition) const noexcept {
    return tails_landing_.hit() || data_landings_[partition].hit();
  }
  /// The same of the bell. Wake-ups may be missed; nothing else rests on it.
  bool lost_bell_page() const noexcept { return bell_landing_.hit(); }

  int ring_fd() const noexcept { return ring_fd_.get(); }
  int board_fd() const noexcept { return board_fd_.get(); }
  int bell_fd() const noexcept { return bell_fd_.get(); }
  std::uint64_t bytes() const noexcept { return ring_.bytes() + board_.bytes() + bell_.bytes(); }

 private:
  TopicMemory(shm::Descriptor ring, shm::Descriptor board, shm::Descriptor bell);
  void watch_for_holes();

  shm::Descriptor ring_fd_, board_fd_, bell_fd_;
  shm::Region ring_, board_, bell_;
  shm::LandingArea tails_landing_, bell_landing_;
  std::vector<shm::LandingArea> data_landings_;  ///< by partition
};

/// The mode that settings ask for.
layout::TopicMode mode_of(const TopicSettings& settings) noexcept;

}  // namespace ringway::daemon
