#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "control/status_trouble.hpp"
#include "daemon/metrics/event_counts.hpp"
#include "daemon/metrics/inventory.hpp"
#include "daemon/metrics/text.hpp"

namespace ringway::daemon::metrics {

/// What one scrape prints, piece by piece: however many partitions there are, no more than a piece
/// is in memory. Reads boards and session memory. A lock is held only for a look at one list of
/// segments (SegmentList), for which the flusher may have to wait. One thread.
class Scrape {
 public:
  Scrape(std::shared_ptr<const Inventory> inventory, EventCounts::Counts events,
         std::filesystem::path state_dir)
      : inventory_(std::move(inventory)),
        events_(std::move(events)),
        state_dir_(std::move(state_dir)) {}

  /// Appends the next piece, of some KiB. False: that was the last.
  bool append(std::string& out);

 private:
  enum class Part : std::uint8_t {
    bus,
    topics,
    partitions,
    holds,
    syncs,
    latencies,
    consumers,
    done
  };

  void append_bus(Text text) const;
  bool append_topics(Text text);
  bool append_partitions(Text text);
  bool append_holds(Text text);
  bool append_syncs(Text text);
  bool append_latencies(Text text);
  void look_at_consumers();
  bool append_consumers(Text text);

  /// What is known of one consumer, or of all without a name that a topic has: looked up once,
  /// printed in several families.
  struct Seen {
    Labels labels;
    bool named;
    bool held;
    std::uint64_t count = 1;
    std::uint64_t records = 0;
    std::optional<std::uint64_t> bytes{};
    std::optional<double> seconds{};

    void take_in(const Seen& other);
  };

  std::shared_ptr<const Inventory> inventory_;
  EventCounts::Counts events_;
  std::filesystem::path state_dir_;
  Part part_ = Part::bus;
  std::size_t family_ = 0;      // of the part
  std::size_t entry_ = 0;       // topic or consumer
  std::uint32_t partition_ = 0;
  std::array<std::uint64_t, 16> holds_{};  // partitions, by layout::Hold
  control::TroubleCounts troubles_;        // of partitions: by topic, one for each cause
  std::vector<Seen> seen_;
};

}  // namespace ringway::daemon::metrics
