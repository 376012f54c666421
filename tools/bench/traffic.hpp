#pragma once

#include <chrono>
#include <cstdint>
#include <ringway/topic.hpp>
#include <string>

#include "tools/stage/child.hpp"

// Processes that publish to many partitions without a pause, and read them, while a parent does
// something to their supervisor. Sequence and content of every record are checked.

namespace ringway::cli {

struct TrafficShape {
  std::uint32_t topics = 1;
  std::uint32_t partitions = 1;  ///< of each topic
  std::uint64_t records_per_s = 0;
  std::uint32_t first = 0;  ///< number of the first topic

  std::uint32_t lanes() const noexcept { return topics * partitions; }
  std::string topic(std::uint32_t index) const;
};

/// Makes the shape's topics, each as `choices` with the shape's partitions say. Patient: populating
/// gigabytes of rings takes its time.
void create_topics(const std::string& socket, const TrafficShape& shape, TopicChoices choices);

/// What a role is told, and answers.
struct Order {
  enum class Kind : std::uint8_t {
    mark,    ///< pauses count from here on; no answer
    report,  ///< answered by the longest Pause since the mark
    finish,  ///< producer: ends, answered by the records published. Consumer: reads all `records`
             ///< and ends, answered by their number. Client: ends
    attach,  ///< client: answered by Attached, the time of the first answer from a supervisor
  };
  Kind kind;
  std::uint64_t records = 0;
};
using Pause = std::chrono::nanoseconds;
using Attached = std::chrono::steady_clock::time_point;

/// Publishes to all partitions in turn, at the shape's rate, first to last.
void play_traffic_producer(Channel& parent, const std::string& socket, const TrafficShape& shape);
/// Follows all of them.
void play_traffic_consumer(Channel& parent, const std::string& socket, const TrafficShape& shape);
/// Makes a connection when told to attach, and opens a topic.
void play_new_client(Channel& parent, const std::string& socket, const TrafficShape& shape);
/// Has a connection and a handle from the start, and asks for something when told to attach.
void play_old_client(Channel& parent, const std::string& socket, const TrafficShape& shape);

}  // namespace ringway::cli
