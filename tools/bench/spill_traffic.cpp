#include "tools/bench/spill_traffic.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <new>
#include <ringway/bus.hpp>
#include <thread>
#include <vector>

#include "tools/bench/measurement.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/pace.hpp"
#include "tools/bench/shared_pages.hpp"
#include "tools/bench/spread_records.hpp"
#include "tools/stage/latency_histogram.hpp"

namespace ringway::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kFallenRings = 2;
constexpr std::uint64_t kBackShare = 8;  // of a ring
constexpr auto kLookAgain = 1ms;

struct SpillWork {
  Work work;
  double p50_ns = 0, p99_ns = 0, p999_ns = 0;              // of the live consumer
  std::uint64_t fell = 0, came_back = 0, from_disk = 0;  // of the other one
};

/// Written by the producer: how many records there will be, and 1.
struct SpillEnd {
  std::atomic<std::uint64_t> records{0};

  bool reached_by(const SpreadReader& reader) const noexcept {
    return reader.records() + 1 == records.load(std::memory_order::acquire);
  }
};

SpillWork play_spill_producer(Stand& stand, const std::string& socket, const std::string& topic,
                              const SpillShape& shape, SpillEnd& end) {
  Bus bus = Bus::connect(socket);
  SpreadProducer producer(bus, topic, shape.size_bytes, 1);
  stand.ready();
  Pace pace(shape.records_per_s);
  Meter meter(stand.gate());
  std::uint64_t records = 0;
  for (; meter.go_on(records); records += pace.records()) {
    producer.some(pace.records());
    pace.rest();
  }
  end.records.store(records + 1, std::memory_order::release);
  return {.work = meter.work()};
}

std::int64_t real_time_ns() {
  return std::chrono::system_clock::now().time_since_epoch() / 1ns;
}

SpillWork play_live_consumer(Stand& stand, const std::string& socket, const std::string& topic,
                             const SpillShape& shape, const SpillEnd& end) {
  Bus bus = Bus::connect(socket);
  Consumer consumer = spread_consumer(bus, topic, 1, ringway::end());
  SpreadReader reader(shape.size_bytes, 1);
  const auto waited = std::make_unique<LatencyHistogram<8>>();
  stand.ready();
  Meter meter(stand.gate());
  while (meter.go_on(reader.records())) {
    const RecordBatch batch = reader.poll(consumer);
    if (!batch.empty() && meter.timed()) waited->add(real_time_ns() - batch[0].timestamp_ns());
  }
  while (!end.reached_by(reader)) reader.poll(consumer);
  const auto ns = [&](double share) { return static_cast<double>(waited->quantile(share)); };
  return {.work = meter.work(), .p50_ns = ns(0.5), .p99_ns = ns(0.99), .p999_ns = ns(0.999)};
}

/// How far it is behind, in records.
std::uint64_t behind(const Consumer& consumer) {
  const std::uint64_t committed = consumer.committed_offset(0), at = consumer.position(0);
  return committed > at ? committed - at : 0;
}

SpillWork play_fallen_consumer(Stand& stand, const std::string& socket, const std::string& topic,
                               const SpillShape& shape, const SpillEnd& end) {
  Bus bus = Bus::connect(socket);
  Consumer consumer = spread_consumer(bus, topic, 1, ringway::end());
  SpreadReader reader(shape.size_bytes, 1);
  const std::uint64_t ring_records = shape.ring_bytes / record_slot_bytes(shape.size_bytes);
  stand.ready();
  Meter meter(stand.gate());
  SpillWork seen;
  const auto read_on = [&] {
    // What lies so far behind what is committed by now is not in the ring any more.
    const std::uint64_t left = behind(consumer);
    const std::uint64_t left_ring = left > ring_records ? left - ring_records : 0;
    const std::uint64_t came = reader.poll(consumer).size();
    if (meter.timed()) seen.from_disk += std::min(came, left_ring);
  };
  while (meter.go_on(reader.records())) {
    if (behind(consumer) < kFallenRings * ring_records) {
      std::this_thread::sleep_for(kLookAgain);
      continue;
    }
    if (meter.timed()) ++seen.fell;
    while (behind(consumer) > ring_records / kBackShare && meter.go_on(reader.records())) read_on();
    if (meter.timed()) ++seen.came_back;
    consumer.advance();
  }
  while (!end.reached_by(reader)) reader.poll(consumer);
  seen.work = meter.work();
  return seen;
}

}  // namespace

Measured spill_traffic(const std::string& socket, const std::string& topic, const CpuPair& cpus,
                       const SpillShape& shape, std::chrono::nanoseconds length) {
  const SharedPages page(sizeof(SpillEnd));
  SpillEnd& end = *new (page.data()) SpillEnd;
  std::vector<Part<SpillWork>> parts{
      {"producer", cpus.first,
       [&](Stand& stand) { return play_spill_producer(stand, socket, topic, shape, end); }},
      {"live consumer", cpus.second,
       [&](Stand& stand) { return play_live_consumer(stand, socket, topic, shape, end); }}};
  if (shape.falls) {
    parts.push_back({"fallen consumer", cpus.second, [&](Stand& stand) {
                       return play_fallen_consumer(stand, socket, topic, shape, end);
                     }});
  }
  const std::vector<SpillWork> of = measure(parts, length);
  const std::uint64_t slot_bytes = record_slot_bytes(shape.size_bytes);
  Measured measured{.figures = throughput({of[1].work}, {of[0].work}, slot_bytes),
                    .variant = shape.falls ? "with it" : "without it"};
  if (measured.figures.records_per_s) {
    measured.figures.p50_ns = of[1].p50_ns;
    measured.figures.p99_ns = of[1].p99_ns;
    measured.figures.p999_ns = of[1].p999_ns;
  }
  measured.more["producer_records_per_s"] =
      json_number(throughput({of[0].work}, {}, slot_bytes).records_per_s);
  if (shape.falls) {
    measured.more["fell"] = of[2].fell;
    measured.more["came_back"] = of[2].came_back;
    measured.more["records_from_disk"] = of[2].from_disk;
  }
  return measured;
}

}  // namespace ringway::cli
