#include "tools/bench/durable_traffic.hpp"

#include <fmt/format.h>

#include <memory>
#include <new>
#include <ringway/bus.hpp>
#include <vector>

#include "tools/bench/latencies.hpp"
#include "tools/bench/measurement.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/shared_pages.hpp"

namespace ringway::cli {
namespace {

struct DurableWork {
  Work work;
  std::uint64_t published = 0;  // the warm-up's, too
};

DurableWork play_durable_producer(Stand& stand, const std::string& socket, const std::string& topic,
                                  const NumberedProducer::Shape& shape, const TickClock& clock,
                                  TickHistogram& ticks) {
  Bus bus = Bus::connect(socket);
  NumberedProducer producer(bus, topic, shape);
  stand.ready();
  Meter meter(stand.gate());
  std::uint64_t records = 0;
  for (; meter.go_on(records); ++records) {
    const std::int64_t from = clock.now();
    producer.one();
    producer.wait(Level::durable);
    if (meter.timed()) ticks.add(clock.now() - from);
  }
  return {meter.work(), records};
}

/// In a process of its own: who forks has no connection.
void check_all(const std::string& socket, const std::string& topic, int cpu,
               std::uint64_t size_bytes, std::uint32_t producers, std::uint64_t records) {
  const std::vector<Part<bool>> parts{{"consumer", cpu, [&](Stand& stand) {
                                         Bus bus = Bus::connect(socket);
                                         Consumer consumer = bus.consumer(topic, {.from = start()});
                                         NumberedReader reader(size_bytes, producers);
                                         stand.ready();
                                         while (reader.records() < records) reader.poll(consumer);
                                         return true;
                                       }}};
  static_cast<void>(measure_whole(parts));
}

Figures figures_of(const std::vector<DurableWork>& of, const TickHistogram& ticks,
                   std::uint64_t size_bytes, const TickClock& clock) {
  Figures figures = latencies_of(ticks, clock, 1, {}).figures();
  double per_s = 0;
  for (const DurableWork& each : of) {
    if (each.work.wall_ns == 0) return {};
    per_s += static_cast<double>(each.work.records) * 1e9 / static_cast<double>(each.work.wall_ns);
  }
  if (per_s == 0) return {};
  figures.records_per_s = per_s;
  figures.bytes_per_s = per_s * static_cast<double>(record_slot_bytes(size_bytes));
  // The supervisor's share of the CPU time is not known for the timed phase alone.
  return figures;
}

}  // namespace

Measured durable_traffic(const std::string& socket, const std::string& topic, const CpuPair& cpus,
                         std::uint32_t producers, std::uint64_t size_bytes, const TickClock& clock,
                         std::chrono::nanoseconds length) {
  const SharedPages pages(sizeof(TickHistogram) * producers);
  std::vector<TickHistogram*> ticks;
  std::vector<Part<DurableWork>> parts;
  for (std::uint32_t i = 0; i < producers; ++i) {
    ticks.push_back(new (pages.data() + i * sizeof(TickHistogram)) TickHistogram);
    parts.push_back({fmt::format("producer {}", i), i % 2 == 0 ? cpus.first : cpus.second,
                     [&, i](Stand& stand) {
                       const NumberedProducer::Shape shape{.size_bytes = size_bytes, .lane = i};
                       return play_durable_producer(stand, socket, topic, shape, clock, *ticks[i]);
                     }});
  }
  const std::vector<DurableWork> of = measure(parts, length);
  const auto all = std::make_unique<TickHistogram>();
  std::uint64_t published = 0;
  for (std::uint32_t i = 0; i < producers; ++i) {
    all->add(*ticks[i]);
    published += of[i].published;
  }
  check_all(socket, topic, cpus.second, size_bytes, producers, published);
  return {.figures = figures_of(of, *all, size_bytes, clock),
          .variant = producers == 1 ? "one producer" : fmt::format("{} producers", producers),
          .more = {{"samples", all->total()}}};
}

}  // namespace ringway::cli
