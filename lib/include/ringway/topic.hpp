#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ringway/bytes.hpp>

namespace [[gnu::visibility("default")]] ringway {

/// When the log of a topic is synced to its device.
enum class SyncPolicy : std::uint8_t {
  every_batch,  ///< after every write
  interval,     ///< after `sync_interval_ms` or `sync_bytes`, whichever comes first
  never,        ///< left to the kernel: `durable` then follows `written` and promises no more
};

/// What a topic without persistence does when its ring is full.
enum class WhenFull : std::uint8_t {
  block,      ///< producers wait for the slowest attached consumer
  overwrite,  ///< the oldest records go; consumers that were too slow get `lapped` and exact gaps
};

/// What is done about a producer that is alive but has stood still in mid-claim for
/// `stopped_after_ms`. Until then, and with `wait` for ever, its partition shows no later record.
enum class WhenStopped : std::uint8_t {
  wait,   ///< until it goes on, or dies
  fence,  ///< the ring is replaced without its claim; it gets `fenced` when it goes on
  kill,   ///< it is ended with SIGKILL, and its claim repaired
};

/// What is done about a consumer whose records held in place have kept producers waiting for
/// `pin_budget_ms` where no more rings may be retired for that (`retired_bytes_max`, the memory of
/// the host). Whatever is done, a byte that is held in place is never overwritten.
enum class WhenPinned : std::uint8_t {
  wait,  ///< producers wait until it lets go, moves on, or dies
  copy,  ///< from its next poll on it is given copies and holds nothing; until then they wait
  kill,  ///< it is ended with SIGKILL; never the process that ringway::Embedded is part of
};

/// What a persisted topic does while the device of its log refuses and its ring is short of space.
enum class WhenDiskFails : std::uint8_t {
  wait,    ///< producers wait until the device takes writes again: nothing is left out of the log
  memory,  ///< it goes on in memory only: what the ring cannot keep is left out of the log, as an
           ///< exact gap, and wait(offset, written | durable) says not_found of it
};

/// What a topic is like. The values here are the built-in defaults.
struct TopicSettings {
  std::uint32_t partitions = 1;                        ///< 1..10,000
  std::uint64_t ring_bytes = 16 * 1024 * 1024;         ///< per partition; power of 2, 64 KiB..4 GiB
  std::uint64_t segment_bytes = 256 * 1024 * 1024;     ///< per log file; 256 KiB..1 TiB.
                                                       ///< At least half the ring is taken.
  SyncPolicy sync = SyncPolicy::interval;
  std::uint32_t sync_interval_ms = 5;                  ///< 1..60,000
  std::uint64_t sync_bytes = 4 * 1024 * 1024;          ///< at least 4 KiB
  bool persist = true;
  WhenFull when_full = WhenFull::block;                ///< only without persistence
  std::uint64_t retention_bytes = 0;                   ///< per partition; 0 = no limit
  std::uint64_t retention_age_ms = 0;                  ///< 0 = no limit
  WhenStopped when_stopped = WhenStopped::wait;
  std::uint32_t stopped_after_ms = 5'000;              ///< 10..3,600,000
  std::uint32_t pin_budget_ms = 1'000;                 ///< how long records held in place may keep
                                                       ///< producers waiting before the ring is
                                                       ///< replaced; 0 = as long as they like
  std::uint64_t retired_bytes_max = 0;                 ///< how much of replaced rings consumers may
                                                       ///< hold in place; 0 = four times its rings;
                                                       ///< less than its rings: nothing
  WhenPinned when_pinned = WhenPinned::wait;           ///< only with persistence, as is the above
  WhenDiskFails when_disk_fails = WhenDiskFails::wait; ///< only with persistence
  std::vector<std::string> readers{};                  ///< users and @groups; the creator and the
  std::vector<std::string> writers{};                  ///< supervisor's own user always may
  std::vector<std::string> admins{};

  bool operator==(const TopicSettings&) const = default;
};

/// What a new topic is to be like. What is left open has the supervisor's defaults (`defaults` in
/// its configuration), else those of TopicSettings, whose ranges hold; what is chosen counts, also
/// where it is a default. Checked by the supervisor; a refused create says which field broke which
/// rule.
struct TopicChoices {
  std::optional<std::uint32_t> partitions{};
  std::optional<std::uint64_t> ring_bytes{};
  std::optional<std::uint64_t> segment_bytes{};
  std::optional<SyncPolicy> sync{};
  std::optional<std::uint32_t> sync_interval_ms{};
  std::optional<std::uint64_t> sync_bytes{};
  std::optional<bool> persist{};
  std::optional<WhenFull> when_full{};
  std::optional<std::uint64_t> retention_bytes{};
  std::optional<std::uint64_t> retention_age_ms{};
  std::optional<WhenStopped> when_stopped{};
  std::optional<std::uint32_t> stopped_after_ms{};
  std::optional<std::uint32_t> pin_budget_ms{};
  std::optional<std::uint64_t> retired_bytes_max{};
  std::optional<WhenPinned> when_pinned{};
  std::optional<WhenDiskFails> when_disk_fails{};
  std::vector<std::string> readers{};
  std::vector<std::string> writers{};
  std::vector<std::string> admins{};

  bool operator==(const TopicChoices&) const = default;
};

/// One row of Bus::topics().
struct TopicSummary {
  std::string name;
  std::string uuid;  ///< canonical text form
  std::uint32_t partitions = 0;
  bool persist = true;
};

/// The partition of a key: XXH3-64 (seed 0) of its bytes, modulo `partitions` (at least 1). Stable
/// for ever. Vectors, with four partitions: "" 2, "a" 3, "order-1" 2, "order-2" 0.
[[gnu::visibility("default")]] std::uint32_t partition_of(Bytes key,
                                                          std::uint32_t partitions) noexcept;

}  // namespace ringway
