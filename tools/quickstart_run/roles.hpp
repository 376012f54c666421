#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "tools/quickstart_run/corpus.hpp"
#include "tools/quickstart_run/latency.hpp"
#include "tools/quickstart_run/tally.hpp"
#include "tools/stage/child.hpp"

// What the child processes do. Each tells the parent now and then how far it is, and in the end
// everything. Sent as they are: parent and child are one program.

namespace ringway::quickstart {

using cli::Channel;

inline constexpr const char* kTopic = "quickstart";
inline constexpr const char* kQuietTopic = "quickstart/quiet";

struct Report {
  bool done = false;
  std::uint64_t records = 0;
  std::uint64_t input_bytes = 0;  ///< producers: of the pieces they are through with
  // When done:
  Tally tally;
  double seconds = 0;  ///< from the first record to the last
  std::int64_t latency_p50_ns = 0;
  std::int64_t latency_p99_ns = 0;

  void set_latency(const LatencyHistogram& latency) noexcept {
    latency_p50_ns = latency.quantile(0.50);
    latency_p99_ns = latency.quantile(0.99);
  }
};

/// Sent to a reading child: where it may stop, per partition.
struct Goal {
  std::array<std::uint64_t, kPartitions> end_offset{};
};

/// Publishes the `producer`-th share of the corpus, a record a line.
void play_producer(Channel& parent, const std::string& socket, const Corpus& corpus,
                   std::uint32_t producer);

/// Publishes a record a millisecond for a second, each to be seen by a listener that was asleep.
void play_ticker(Channel& parent, const std::string& socket);
/// Measures how long they took.
void play_listener(Channel& parent, const std::string& socket);

/// Reads from the start until the goal, which may come while it reads.
void play_reader(Channel& parent, const std::string& socket);

}  // namespace ringway::quickstart
