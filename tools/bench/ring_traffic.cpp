#include "tools/bench/ring_traffic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <ringway/bus.hpp>
#include <vector>

#include "tools/bench/content.hpp"
#include "tools/bench/measurement.hpp"
#include "tools/bench/shared_pages.hpp"

namespace ringway::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kClaimsBetweenPhases = 256;
constexpr std::size_t kPollMax = 256;  // what poll() does when it is not told
// Nobody waits for so long: a ring that nobody empties is a failure, not a pause.
constexpr auto kNobodyReads = 20s;
constexpr unsigned kLaneShift = 48;  // of a record's number: which producer's it is

/// How many records there will be of each producer, and 1.
struct Ends {
  std::atomic<std::uint64_t> of[64]{};
};

[[noreturn]] void refuse(const char* what, const Producer& producer, Status status) {
  throw Error(ErrorCode::failed, what,
              status == Status::timeout ? producer.why() : std::string(to_string(status)), "");
}

class Publisher {
 public:
  Publisher(Bus& bus, const std::string& topic, const RingShape& shape, std::uint64_t lane)
      : producer_(bus.producer(topic, {.partition = 0, .exclusive = shape.exclusive})),
        shape_(shape),
        next_(lane << kLaneShift) {}

  void one() {
    Claim claim = producer_.claim(shape_.size_bytes, {.timeout = kNobodyReads});
    if (!claim) refuse("claim", producer_, claim.status());
    content::fill(claim.payload().data(), shape_.size_bytes, next_++);
    check(claim.commit().status);
  }
  void many() {
    Batch batch = producer_.claim_batch(shape_.claim, shape_.size_bytes, {.timeout = kNobodyReads});
    if (!batch) refuse("claim_batch", producer_, batch.status());
    for (std::uint32_t i = 0; i < shape_.claim; ++i) {
      const auto payload = batch.append(shape_.size_bytes);
      if (!payload) refuse("append", producer_, Status::too_large);
      content::fill(payload->data(), shape_.size_bytes, next_++);
    }
    check(batch.commit().status);
  }
  /// An exclusive one that has to share measures something else.
  void check_exclusive() const {
    if (!shape_.exclusive || producer_.exclusive()) return;
    throw Error(ErrorCode::failed, "exclusive producer",
                "is not exclusive: this host has no membarrier, or somebody else publishes", "");
  }

 private:
  void check(Status status) const {
    if (status != Status::ok) refuse("commit", producer_, status);
  }

  Producer producer_;
  RingShape shape_;
  std::uint64_t next_;
};

Work play_ring_producer(Stand& stand, const std::string& socket, const std::string& topic,
                        const RingShape& shape, std::uint64_t lane, Ends& ends) {
  Bus bus = Bus::connect(socket);
  Publisher publisher(bus, topic, shape, lane);
  stand.ready();
  publisher.check_exclusive();
  Meter meter(stand.gate());
  std::uint64_t records = 0;
  while (meter.go_on(records)) {
    if (shape.claim == 1) {
      for (std::uint64_t i = 0; i < kClaimsBetweenPhases; ++i) publisher.one();
      records += kClaimsBetweenPhases;
    } else {
      for (std::uint64_t i = 0; i < kClaimsBetweenPhases; i += shape.claim) {
        publisher.many();
        records += shape.claim;
      }
    }
  }
  publisher.check_exclusive();
  ends.of[lane].store(records + 1, std::memory_order::release);
  return meter.work();
}

/// Holds what comes against what each producer published.
class RingFollower {
 public:
  RingFollower(std::uint64_t size_bytes, std::uint32_t producers)
      : size_bytes_(size_bytes), next_(producers) {
    for (std::uint64_t lane = 0; lane < producers; ++lane) next_[lane] = lane << kLaneShift;
  }

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
  std::uint64_t records() const noexcept { return records_; }

 private:
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

/// All there will be of everybody; nothing until all have said so.
std::uint64_t records_in_all(const Ends& ends, std::uint32_t producers) {
  std::uint64_t records = 0;
  for (std::uint32_t lane = 0; lane < producers; ++lane) {
    const std::uint64_t end = ends.of[lane].load(std::memory_order::acquire);
    if (end == 0) return ~std::uint64_t{0};
    records += end - 1;
  }
  return records;
}

Work play_ring_consumer(Stand& stand, const std::string& socket, const std::string& topic,
                        const RingShape& shape, const Ends& ends) {
  Bus bus = Bus::connect(socket);
  Consumer consumer = bus.consumer(topic, {.from = end(), .wait = shape.wait});
  RingFollower follower(shape.size_bytes, shape.producers);
  const auto poll = [&] {
    const RecordBatch batch = consumer.poll(kPollMax, 5ms);
    if (batch.status() != Status::ok && batch.status() != Status::timeout) {
      throw Error(ErrorCode::failed, "poll", std::string(to_string(batch.status())), "");
    }
    follower.take(batch);
  };
  stand.ready();
  Meter meter(stand.gate());
  while (meter.go_on(follower.records())) poll();
  while (follower.records() < records_in_all(ends, shape.producers)) poll();
  return meter.work();
}

std::vector<double> shares_of(const std::vector<Work>& producers) {
  double all = 0;
  for (const Work& each : producers) all += static_cast<double>(each.records);
  std::vector<double> shares;
  for (const Work& each : producers) {
    shares.push_back(all == 0 ? 0 : static_cast<double>(each.records) / all);
  }
  return shares;
}

}  // namespace

Measured ring_traffic(const std::string& socket, const std::string& topic, const CpuPair& cpus,
                      const RingShape& shape, std::chrono::nanoseconds length) {
  const SharedPages page(sizeof(Ends));
  Ends& ends = *new (page.data()) Ends;
  std::vector<Part<Work>> parts;
  for (std::uint32_t i = 0; i < shape.producers; ++i) {
    parts.push_back({fmt::format("producer {}", i), i % 2 == 0 ? cpus.first : cpus.second,
                     [&, i](Stand& stand) {
                       return play_ring_producer(stand, socket, topic, shape, i, ends);
                     }});
  }
  for (std::uint32_t i = 0; i < shape.consumers; ++i) {
    parts.push_back({fmt::format("consumer {}", i), cpus.second, [&](Stand& stand) {
                       return play_ring_consumer(stand, socket, topic, shape, ends);
                     }});
  }
  const std::vector<Work> work = measure(parts, length);
  const auto first_consumer = work.begin() + shape.producers;
  const std::vector<Work> producers(work.begin(), first_consumer);
  Measured measured{.figures = throughput({first_consumer, work.end()}, producers,
                                          record_slot_bytes(shape.size_bytes)),
                    .variant = shape.exclusive ? "exclusive" : "shared"};
  if (shape.producers > 1) {
    const std::vector<double> shares = shares_of(producers);
    measured.more["shares"] = Json::array();
    for (const double share : shares) measured.more["shares"].push_back(json_number(share));
    measured.more["smallest_share"] = json_number(*std::min_element(shares.begin(), shares.end()));
  }
  return measured;
}

}  // namespace ringway::cli
