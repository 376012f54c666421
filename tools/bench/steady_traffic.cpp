#include "tools/bench/steady_traffic.hpp"

#include <fmt/format.h>

#include <atomic>
#include <new>
#include <optional>
#include <ringway/bus.hpp>
#include <vector>

#include "tools/bench/measurement.hpp"
#include "tools/bench/pace.hpp"
#include "tools/bench/shared_pages.hpp"
#include "tools/bench/spread_records.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli {
namespace {

/// Written by the producer: how many records there will be, and 1.
struct SteadyEnd {
  std::atomic<std::uint64_t> records{0};
};

Work play_steady_producer(Stand& stand, const std::string& socket, pid_t supervisor,
                          const std::string& topic, const SteadyShape& shape, SteadyEnd& end) {
  Bus bus = Bus::connect(socket);
  SpreadProducer producer(bus, topic, shape.size_bytes, shape.partitions);
  stand.ready();
  std::optional<Pace> pace;
  if (shape.records_per_s != 0) pace.emplace(shape.records_per_s);
  const std::uint64_t in_a_row = pace ? pace->records() : kRecordsInARow;
  Meter meter(stand.gate());
  std::optional<std::chrono::nanoseconds> supervisor_from;
  std::uint64_t records = 0;
  for (; meter.go_on(records); records += in_a_row) {
    if (meter.timed() && !supervisor_from) supervisor_from = cpu_time_used_by(supervisor);
    producer.some(in_a_row);
    if (pace) pace->rest();
  }
  end.records.store(records + 1, std::memory_order::release);
  Work work = meter.work();
  if (supervisor_from) {
    work.cpu_ns +=
        static_cast<std::uint64_t>((cpu_time_used_by(supervisor) - *supervisor_from).count());
  }
  return work;
}

Work play_steady_consumer(Stand& stand, const std::string& socket, const std::string& topic,
                          const SteadyShape& shape, const SteadyEnd& end) {
  Bus bus = Bus::connect(socket);
  Consumer consumer = spread_consumer(bus, topic, shape.partitions, ringway::end());
  SpreadReader reader(shape.size_bytes, shape.partitions);
  stand.ready();
  Meter meter(stand.gate());
  while (meter.go_on(reader.records())) reader.poll(consumer);
  for (std::uint64_t all = 0; all == 0 || reader.records() + 1 < all;) {
    reader.poll(consumer);
    all = end.records.load(std::memory_order::acquire);
  }
  reader.check_turns();
  return meter.work();
}

}  // namespace

Measured steady_traffic(const std::string& socket, pid_t supervisor, const std::string& topic,
                        const CpuPair& cpus, const SteadyShape& shape,
                        std::chrono::nanoseconds length) {
  const SharedPages page(sizeof(SteadyEnd));
  SteadyEnd& end = *new (page.data()) SteadyEnd;
  const std::vector<Part<Work>> parts{
      {"producer", cpus.first,
       [&](Stand& stand) {
         return play_steady_producer(stand, socket, supervisor, topic, shape, end);
       }},
      {"consumer", cpus.second,
       [&](Stand& stand) { return play_steady_consumer(stand, socket, topic, shape, end); }}};
  const std::vector<Work> of = measure(parts, length);
  return {.figures = throughput({of[1]}, {of[0]}, record_slot_bytes(shape.size_bytes)),
          .variant = counted(shape.partitions, "partition")};
}

}  // namespace ringway::cli
