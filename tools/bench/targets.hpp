#pragma once

#include <cstdint>
#include <optional>

// What is to be reached, as ratios within one run of a release build on two cores. They say what
// was promised: a miss is shown, it does not move them.

namespace ringway::cli::targets {

// Against the best cursor ring with slots as large as our records.
inline constexpr double kRingClaimsOf1 = 0.9;      // 64-byte records, records/s
inline constexpr double kRingClaimsOfMany = 0.7;   // 64-byte records, claims of 16 and 64
inline constexpr double kRingLargeRecords = 0.7;   // 1 KiB and 64 KiB, filled in place
inline constexpr double kExclusiveToShared = 1.2;  // 64-byte records, claims of 1
// Two producers on one partition, with a consumer: their sum against one, and each one's share.
inline constexpr double kTwoProducersToOne = 0.6;
inline constexpr double kSmallestShare = 0.3;
// Against a bare copy of a record of as many lines.
inline constexpr double kLatencyP50 = 1.3;
inline constexpr double kLatencyP99 = 2;
// Against a bare futex wake of a process that has slept as long.
inline constexpr double kWakeP50 = 1.2;
// System calls and locked instructions of a publish while nobody sleeps: the claim's one.
inline constexpr double kQuietPublish = 1;

// Against the best writer of the same buffer into blocks in the same state, with a reader, in
// bytes.
inline constexpr double kPersistLarge = 0.8;  // 1 KiB
inline constexpr double kPersistSmall = 0.6;  // 64 B
// Less than that is shown, but not judged: what all repeats persisted together, and how long it
// took.
inline constexpr std::uint64_t kPersistedBytes = std::uint64_t{8} << 30;
inline constexpr double kPersistedSeconds = 5;
// Against read(2) with 1 MiB buffers and one pass over every byte of the same files, in bytes.
inline constexpr double kReplayLarge = 0.8;  // 1 KiB
inline constexpr double kReplaySmall = 0.5;  // 64 B
// Against a bare write and fdatasync of the same bytes.
inline constexpr double kDurableP50 = 1.25;
// That many producers together against one.
inline constexpr std::uint32_t kManyDurable = 64;
inline constexpr double kManyDurableToOne = 20;
// A producer that many consumers read from, against the same with one.
inline constexpr std::uint32_t kManyConsumers = 8;
inline constexpr double kFanout = 0.85;

// Producers and live consumers, while another consumer falls to disk and comes back, against the
// same without it.
inline constexpr double kSpillToNone = 0.95;
// Of a supervisor with that many partitions in which nothing happens, and its keeper: its share of
// one CPU, and its own memory for each beyond the ring.
inline constexpr std::uint32_t kIdlePartitions = 10'000;
inline constexpr std::uint64_t kIdleRingBytes = 64 << 10;
inline constexpr double kIdleCpuPercent = 0.5;
inline constexpr double kIdleKibEach = 4;
// A partition at work costs the same with them: CPU time of a record against that without them. It
// was promised without a figure; repeats of the same differ by a tenth.
inline constexpr double kActiveToAlone = 1.1;

// What a limit has to reach to be one: 64-byte slots, records per one-way time of a cache line, in
// its best repeat.
inline constexpr double kCursorRingClaimsOf1 = 3.2;
inline constexpr double kCursorRingClaimsOf16 = 6.5;
inline constexpr double kCursorRingClaimsOf64 = 7;

/// One producer and one consumer against the cursor ring. Nothing where nothing was promised.
constexpr std::optional<double> of_ring(std::uint64_t size_bytes, std::uint32_t claim) noexcept {
  if (size_bytes == 64 && claim == 1) return kRingClaimsOf1;
  if (size_bytes == 64 && (claim == 16 || claim == 64)) return kRingClaimsOfMany;
  if ((size_bytes == 1024 || size_bytes == 64 * 1024) && claim == 1) return kRingLargeRecords;
  return std::nullopt;
}

constexpr std::optional<double> of_persist(std::uint64_t size_bytes) noexcept {
  if (size_bytes == 1024) return kPersistLarge;
  if (size_bytes == 64) return kPersistSmall;
  return std::nullopt;
}

/// What the repeats of a persisted row gave together.
struct Persisted {
  std::uint64_t bytes = 0;
  double seconds = 0;
};

/// Whether it is enough to be judged.
constexpr bool enough(const Persisted& all) noexcept {
  return all.bytes >= kPersistedBytes && all.seconds >= kPersistedSeconds;
}

constexpr std::optional<double> of_replay(std::uint64_t size_bytes) noexcept {
  if (size_bytes == 1024) return kReplayLarge;
  if (size_bytes == 64) return kReplaySmall;
  return std::nullopt;
}

constexpr std::optional<double> of_cursor_ring(std::uint32_t claim) noexcept {
  switch (claim) {
    case 1:
      return kCursorRingClaimsOf1;
    case 16:
      return kCursorRingClaimsOf16;
    case 64:
      return kCursorRingClaimsOf64;
    default:
      return std::nullopt;
  }
}

}  // namespace ringway::cli::targets
