#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "tools/bench/cpus.hpp"
#include "tools/bench/process_memory.hpp"
#include "tools/stage/child.hpp"
#include "tools/stage/private_bus.hpp"

namespace ringway::cli {

struct IdleShape {
  std::uint32_t partitions = 0;
  std::uint32_t used = 0;  ///< the first ones: they held records before
  std::uint64_t ring_bytes = 0;
};

/// Why a bus with that many partitions cannot be had here: memory, descriptors; "" when it can.
std::string why_no_room_for(const IdleShape& shape);

/// A topic of many partitions, persisted as by default, in which nothing happens: a process holds
/// all of them open with a producer and a consumer, and stands still. The first ones have published
/// records, which are durable, and were read and checked. Owned by the process that made the bus,
/// which outlives it; a crash ends the holder.
class IdlePartitions {
 public:
  /// Throws Error when the supervisor refuses.
  IdlePartitions(const PrivateBus& bus, const CpuPair& cpus, const IdleShape& shape);

  const std::string& topic() const noexcept { return topic_; }

 private:
  std::string topic_;
  std::optional<Child> holder_;
};

/// What supervisor and keeper take while nobody asks them for anything.
struct QuietBus {
  double cpu_percent = 0;     ///< of one CPU, both together
  double keeper_percent = 0;  ///< the keeper's part of it
  OwnMemory supervisor;
  OwnMemory keeper;

  std::uint64_t own_bytes() const noexcept { return supervisor.bytes() + keeper.bytes(); }
};

/// After what was last asked of them has come to its end. Throws Interrupted.
QuietBus look_at_quiet(const PrivateBus& bus, std::chrono::nanoseconds length);

}  // namespace ringway::cli
