#include "stress/bus_roles.hpp"

#include <chrono>
#include <ringway/bus.hpp>
#include <thread>

namespace ringway::stress {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kBatch = 64;

/// Tells the parent ten times a second how far a role is.
class Telling {
 public:
  explicit Telling(cli::Channel& parent) : parent_(parent) { parent_.send(report); }

  void maybe() {
    const auto now = Clock::now();
    if (now - told_ < 100ms) return;
    told_ = now;
    parent_.send(report);
  }
  void finish() {
    report.seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    report.done = true;
    parent_.send(report);
  }

  Report report;

 private:
  cli::Channel& parent_;
  Clock::time_point begin_ = Clock::now();
  Clock::time_point told_ = begin_;
};

std::span<const std::byte> bytes_of(const Payload& payload) {
  return std::as_bytes(std::span(payload));
}

void require(Status status, const std::string& what) {
  if (status != Status::ok)
    throw Error(ErrorCode::failed, what, std::string(to_string(status)), "");
}

}  // namespace

void play_producer(cli::Channel& parent, const std::string& socket, std::uint32_t number,
                   std::uint64_t records) {
  Bus bus = Bus::connect(socket);
  Producer producer = bus.producer(kTopic);
  Telling telling(parent);
  const std::uint32_t in_one = number == 0 ? 1 : kBatch;
  for (std::uint64_t sequence = 0; sequence < records;) {
    const auto count =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(in_one, records - sequence));
    if (count == 1) {
      const Payload payload = payload_of(number, sequence);
      require(producer.publish(bytes_of(payload)).status, "publish");
    } else {
      Batch batch = producer.claim_batch(count, kPayloadBytes);
      require(batch.status(), "claim_batch");
      for (std::uint32_t i = 0; i < count; ++i) {
        const Payload payload = payload_of(number, sequence + i);
        if (!batch.append_copy(bytes_of(payload))) require(Status::too_large, "append");
      }
      require(batch.commit().status, "commit");
    }
    sequence += count;
    telling.report.records = sequence;
    if (sequence % (64 * kBatch) < count) telling.maybe();
  }
  telling.finish();
}

void play_consumer(cli::Channel& parent, const std::string& socket, std::uint64_t records,
                   Pace pace) {
  Bus bus = Bus::connect(socket);
  Consumer consumer = bus.consumer(kTopic, {.from = start()});
  Telling telling(parent);
  Report& report = telling.report;
  bool behind = false;
  while (report.records < records) {
    if (pace == Pace::slow && !behind) {
      // It holds nothing in place meanwhile.
      consumer.advance();
      const std::uint64_t wanted = std::min(records, consumer.position(0) + 2 * kRingRecords);
      while (consumer.committed_offset(0) < wanted) std::this_thread::sleep_for(1ms);
      behind = true;
    }
    const RecordBatch batch = consumer.poll(1024, 1s);
    if (batch.status() != Status::ok && batch.status() != Status::timeout) {
      require(batch.status(), "poll");
    }
    for (const RecordView& record : batch) report.judge.see(record);
    report.records += batch.size();
    if (behind && consumer.committed_offset(0) - consumer.position(0) < kRingRecords / 4) {
      behind = false;
      ++report.falls;
    }
    telling.maybe();
  }
  telling.finish();
}

}  // namespace ringway::stress
