#include "tools/bench/ring_traffic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <ringway/bus.hpp>
#include <vector>

#include "tools/bench/measurement.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/shared_pages.hpp"

namespace ringway::cli {
namespace {

/// How many records there will be of each producer, and 1.
struct Ends {
  std::atomic<std::uint64_t> of[64]{};
};

Work play_ring_producer(Stand& stand, const std::string& socket, const std::string& topic,
                        const RingShape& shape, std::uint64_t lane, Ends& ends) {
  Bus bus = Bus::connect(socket);
  NumberedProducer producer(bus, topic,
                            {.size_bytes = shape.size_bytes,
                             .claim = shape.claim,
                             .exclusive = shape.exclusive,
                             .lane = lane});
  stand.ready();
  producer.check_exclusive();
  Meter meter(stand.gate());
  std::uint64_t records = 0;
  while (meter.go_on(records)) records += producer.publish_some();
  producer.check_exclusive();
  ends.of[lane].store(records + 1, std::memory_order::release);
  return meter.work();
}

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
  NumberedReader reader(shape.size_bytes, shape.producers);
  stand.ready();
  Meter meter(stand.gate());
  while (meter.go_on(reader.records())) reader.poll(consumer);
  while (reader.records() < records_in_all(ends, shape.producers)) reader.poll(consumer);
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
