#include "daemon/metrics/scrape.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <utility>

#include "control/messages.hpp"
#include "control/status_trouble.hpp"
#include "daemon/hold_cause.hpp"
#include "daemon/layout_minor.hpp"
#include "daemon/metrics/consumer_lag.hpp"
#include "layout/version.hpp"
#include "log/retention.hpp"
#include "shm/clock.hpp"

namespace ringway::daemon::metrics {
namespace {

/// Records that are passed on the way to where consumers are, in one scrape.
constexpr std::uint64_t kHopsMax = 1 << 20;
/// Partitions in a piece.
constexpr std::uint32_t kPartitionsAtOnce = 256;

double seconds(std::uint64_t ns) {
  return static_cast<double>(ns) / 1e9;  // so that bounds are printed as they are written
}

// Numbers of the board are loaded relaxed: for people, each true for itself.
std::uint64_t value(const std::atomic<std::uint64_t>& word) {
  return word.load(std::memory_order::relaxed);
}

struct PartitionFamily {
  std::string_view name;
  Kind kind;
  std::string_view help;
  std::uint64_t (*of)(const layout::BoardPartition&, std::uint64_t ring_bytes);
};

using Board = layout::BoardPartition;

// Counters are of the ring that is served: they begin anew with each, as Prometheus expects of one
// that is restarted, and never jump where offsets do.
constexpr PartitionFamily kPartitionFamilies[] = {
    {"ringway_partition_committed_offset", Kind::gauge,
     "First offset that is not committed (visible) yet.",
     [](const Board& b, std::uint64_t) { return value(b.committed_offset); }},
    {"ringway_partition_written_offset", Kind::gauge,
     "First offset that is not in the file system yet.",
     [](const Board& b, std::uint64_t) { return value(b.written_offset); }},
    {"ringway_partition_durable_offset", Kind::gauge, "First offset that is not synced yet.",
     [](const Board& b, std::uint64_t) { return value(b.durable_offset); }},
    {"ringway_partition_first_offset", Kind::gauge,
     "Oldest offset that can still be read, from the log or the ring.",
     [](const Board& b, std::uint64_t) { return value(b.first_offset); }},
    {"ringway_partition_records_total", Kind::counter,
     "Offsets committed in the present ring, gaps included.",
     [](const Board& b, std::uint64_t) {
       return value(b.committed_offset) - std::min(value(b.base_offset), value(b.committed_offset));
     }},
    {"ringway_partition_bytes_total", Kind::counter,
     "Bytes committed in the present ring, headers and padding included.",
     [](const Board& b, std::uint64_t) { return value(b.committed_position); }},
    {"ringway_partition_log_bytes", Kind::gauge, "Size of the log's files.",
     [](const Board& b, std::uint64_t) { return value(b.log_bytes); }},
    {"ringway_partition_ring_used_bytes", Kind::gauge,
     "What of the ring is committed and cannot be claimed again yet.",
     [](const Board& b, std::uint64_t ring_bytes) {
       const std::uint64_t committed = value(b.committed_position);
       const std::uint64_t limit = value(b.limit);
       return std::min(committed + ring_bytes - std::min(limit, committed + ring_bytes),
                       ring_bytes);
     }},
    {"ringway_partition_repairs_total", Kind::counter,
     "Claims that were finished for dead producers, in the present ring.",
     [](const Board& b, std::uint64_t) { return value(b.repairs); }},
    {"ringway_partition_log_gaps_total", Kind::counter,
     "Gaps of the log: offsets whose ring was lost, or that left it while the device refused.",
     [](const Board& b, std::uint64_t) {
       return std::uint64_t{b.log_gaps.load(std::memory_order::relaxed)};
     }},
    {"ringway_partition_write_errors_total", Kind::counter,
     "Times that the device refused a write or sync, in the present ring.",
     [](const Board& b, std::uint64_t) { return value(b.write_errors); }},
    {"ringway_partition_hostile_pins_total", Kind::counter,
     "Pins that no honest consumer could hold, in the present ring.",
     [](const Board& b, std::uint64_t) { return value(b.hostile_pins); }},
};

struct TopicFamily {
  std::string_view name;
  std::string_view help;
  std::uint64_t (*of)(const TopicEntry&);
};

constexpr TopicFamily kTopicFamilies[] = {
    {"ringway_topic_served", "1: the topic is served; 0: it is kept out, as status says.",
     [](const TopicEntry& t) { return std::uint64_t{t.is_served}; }},
    {"ringway_topic_producers", "Open producers.",
     [](const TopicEntry& t) { return std::uint64_t{t.producers}; }},
    {"ringway_topic_consumers", "Open consumers.",
     [](const TopicEntry& t) { return std::uint64_t{t.consumers}; }},
    {"ringway_topic_copying_consumers",
     "Consumers that may not hold records in place any more and are given copies.",
     [](const TopicEntry& t) { return std::uint64_t{t.copying}; }},
    {"ringway_topic_retired_rings", "Replaced rings that somebody still has mapped.",
     [](const TopicEntry& t) { return t.retired_rings; }},
    {"ringway_topic_retired_bytes", "Memory of replaced rings that somebody still has mapped.",
     [](const TopicEntry& t) { return t.retired_bytes; }},
    {"ringway_topic_lost_ranges",
     "Ranges of its log that consumers do not get, as they are damaged or gone.",
     [](const TopicEntry& t) { return t.damages; }},
    {"ringway_topic_ring_bytes", "Size of the ring of each partition.",
     [](const TopicEntry& t) {
       const auto served = t.served.lock();
       return served ? served->settings().ring_bytes : 0;
     }},
};

constexpr layout::Hold kHolds[] = {
    layout::Hold::disk_slow,     layout::Hold::disk_full,     layout::Hold::disk_error,
    layout::Hold::pinned,        layout::Hold::stopped_claim, layout::Hold::slow_consumer,
    layout::Hold::stopping,      layout::Hold::quarantined,   layout::Hold::memory_only};

struct Histogram {
  std::span<const std::uint64_t> bounds_ns;
  std::span<const std::uint64_t> counts;  ///< by bucket: one more than bounds
  double sum_seconds;
};

void append_histogram(Text& text, std::string_view name, Labels labels,
                      const Histogram& histogram) {
  const std::size_t before = labels.size();
  const std::string bucket = std::string(name) + "_bucket";
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < histogram.bounds_ns.size(); ++i) {
    sum += histogram.counts[i];
    labels.add("le", fmt::format("{}", seconds(histogram.bounds_ns[i])));
    text.sample(bucket, labels, sum);
    labels.cut(before);
  }
  sum += histogram.counts.back();
  labels.add("le", "+Inf");
  text.sample(bucket, labels, sum);
  labels.cut(before);
  text.sample(std::string(name) + "_sum", labels, histogram.sum_seconds);
  text.sample(std::string(name) + "_count", labels, sum);
}

}  // namespace

