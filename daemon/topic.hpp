#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/access.hpp"
#include "daemon/catalog.hpp"
#include "daemon/consume_latency.hpp"
#include "daemon/log_damage.hpp"
#include "daemon/named_cursors.hpp"
#include "daemon/open_producers.hpp"
#include "daemon/served_topic.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon {

/// Called in the control thread: nothing, or why the topic keeps the ring it has. The topic's own:
/// never called behind its end, and must not keep it alive.
using Replaced = std::function<void(const std::optional<Error>&)>;

/// Why a topic gets another ring.
enum class ReplacedBecause : std::uint8_t {
  altered,        ///< a person asked for it
  stopped_claim,  ///< a producer stood still in mid-claim
  long_pin,       ///< records held in place kept producers waiting
  worn_out,       ///< its positions ran out
  interrupted,    ///< the supervisor before had begun it
};

/// A ring that is to follow the one that is served.
struct Replacement {
  TopicSettings settings;
  ReplacedBecause reason;
  std::shared_ptr<ServedTopic> served;  ///< null: its memory is being made
  Replaced done;
  bool old_is_free = false;  ///< the flusher has let go of the old ring
  std::string refused{};     ///< why it is not finished
};

/// A ring that was replaced and that somebody may still have mapped.
struct RetiredRing {
  std::uint64_t generation;
  std::uint64_t bytes;       ///< of all its memory
  std::uint64_t ring_bytes;  ///< of its partitions' rings
};

/// A topic as the control thread knows it.
struct Topic {
  TopicRow row;
  TopicSettings settings;
  control::TopicAccess access;
  NamedCursors cursors;
  OpenProducers producers{};
  std::shared_ptr<ServedTopic> served{};  ///< null: it cannot be served, and `fault` says why
  std::string fault{};
  LogDamage damage{};
  bool deleting = false;
  std::unique_ptr<Replacement> replacement{};  ///< under way
  std::string not_resumed{};  ///< why it does not get the ring that a predecessor had begun
  std::vector<RetiredRing> retired{};
  ConsumeLatency latency{};  ///< up to the last take_latencies()
};

}  // namespace ringway::daemon
