#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "daemon/served_topic.hpp"
#include "layout/session.hpp"
#include "ring/partition_view.hpp"
#include "shm/region.hpp"
#include "support/temporary_directory.hpp"

namespace ringway::proof {

/// Which session slot is whose.
enum Seat : std::uint32_t {
  kVictim,
  kOther,    ///< the live producer
  kEarlier,  ///< a live producer whose claim is open while the victim acts
  kRivalA,
  kRivalB,
  kReader,  ///< the live consumer
  kHolder,  ///< a live consumer that holds records in place
  kVictimReader,
  kSeats,
};

/// What puppets say about themselves, for the audience to hold them to.
struct Told {
  std::atomic<std::uint64_t> committed[kSeats];  ///< records of it that it was told are published
  std::atomic<std::uint64_t> collected;          ///< offset behind the last record it was given
  std::atomic<std::uint32_t> falling_asleep;
  std::atomic<std::uint32_t> woke;
};

/// One topic of one partition on shared memory as the supervisor makes it, and the session slots of
/// all who act on it. Forked processes see the same memory. All of it can be kept and put back, so
/// that a scene may begin again.
class Stage {
 public:
  static constexpr std::uint64_t kRingBytes = 64 * 1024;

  enum class Log : unsigned char { none, kept };

  explicit Stage(std::uint64_t base_offset, Log log = Log::none);
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  /// As a client maps it; the supervisor's own view is topic().view(0).
  ring::PartitionView view(ring::Mapping mapping) const noexcept;
  layout::Slot& slot(std::size_t seat) const noexcept { return actors_->slot[seat]; }
  Told& told() const noexcept { return actors_->told; }
  std::atomic<std::uint32_t>& sleepers() const noexcept { return topic_->memory().bell().sleepers; }
  std::atomic<std::uint32_t>& bell_seq() const noexcept { return topic_->memory().ring().bell_seq; }
  daemon::ServedTopic& topic() const noexcept { return *topic_; }
  std::shared_ptr<daemon::ServedTopic> shared_topic() const noexcept { return topic_; }
  std::uint64_t tail_word() const noexcept;
  layout::Tail tail() const noexcept;

  std::uint64_t base_offset() const noexcept { return base_offset_; }
  const daemon::TopicIdentity& identity() const noexcept { return identity_; }
  const TopicSettings& settings() const noexcept { return topic_->settings(); }
  /// Of its own; the topic's log is in "log" there.
  const std::string& directory() const noexcept { return directory_->path(); }

  using Kept = std::vector<std::byte>;
  Kept keep() const;
  bool is_as(const Kept& kept) const noexcept;
  void put_back(const Kept& kept) const;

 private:
  struct Actors {
    std::array<layout::Slot, kSeats> slot;
    Told told;
  };

  std::array<std::span<std::byte>, 4> memory() const noexcept;

  std::uint64_t base_offset_;
  daemon::TopicIdentity identity_{{9, 9}, "proof", 1};
  std::optional<ringway::test::TemporaryDirectory> directory_;
  std::shared_ptr<daemon::ServedTopic> topic_;
  shm::DataArea mirrored_;
  shm::Descriptor actors_file_;
  shm::Region actors_region_;
  Actors* actors_ = nullptr;
};

}  // namespace ringway::proof
