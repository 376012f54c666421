#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/status_trouble.hpp"
#include "daemon/config.hpp"
#include "daemon/consume_latency.hpp"
#include "daemon/served_topic.hpp"
#include "daemon/session_table.hpp"
#include "daemon/topic_registry.hpp"
#include "layout/session.hpp"
#include "log/retention.hpp"

namespace ringway::daemon::metrics {

/// Consumers beyond these are counted, and left out.
inline constexpr std::size_t kConsumersMax = 256;
/// Positions that are copied for named cursors nobody holds, all in all.
inline constexpr std::size_t kPositionsMax = 65'536;

/// What the control thread knows of a topic. Its numbers are on its board, for any thread that has
/// it for the moment: `served` keeps no memory that is to go.
struct TopicEntry {
  std::string name;
  std::weak_ptr<const ServedTopic> served;  ///< never was: it cannot be served
  bool is_served = false;
  std::uint32_t producers = 0;
  std::uint32_t consumers = 0;
  std::uint32_t copying = 0;  ///< consumers that are given copies
  std::uint64_t retired_rings = 0;
  std::uint64_t retired_bytes = 0;
  std::uint64_t damages = 0;  ///< of its log, that are known of
  ConsumeLatency latency{};
};

/// A consumer that is there, or a named cursor that nobody holds.
struct ConsumerEntry {
  std::size_t topic = 0;  ///< of Inventory::topics
  std::string cursor;     ///< "" where it has no name
  std::uint32_t pid = 0;  ///< 0: nobody holds it
  std::weak_ptr<const Chunk::Mapping> memory;
  std::uint32_t first_slot = 0;
  std::vector<std::optional<std::uint64_t>> offsets;  ///< of one that nobody holds
};

/// What is on the bus at one moment.
struct Inventory {
  std::vector<TopicEntry> topics;
  std::vector<ConsumerEntry> consumers;
  std::size_t consumers_left_out = 0;
  std::uint64_t connected = 0;
  std::uint64_t disconnected = 0;  ///< clients that live, keep what they have open, and are away
  control::TroubleCounts troubles{};  ///< what `status` calls degraded, but for partitions
  std::uint64_t epoch = 0;
  std::uint64_t started_ns = 0;  ///< CLOCK_REALTIME
  std::uint64_t memory_used = 0;
  std::uint64_t memory_limit = 0;
  KeepFree keep_free{};
  log::RetiredBy retired_segments{};
  std::uint64_t killed_producers = 0;
  std::uint64_t killed_consumers = 0;
};

/// Topics and consumers, without a look at any partition: what it costs the control thread does not
/// depend on how many there are. Control thread only.
void take_stock(Inventory& inventory, const TopicRegistry& registry, const SessionTable& sessions);

}  // namespace ringway::daemon::metrics
