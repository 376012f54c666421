#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/flusher.hpp"
#include "daemon/sync_times.hpp"
#include "daemon/topic_memory.hpp"
#include "log/partition_log.hpp"
#include "ringway/topic.hpp"

namespace ringway::daemon {

/// The segments of one partition on disk, oldest first. The flusher says what there is, the control
/// thread looks places up. Any thread.
class SegmentList {
 public:
  void assign(std::vector<log::SegmentInfo> segments);
  std::vector<log::SegmentInfo> snapshot() const;

  /// The end of a segment, as far as it was told.
  struct End {
    std::uint64_t position;
    std::int64_t time_max;  ///< of all its records; log::kNoTime: it has none
  };
  /// Of the oldest segment that has records at or behind `offset`.
  std::optional<End> reaching_beyond(std::uint64_t offset) const;

 private:
  mutable std::mutex mutex_;
  std::vector<log::SegmentInfo> segments_;
};

/// A topic that is being served: its memory, its partitions' directories and segments. Made by the
/// registry in the control thread, given to the flusher with add(), shared by both until the
/// flusher has answered remove(). What the two threads share beside the board is guarded where it
/// stands; the rest never changes. Who writes which of the board's words: daemon/INSIDE.md. A crash
/// costs nothing: the keeper holds the memory.
class ServedTopic {
 public:
  struct Options {
    TopicIdentity identity;
    TopicSettings settings;
    std::uint64_t epoch = 0;          ///< the supervisor's
    std::filesystem::path directory;  ///< STATE/topics/<uuid>; "" without persistence
  };

  ServedTopic(Options options, TopicMemory memory)
      : options_(std::move(options)),
        memory_(std::move(memory)),
        partitions_(options_.settings.partitions) {}

  const std::string& name() const noexcept { return options_.identity.name; }
  const shm::Uuid& uuid() const noexcept { return options_.identity.uuid; }
  std::uint64_t generation() const noexcept { return options_.identity.generation; }
  const TopicSettings& settings() const noexcept { return options_.settings; }
  std::uint32_t partitions() const noexcept { return options_.settings.partitions; }
  std::uint64_t epoch() const noexcept { return options_.epoch; }
  const TopicMemory& memory() const noexcept { return memory_; }

  ring::PartitionView view(std::uint32_t partition) const { return memory_.view(partition); }
  /// The partition's ring as the log sees it.
  log::Stream stream(std::uint32_t partition) const {
    const auto view = memory_.view(partition);
    return {view.at(0), view.ring_bytes(),
            view.board().base_position.load(std::memory_order::relaxed)};  // fixed for the ring
  }
  std::filesystem::path directory(std::uint32_t partition) const {
    return options_.directory / std::to_string(partition);
  }
  SegmentList& segments(std::uint32_t partition) const { return partitions_[partition].segments; }

  /// Where the flusher continues the partition's log, and on top of what. Set before add(). For a
  /// new ring `at` is ring position 0. For an adopted one it is the end of what verified on disk,
  /// or the ring's beginning when that lies behind it.
  log::LogStart& log_start(std::uint32_t partition) const { return partitions_[partition].start; }

  /// Whether the partition's device refuses, whatever else its state is that people see. The
  /// flusher's; relaxed: it may change in this moment anyway.
  std::atomic<bool>& device_refuses(std::uint32_t partition) const {
    return partitions_[partition].device_refuses;
  }

  /// How long syncs took. Written by the flusher.
  SyncTimes& sync_times() const { return sync_times_; }

  void set_state(layout::TopicState state) const noexcept;
  /// Everybody who sleeps on the topic looks again.
  void wake_everybody() const noexcept;

  /// Handles that were open when this ring was adopted. The flusher attaches them within add():
  /// were they to come after it, a first round could give away what they pin.
  std::vector<HandleSlots> adopted_handles;

  /// Whether the ring lived on from an earlier supervisor: its tail, watermarks and stamps count.
  bool adopted = false;

 private:
  struct Partition {
    SegmentList segments;
    log::LogStart start;
    std::atomic<bool> device_refuses{false};
  };

  Options options_;
  TopicMemory memory_;
  mutable std::vector<Partition> partitions_;
  mutable SyncTimes sync_times_;
};

}  // namespace ringway::daemon
