#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <ringway/bus.hpp>
#include <string>
#include <vector>

#include "tools/bench/content.hpp"

// Records that are filled in place, each with content of its own by its number, and held against
// that where they are read. Numbers of each producer are in a lane of its own.

namespace ringway::cli {

/// Records that the bytes of one record fill in the ring: payload, header and padding, as
/// lib/layout/record.hpp has it: 32 bytes of header, places of 32 bytes.
constexpr std::uint64_t record_slot_bytes(std::uint64_t payload_bytes) noexcept {
  return (32 + payload_bytes + 31) / 32 * 32;
}

inline constexpr unsigned kLaneShift = 48;  // of a record's number: which producer's it is

/// Records that a numbered producer publishes between two looks at anything else.
inline constexpr std::uint64_t kRecordsInARow = 256;

[[noreturn]] inline void refuse(const char* what, const Producer& producer, Status status) {
  throw Error(ErrorCode::failed, what,
              status == Status::timeout ? producer.why() : std::string(to_string(status)), "");
}

/// Publishes all to partition 0. One thread. Throws Error when it is refused.
class NumberedProducer {
 public:
  struct Shape {
    std::uint64_t size_bytes;  ///< of each payload; a multiple of 16
    std::uint32_t claim = 1;   ///< records that are claimed and committed at once
    bool exclusive = false;
    std::uint64_t lane = 0;
  };

  NumberedProducer(Bus& bus, const std::string& topic, const Shape& shape)
      : producer_(bus.producer(topic, {.partition = 0, .exclusive = shape.exclusive})),
        shape_(shape),
        next_(shape.lane << kLaneShift) {}

  /// kRecordsInARow, or the next number of records that is whole claims. How many.
  std::uint64_t publish_some() {
    std::uint64_t published = 0;
    if (shape_.claim == 1) {
      for (; published < kRecordsInARow; ++published) one();
    } else {
      for (; published < kRecordsInARow; published += shape_.claim) many();
    }
    return published;
  }
  void one() {
    Claim claim = producer_.claim(shape_.size_bytes, {.timeout = kNobodyReads});
    if (!claim) refuse("claim", producer_, claim.status());
    content::fill(claim.payload().data(), shape_.size_bytes, next_++);
    keep(claim.commit());
  }
  void many() {
    Batch batch = producer_.claim_batch(shape_.claim, shape_.size_bytes, {.timeout = kNobodyReads});
    if (!batch) refuse("claim_batch", producer_, batch.status());
    for (std::uint32_t i = 0; i < shape_.claim; ++i) {
      const auto payload = batch.append(shape_.size_bytes);
      if (!payload) refuse("append", producer_, Status::too_large);
      content::fill(payload->data(), shape_.size_bytes, next_++);
    }
    keep(batch.commit());
  }
  /// The last one published.
  RecordOffset last() const noexcept { return last_; }
  /// Until it has reached the level.
  void wait(Level level) {
    const Status status = producer_.wait(last_, level, kNobodyWrites);
    if (status != Status::ok) refuse("wait", producer_, status);
  }
  /// An exclusive one that has to share measures something else.
  void check_exclusive() const {
    if (!shape_.exclusive || producer_.exclusive()) return;
    throw Error(ErrorCode::failed, "exclusive producer",
                "is not exclusive: this host has no membarrier, or somebody else publishes", "");
  }

 private:
  // Nobody waits for so long: a ring that nobody empties is a failure, not a pause.
  static constexpr std::chrono::seconds kNobodyReads{20};
  static constexpr std::chrono::seconds kNobodyWrites{60};

  void keep(const Published& published) {
    if (published.status != Status::ok) refuse("commit", producer_, published.status);
    last_ = published.offset;
    last_.value += shape_.claim - 1;
  }

  Producer producer_;
  Shape shape_;
  std::uint64_t next_;
  RecordOffset last_;
};

/// Holds what comes against what each producer published.
class NumberedReader {
 public:
  NumberedReader(std::uint64_t size_bytes, std::uint32_t producers)
      : size_bytes_(size_bytes), next_(producers) {
    for (std::uint64_t lane = 0; lane < producers; ++lane) next_[lane] = lane << kLaneShift;
  }

  /// The next ones of `consumer`, every byte of them checked, waiting up to `patience` for the
  /// first. Throws Error when one is not what should come next.
  RecordBatch poll(Consumer& consumer, Timeout patience = std::chrono::milliseconds(5)) {
    const RecordBatch batch = consumer.poll(kPollMax, patience);
    if (batch.status() != Status::ok && batch.status() != Status::timeout) {
      throw Error(ErrorCode::failed, "poll", std::string(to_string(batch.status())), "");
    }
    take(batch);
    return batch;
  }
  std::uint64_t records() const noexcept { return records_; }

 private:
  static constexpr std::size_t kPollMax = 256;  // what poll() does when it is not told

  void take(const RecordBatch& batch) {
    std::uint64_t differences = 0;
    if (next_.size() == 1) {
      std::uint64_t next = next_.front();
      for (const RecordView& record : batch) differences |= differs(record, next++);
      next_.front() = next;
    } else {
      for (const RecordView& record : batch) {
        const std::uint64_t lane = record.payload().size() < sizeof lane
                                       ? next_.size()
                                       : content::number_in(record.payload().data()) >> kLaneShift;
        differences |= lane < next_.size() ? differs(record, next_[lane]++) : 1;
      }
    }
    records_ += batch.size();
    if (differences != 0) {
      throw Error(ErrorCode::failed, fmt::format("a record before offset {}", next_offset(batch)),
                  "is not the one that should come next", "");
    }
  }
  std::uint64_t differs(const RecordView& record, std::uint64_t number) const noexcept {
    const auto payload = record.payload();
    if (payload.size() != size_bytes_) return 1;
    return content::differences(payload.data(), size_bytes_, number);
  }
  static std::uint64_t next_offset(const RecordBatch& batch) {
    return batch[batch.size() - 1].offset() + 1;
  }

  std::uint64_t size_bytes_;
  std::vector<std::uint64_t> next_;
  std::uint64_t records_ = 0;
};

}  // namespace ringway::cli