bool Scrape::append(std::string& out) {
  Text text(out);
  bool over = true;
  switch (part_) {
    case Part::bus:
      append_bus(text);
      break;
    case Part::topics:
      over = append_topics(text);
      break;
    case Part::partitions:
      over = append_partitions(text);
      break;
    case Part::holds:
      over = append_holds(text);
      break;
    case Part::syncs:
      over = append_syncs(text);
      break;
    case Part::latencies:
      over = append_latencies(text);
      break;
    case Part::consumers:
      over = append_consumers(text);
      break;
    case Part::done:
      return false;
  }
  if (over) {
    part_ = static_cast<Part>(static_cast<int>(part_) + 1);
    family_ = entry_ = 0;
    partition_ = 0;
  }
  return part_ != Part::done;
}

void Scrape::append_bus(Text text) const {
  const Inventory& all = *inventory_;
  const auto one = [&](std::string_view name, Kind kind, std::string_view help, auto number) {
    text.family(name, kind, help);
    text.sample(name, {}, number);
  };
  text.family("ringway_build_info", Kind::gauge, "1; the labels say which ringwayd this is.");
  text.sample("ringway_build_info",
              Labels()
                  .add("version", RINGWAY_VERSION)
                  .add("layout", fmt::format("{}.{}", layout::kLayoutVersion.major, kServedMinor))
                  .add("protocol", control::kProtocolVersion),
              std::uint64_t{1});
  one("ringway_start_time_seconds", Kind::gauge, "When this supervisor began, since 1970.",
      seconds(all.started_ns));
  one("ringway_supervisor_epoch", Kind::gauge, "How many supervisors have served this bus.",
      all.epoch);
  one("ringway_topics", Kind::gauge, "Topics there are.", std::uint64_t{all.topics.size()});
  text.family("ringway_clients", Kind::gauge,
              "Clients that are connected, and those that keep what they have open while away.");
  text.sample("ringway_clients", Labels().add("state", "connected"), all.connected);
  text.sample("ringway_clients", Labels().add("state", "disconnected"), all.disconnected);
  one("ringway_memory_bytes", Kind::gauge, "Shared memory of all topics.", all.memory_used);
  one("ringway_memory_limit_bytes", Kind::gauge, "limits.memory.", all.memory_limit);
  struct statvfs disk{};
  if (::statvfs(state_dir_.c_str(), &disk) == 0) {
    const std::uint64_t size = std::uint64_t{disk.f_blocks} * disk.f_frsize;
    one("ringway_disk_free_bytes", Kind::gauge, "What is free where the log is.",
        std::uint64_t{disk.f_bavail} * disk.f_frsize);
    one("ringway_disk_size_bytes", Kind::gauge, "The size of the file system where the log is.",
        size);
    one("ringway_disk_keep_free_bytes", Kind::gauge,
        "disk.keep_free: with less the oldest segments go, whatever retention says.",
        all.keep_free.of(size));
  }
  text.family("ringway_segments_retired_total", Kind::counter,
              "Segments that retention took, by what asked for it first.");
  for (const log::Limit limit : log::kLimits) {
    text.sample("ringway_segments_retired_total", Labels().add("reason", to_string(limit)),
                std::uint64_t{all.retired_segments[static_cast<std::size_t>(limit)]});
  }
  text.family("ringway_killed_total", Kind::counter, "Clients ended by a topic's policy.");
  text.sample("ringway_killed_total", Labels().add("role", "producer"), all.killed_producers);
  text.sample("ringway_killed_total", Labels().add("role", "consumer"), all.killed_consumers);
  text.family("ringway_rings_replaced_total", Kind::counter,
              "Topics that got another ring; of reason long_pin, past records held too long.");
  for (const auto& [reason, count] : events_.rings_replaced) {
    text.sample("ringway_rings_replaced_total", Labels().add("reason", reason), count);
  }
  text.family("ringway_evictions_total", Kind::counter,
              "Consumers that held records in place for too long, by what was done about it.");
  const auto happened = [&](std::string_view event) {
    const auto found = events_.events.find(event);
    return found == events_.events.end() ? std::uint64_t{0} : found->second;
  };
  text.sample("ringway_evictions_total", Labels().add("how", "copies"),
              happened("consumer_copies"));
  text.sample("ringway_evictions_total", Labels().add("how", "killed"),
              happened("pinning_consumer_killed"));
  text.family("ringway_events_total", Kind::counter,
              "Events of the log, by name, whatever of them it shows; not those of level debug.");
  for (const auto& [event, count] : events_.events) {
    text.sample("ringway_events_total", Labels().add("event", event), count);
  }
}

