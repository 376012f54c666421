#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <ringway/bus.hpp>
#include <string>
#include <vector>

#include "tools/bench/content.hpp"
#include "tools/bench/numbered_records.hpp"

// Records of one producer that go to several partitions in turn. Each has content of its own by its
// partition and its number there, and is held against that where it is read.

namespace ringway::cli {

/// Publishes to the first `partitions` of a topic. One thread. Throws Error when it is refused.
class SpreadProducer {
 public:
  SpreadProducer(Bus& bus, const std::string& topic, std::uint64_t size_bytes,
                 std::uint32_t partitions)
      : producer_(bus.producer(topic)), size_bytes_(size_bytes), lanes_(partitions) {
    for (std::uint64_t lane = 0; lane < partitions; ++lane) lanes_[lane].next = lane << kLaneShift;
  }

  void one() {
    Lane& lane = lanes_[turn_];
    Claim claim = producer_.claim(size_bytes_, {.partition = turn_, .timeout = kNobodyReads});
    if (!claim) refuse("claim", producer_, claim.status());
    content::fill(claim.payload().data(), size_bytes_, lane.next++);
    const Published published = claim.commit();
    if (published.status != Status::ok) refuse("commit", producer_, published.status);
    lane.last = published.offset;
    if (++turn_ == lanes_.size()) turn_ = 0;
  }
  void some(std::uint64_t records) {
    for (std::uint64_t i = 0; i < records; ++i) one();
  }
  /// Until the last one of each partition has reached the level; each must have had one.
  void wait(Level level) {
    for (const Lane& lane : lanes_) {
      const Status status = producer_.wait(lane.last, level, kNobodyWrites);
      if (status != Status::ok) refuse("wait", producer_, status);
    }
  }

 private:
  // Nobody waits for so long: a ring that nobody empties is a failure, not a pause.
  static constexpr std::chrono::seconds kNobodyReads{60};
  static constexpr std::chrono::seconds kNobodyWrites{60};

  struct Lane {
    std::uint64_t next = 0;
    RecordOffset last;
  };

  Producer producer_;
  std::uint64_t size_bytes_;
  std::vector<Lane> lanes_;
  std::uint32_t turn_ = 0;
};

/// The first `partitions` of a topic, from `from` on.
inline Consumer spread_consumer(Bus& bus, const std::string& topic, std::uint32_t partitions,
                                StartPoint from) {
  ConsumerOptions options{.from = from};
  for (std::uint32_t p = 0; p < partitions; ++p) options.partitions.push_back(p);
  return bus.consumer(topic, options);
}

/// Holds what comes against what a SpreadProducer published.
class SpreadReader {
 public:
  SpreadReader(std::uint64_t size_bytes, std::uint32_t partitions)
      : size_bytes_(size_bytes), next_(partitions) {
    for (std::uint64_t lane = 0; lane < partitions; ++lane) next_[lane] = lane << kLaneShift;
  }

  /// The next ones of `consumer`, every byte of them, waiting up to 5 ms for the first; valid until
  /// its next call. Throws Error when one is not what should come next in its partition.
  RecordBatch poll(Consumer& consumer) {
    const RecordBatch batch = consumer.poll(kPollMax, std::chrono::milliseconds(5));
    if (batch.status() != Status::ok && batch.status() != Status::timeout) {
      throw Error(ErrorCode::failed, "poll", std::string(to_string(batch.status())), "");
    }
    for (const RecordView& record : batch) take(record);
    records_ += batch.size();
    return batch;
  }
  std::uint64_t records() const noexcept { return records_; }
  /// Throws Error when some partition had more than its turn.
  void check_turns() const {
    for (std::uint64_t lane = 0; lane < next_.size(); ++lane) {
      const std::uint64_t came = next_[lane] - (lane << kLaneShift);
      const std::uint64_t due = records_ / next_.size() + (lane < records_ % next_.size() ? 1 : 0);
      if (came == due) continue;
      throw Error(ErrorCode::failed, fmt::format("partition {}", lane),
                  fmt::format("had {} records, and not {}", came, due), "");
    }
  }

 private:
  static constexpr std::size_t kPollMax = 256;  // what poll() does when it is not told

  void take(const RecordView& record) {
    const auto payload = record.payload();
    if (record.partition() < next_.size() && payload.size() == size_bytes_ &&
        content::differences(payload.data(), size_bytes_, next_[record.partition()]++) == 0) {
      return;
    }
    throw Error(ErrorCode::failed,
                fmt::format("partition {}, offset {}", record.partition(), record.offset()),
                "is not the record that should come next", "");
  }

  std::uint64_t size_bytes_;
  std::vector<std::uint64_t> next_;
  std::uint64_t records_ = 0;
};

}  // namespace ringway::cli
