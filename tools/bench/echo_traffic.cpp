#include "tools/bench/echo_traffic.hpp"

#include <fmt/format.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <ringway/bus.hpp>

#include "tools/bench/content.hpp"
#include "tools/bench/latencies.hpp"
#include "tools/bench/measurement.hpp"
#include "tools/bench/shared_pages.hpp"

namespace ringway::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kRoomComes = 20s;    // else the other side has come to a stand
constexpr auto kLookAtPhase = 5ms;  // while nothing comes

void fill_one(Producer& producer, std::size_t size_bytes, std::uint64_t number) {
  Claim claim = producer.claim(size_bytes, {.timeout = kRoomComes});
  if (!claim) throw Error(ErrorCode::failed, "claim", producer.why(), "");
  content::fill(claim.payload().data(), size_bytes, number);
  if (claim.commit().status != Status::ok) {
    throw Error(ErrorCode::failed, "commit", producer.why(), "");
  }
}

void copy_one(Producer& producer, const RecordView& record) {
  const auto from = record.payload();
  Claim claim = producer.claim(from.size(), {.timeout = kRoomComes});
  if (!claim) throw Error(ErrorCode::failed, "claim", producer.why(), "");
  std::memcpy(claim.payload().data(), from.data(), from.size());
  if (claim.commit().status != Status::ok) {
    throw Error(ErrorCode::failed, "commit", producer.why(), "");
  }
}

RecordBatch poll_some(Consumer& consumer) {
  RecordBatch batch = consumer.poll(256, kLookAtPhase);
  if (batch.status() != Status::ok && batch.status() != Status::timeout) {
    throw Error(ErrorCode::failed, "poll", std::string(to_string(batch.status())), "");
  }
  return batch;
}

void check_record(const RecordView& record, std::size_t size_bytes, std::uint64_t number) {
  const auto payload = record.payload();
  if (payload.size() == size_bytes &&
      content::differences(payload.data(), size_bytes, number) == 0) {
    return;
  }
  throw Error(ErrorCode::failed, fmt::format("record {}", record.offset()),
              "is not the one that should come next", "");
}

Latencies play_caller(Stand& stand, Producer producer, Consumer consumer, std::size_t size_bytes,
                      const TickClock& clock) {
  const auto ticks = std::make_unique<TickHistogram>();
  stand.ready();
  Meter meter(stand.gate());
  std::int64_t from = clock.now();
  for (std::uint64_t number = 1; meter.go_on(number); ++number) {
    fill_one(producer, size_bytes, number);
    for (bool came = false; !came && meter.go_on(number);) {
      for (const RecordView& record : poll_some(consumer)) {
        check_record(record, size_bytes, number);
        came = true;
      }
    }
    const std::int64_t now = clock.now();
    if (meter.timed()) ticks->add(now - from);
    from = now;
  }
  return latencies_of(*ticks, clock, 2, meter.work());
}

Latencies play_answerer(Stand& stand, Producer producer, Consumer consumer) {
  stand.ready();
  Meter meter(stand.gate());
  while (meter.go_on(0)) {
    for (const RecordView& record : poll_some(consumer)) copy_one(producer, record);
  }
  return {};
}

struct PaceHead {
  alignas(128) std::atomic<std::int64_t> start{0};  // by the producer: when record 0 is due
  std::atomic<std::uint64_t> end{0};                // by the producer: all there will be, and 1
};

Latencies play_paced_producer(Stand& stand, Producer producer, PaceHead& head,
                              std::size_t size_bytes, double records_per_s,
                              const TickClock& clock) {
  stand.ready();
  Meter meter(stand.gate());
  const Schedule schedule(clock.now(), records_per_s, clock);
  head.start.store(schedule.due(0), std::memory_order::release);
  std::uint64_t record = 0;
  while (meter.go_on(record)) {
    if (clock.now() < schedule.due(record)) continue;
    fill_one(producer, size_bytes, ++record);
  }
  head.end.store(record + 1, std::memory_order::release);
  return {.work = meter.work()};
}

Latencies play_paced_consumer(Stand& stand, Consumer consumer, const PaceHead& head,
                              std::size_t size_bytes, double records_per_s,
                              const TickClock& clock) {
  const auto ticks = std::make_unique<TickHistogram>();
  stand.ready();
  Meter meter(stand.gate());
  std::int64_t start = 0;
  while (start == 0) start = head.start.load(std::memory_order::acquire);
  const Schedule schedule(start, records_per_s, clock);
  std::uint64_t record = 0;
  for (std::uint64_t end = 0; end == 0 || record < end - 1;) {
    // The end is looked for first: what was published before it is then found.
    if (!meter.go_on(record)) end = head.end.load(std::memory_order::acquire);
    for (const RecordView& view : poll_some(consumer)) {
      check_record(view, size_bytes, record + 1);
      if (meter.timed()) ticks->add(clock.now() - schedule.due(record));
      ++record;
    }
  }
  return latencies_of(*ticks, clock, 1, meter.work());
}

Measured told(const Latencies& latencies) {
  return {.figures = latencies.figures(),
          .variant = "ringway",
          .more = {{"samples", latencies.samples}}};
}

}  // namespace

Measured echo_traffic(const std::string& socket, const std::string& out, const std::string& back,
                      const CpuPair& cpus, const LatencyShape& shape, const TickClock& clock,
                      std::chrono::nanoseconds length) {
  const auto open = [&](auto&& play) {
    return [&, play](Stand& stand) {
      Bus bus = Bus::connect(socket);
      return play(stand, bus);
    };
  };
  const ConsumerOptions reading{.from = end(), .wait = shape.wait};
  const std::vector<Part<Latencies>> parts{
      {"caller", cpus.first, open([&](Stand& stand, Bus& bus) {
         return play_caller(stand, bus.producer(out), bus.consumer(back, reading), shape.size_bytes,
                            clock);
       })},
      {"answerer", cpus.second, open([&](Stand& stand, Bus& bus) {
         return play_answerer(stand, bus.producer(back), bus.consumer(out, reading));
       })}};
  return told(measure(parts, length).front());
}

Measured paced_traffic(const std::string& socket, const std::string& topic, const CpuPair& cpus,
                       const LatencyShape& shape, double records_per_s, const TickClock& clock,
                       std::chrono::nanoseconds length) {
  const SharedPages page(sizeof(PaceHead));
  PaceHead& head = *new (page.data()) PaceHead;
  const std::vector<Part<Latencies>> parts{
      {"producer", cpus.first,
       [&](Stand& stand) {
         Bus bus = Bus::connect(socket);
         return play_paced_producer(stand, bus.producer(topic), head, shape.size_bytes,
                                    records_per_s, clock);
       }},
      {"consumer", cpus.second, [&](Stand& stand) {
         Bus bus = Bus::connect(socket);
         return play_paced_consumer(stand, bus.consumer(topic, {.from = end(), .wait = shape.wait}),
                                    head, shape.size_bytes, records_per_s, clock);
       }}};
  return told(measure(parts, length)[1]);
}

}  // namespace ringway::cli