bool Scrape::append_topics(Text text) {
  const TopicFamily& family = kTopicFamilies[family_];
  if (entry_ == 0) text.family(family.name, Kind::gauge, family.help);
  const std::size_t end = std::min(entry_ + kPartitionsAtOnce, inventory_->topics.size());
  for (; entry_ < end; ++entry_) {
    const TopicEntry& topic = inventory_->topics[entry_];
    text.sample(family.name, Labels().add("topic", topic.name), family.of(topic));
  }
  if (entry_ < inventory_->topics.size()) return false;
  entry_ = 0;
  return ++family_ == std::size(kTopicFamilies);
}

bool Scrape::append_partitions(Text text) {
  const PartitionFamily& family = kPartitionFamilies[family_];
  if (entry_ == 0 && partition_ == 0) text.family(family.name, family.kind, family.help);
  for (std::uint32_t done = 0; entry_ < inventory_->topics.size(); ++entry_, partition_ = 0) {
    if (done >= kPartitionsAtOnce) return false;
    const auto served = inventory_->topics[entry_].served.lock();
    if (!served) continue;
    Labels labels = Labels().add("topic", served->name());
    const std::size_t before = labels.size();
    for (; partition_ < served->partitions(); ++partition_, ++done) {
      if (done == kPartitionsAtOnce) return false;
      labels.add("partition", partition_);
      text.sample(family.name, labels,
                  family.of(served->memory().view(partition_).board(),
                            served->settings().ring_bytes));
      labels.cut(before);
    }
  }
  entry_ = 0;
  return ++family_ == std::size(kPartitionFamilies);
}

bool Scrape::append_holds(Text text) {
  constexpr std::string_view kHeld = "ringway_partition_held";
  if (entry_ == 0) {
    text.family(kHeld, Kind::gauge,
                "1 for each partition that is not served as it should be; others are not there.");
  }
  std::uint32_t done = 0;
  for (; entry_ < inventory_->topics.size() && done < kPartitionsAtOnce; ++entry_) {
    const auto served = inventory_->topics[entry_].served.lock();
    std::set<HoldCause> causes;
    for (std::uint32_t p = 0; served && p < served->partitions(); ++p, ++done) {
      const layout::BoardPartition& board = served->memory().view(p).board();
      const std::uint32_t hold = board.hold.load(std::memory_order::relaxed);
      if (hold >= holds_.size()) continue;
      if (const auto cause = hold_cause(board)) causes.insert(*cause);
      ++holds_[hold];
      const auto reason = static_cast<layout::Hold>(hold);
      if (reason == layout::Hold::none) continue;
      text.sample(kHeld,
                  Labels()
                      .add("topic", served->name())
                      .add("partition", p)
                      .add("reason", to_string(reason)),
                  std::uint64_t{1});
    }
    for (const auto& [hold, pid] : causes) {
      troubles_.add(control::trouble_kind_of(to_string(static_cast<layout::Hold>(hold))));
    }
  }
  if (entry_ < inventory_->topics.size()) return false;
  text.family("ringway_held_partitions", Kind::gauge,
              "Partitions that are not served as they should be, by reason.");
  for (const layout::Hold reason : kHolds) {
    const std::uint64_t count = holds_[static_cast<std::uint32_t>(reason)];
    text.sample("ringway_held_partitions", Labels().add("reason", to_string(reason)), count);
  }
  text.family("ringway_degraded", Kind::gauge,
              "How many things need attention: the lines in which status names them.");
  text.sample("ringway_degraded", {}, inventory_->troubles.all() + troubles_.all());
  text.family("ringway_troubles", Kind::gauge, "How many of these things there are of each kind.");
  // None of its own is of an unknown kind.
  for (std::uint8_t i = 1; i <= static_cast<std::uint8_t>(control::kLastTroubleKind); ++i) {
    const auto kind = static_cast<control::TroubleKind>(i);
    text.sample("ringway_troubles", Labels().add("what", to_string(kind)),
                inventory_->troubles.of(kind) + troubles_.of(kind));
  }
  return true;
}

bool Scrape::append_syncs(Text text) {
  constexpr std::string_view kSync = "ringway_sync_seconds";
  if (entry_ == 0) {
    text.family(kSync, Kind::histogram,
                "How long syncs of the log took, with the writes that went out with them.");
  }
  for (std::uint32_t done = 0; entry_ < inventory_->topics.size() && done < kPartitionsAtOnce / 8;
       ++entry_) {
    const auto served = inventory_->topics[entry_].served.lock();
    if (!served || !served->settings().persist) continue;
    const SyncTimes& times = served->sync_times();
    std::array<std::uint64_t, SyncTimes::kBoundsNs.size() + 1> counts;
    std::ranges::transform(times.counts, counts.begin(), value);
    append_histogram(text, kSync, Labels().add("topic", served->name()),
                     {SyncTimes::kBoundsNs, counts, seconds(value(times.sum_ns))});
    ++done;
  }
  return entry_ == inventory_->topics.size();
}

bool Scrape::append_latencies(Text text) {
  constexpr std::string_view kLatency = "ringway_consume_latency_seconds";
  if (entry_ == 0) {
    text.family(kLatency, Kind::histogram,
                "From the claim of a record to the poll that gave it out: samples of consumers, of "
                "what was published while they were there.");
  }
  for (std::uint32_t done = 0; entry_ < inventory_->topics.size() && done < kPartitionsAtOnce / 8;
       ++entry_) {
    const TopicEntry& topic = inventory_->topics[entry_];
    if (!topic.is_served) continue;
    append_histogram(
        text, kLatency, Labels().add("topic", topic.name),
        {layout::kLatencyBoundsNs, topic.latency.counts, topic.latency.sum_seconds});
    ++done;
  }
  return entry_ == inventory_->topics.size();
}

/// Each once, for all families: of a consumer that lags far behind that is some work.
void Scrape::look_at_consumers() {
  std::map<std::size_t, std::size_t> nameless;  // where in seen_, by topic
  const std::int64_t now = shm::realtime_ns();
  std::uint64_t hops_left = kHopsMax;
  for (const ConsumerEntry& consumer : inventory_->consumers) {
    const auto served = inventory_->topics[consumer.topic].served.lock();
    const auto memory = consumer.memory.lock();
    if (!served || (consumer.pid != 0 && !memory)) continue;
    Seen seen{Labels().add("topic", served->name()).add("consumer", consumer.cursor),
              !consumer.cursor.empty(), consumer.pid != 0};
    std::optional<std::int64_t> since;
    bool all_bytes = true;
    std::uint64_t bytes = 0;
    for (std::uint32_t p = 0; p < served->partitions(); ++p) {
      std::optional<std::uint64_t> offset;
      if (memory) {
        const layout::Slot& slot = memory->region.at<const layout::Slot>(
            sizeof(layout::SessionHeader) + (consumer.first_slot + p) * sizeof(layout::Slot));
        offset = value(slot.offset);
      } else if (p < consumer.offsets.size()) {
        offset = consumer.offsets[p];
      }
      // Not read by it, or not begun.
      if (!offset || *offset == layout::kNoOffset) continue;
      const ConsumerLag lag = lag_behind(*served, p, *offset, hops_left);
      seen.records += lag.records;
      all_bytes = all_bytes && lag.bytes;
      bytes += lag.bytes.value_or(0);
      // Untrusted: its producer's clock, or what it likes.
      if (lag.since_ns) {
        since = std::min(since.value_or(now), std::clamp<std::int64_t>(*lag.since_ns, 0, now));
      }
    }
    if (all_bytes) seen.bytes = bytes;
    if (seen.records == 0) {
      seen.seconds = 0;
    } else if (since) {
      seen.seconds = seconds(static_cast<std::uint64_t>(now - *since));
    }
    if (seen.named) {
      seen_.push_back(std::move(seen));
      continue;
    }
    const auto [found, first] = nameless.emplace(consumer.topic, seen_.size());
    if (first) {
      seen_.push_back(std::move(seen));
    } else {
      seen_[found->second].take_in(seen);
    }
  }
}

/// Of consumers without a name the topic shows how many there are, and the largest lags.
void Scrape::Seen::take_in(const Seen& other) {
  count += other.count;
  records = std::max(records, other.records);
  bytes = std::max(bytes, other.bytes);
  seconds = std::max(seconds, other.seconds);
}

bool Scrape::append_consumers(Text text) {
  look_at_consumers();
  const auto family = [&](std::string_view name, std::string_view help, auto&& of) {
    text.family(name, Kind::gauge, help);
    for (const Seen& seen : seen_) {
      if (const auto number = of(seen)) text.sample(name, seen.labels, *number);
    }
  };
  family("ringway_consumer_lag_records", "Offsets that are committed and not read yet.",
         [](const Seen& seen) { return std::optional(seen.records); });
  family("ringway_consumer_lag_bytes", "Bytes of ring and log that they take, at least.",
         [](const Seen& seen) { return seen.bytes; });
  family("ringway_consumer_lag_seconds", "Age of the oldest record that is not read yet, at least.",
         [](const Seen& seen) { return seen.seconds; });
  family("ringway_nameless_consumers",
         "Consumers without a name, of which the lags show the largest.", [](const Seen& seen) {
           return seen.named ? std::nullopt : std::optional(seen.count);
         });
  family("ringway_consumer_living", "Of consumers with a name: 1 while a process holds it.",
         [](const Seen& seen) {
           return seen.named ? std::optional(std::uint64_t{seen.held}) : std::nullopt;
         });
  text.family("ringway_consumers_left_out", Kind::gauge,
              "Consumers that have no samples here, as there are too many.");
  text.sample("ringway_consumers_left_out", {}, std::uint64_t{inventory_->consumers_left_out});
  return true;
}

}  // namespace ringway::daemon::metrics
