#include "tools/bench/persist_traffic.hpp"

#include <algorithm>
#include <atomic>
#include <ringway/bus.hpp>
#include <vector>

#include "tools/bench/measurement.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/shared_pages.hpp"

namespace ringway::cli {
namespace {

constexpr std::uint64_t kWarmUpBytesMax = 64 << 20;

/// Written by the producer.
struct StreamEnd {
  std::atomic<std::uint64_t> records{0};  // all there will be; 0: not known yet
};

struct PersistWork {
  Work work;
  std::uint64_t supervisor_cpu_ns = 0;
};

std::uint64_t warm_up_records(const PersistShape& shape) {
  return std::max<std::uint64_t>(1, shape.warm_up_bytes() / record_slot_bytes(shape.size_bytes));
}

PersistWork play_persist_producer(Stand& stand, const std::string& socket, pid_t supervisor,
                                  const std::string& topic, const PersistShape& shape,
                                  StreamEnd& end) {
  Bus bus = Bus::connect(socket);
  NumberedProducer producer(bus, topic, {.size_bytes = shape.size_bytes, .claim = shape.claim});
  stand.ready();
  std::uint64_t warm = 0, records = 0;
  while (warm < warm_up_records(shape)) warm += producer.publish_some();
  producer.wait(Level::written);

  const std::uint64_t slot_bytes = record_slot_bytes(shape.size_bytes);
  const std::uint64_t wanted = (shape.log_bytes + slot_bytes - 1) / slot_bytes;
  const std::uint64_t most = std::max(wanted, shape.log_bytes_max / slot_bytes);
  const auto supervisor_from = cpu_time_used_by(supervisor);
  const WorkWatch watch;
  while (records < wanted || (records < most && watch.passed() < shape.time_min)) {
    records += producer.publish_some();
  }
  end.records.store(warm + records, std::memory_order::release);
  producer.wait(Level::written);
  const auto supervisor_used = cpu_time_used_by(supervisor) - supervisor_from;
  return {watch.work(records), static_cast<std::uint64_t>(supervisor_used.count())};
}

PersistWork play_persist_consumer(Stand& stand, const std::string& socket, const std::string& topic,
                                  const PersistShape& shape, const StreamEnd& end) {
  Bus bus = Bus::connect(socket);
  Consumer consumer = bus.consumer(topic, {.from = ringway::end()});
  NumberedReader reader(shape.size_bytes, 1);
  stand.ready();
  const std::uint64_t warm = warm_up_records(shape);
  while (reader.records() < warm) reader.poll(consumer);
  const std::uint64_t from = reader.records();
  const WorkWatch watch;
  for (std::uint64_t all = 0; all == 0 || reader.records() < all;) {
    all = end.records.load(std::memory_order::acquire);
    reader.poll(consumer);
  }
  return {watch.work(reader.records() - from)};
}

}  // namespace

std::uint64_t PersistShape::warm_up_bytes() const noexcept {
  return std::min(log_bytes / 8, kWarmUpBytesMax);
}

Measured persist_traffic(const std::string& socket, pid_t supervisor, const std::string& topic,
                         const CpuPair& cpus, const PersistShape& shape) {
  const SharedPages page(sizeof(StreamEnd));
  StreamEnd& end = *new (page.data()) StreamEnd;
  const std::vector<Part<PersistWork>> parts{
      {"producer", cpus.first,
       [&](Stand& stand) {
         return play_persist_producer(stand, socket, supervisor, topic, shape, end);
       }},
      {"consumer", cpus.second,
       [&](Stand& stand) { return play_persist_consumer(stand, socket, topic, shape, end); }}};
  const std::vector<PersistWork> of = measure_whole(parts);
  const Work& ours = of[0].work;
  Work others = of[1].work;
  others.cpu_ns += of[0].supervisor_cpu_ns;
  const std::uint64_t slot_bytes = record_slot_bytes(shape.size_bytes);
  Measured measured{.figures = throughput({ours}, {others}, slot_bytes), .variant = "ringway"};
  measured.more["bytes"] = ours.records * slot_bytes;
  measured.more["seconds"] = json_number(static_cast<double>(ours.wall_ns) / 1e9);
  measured.more["reader_seconds"] = json_number(static_cast<double>(others.wall_ns) / 1e9);
  measured.more["supervisor_cpu_ns_per_record"] =
      json_number(static_cast<double>(of[0].supervisor_cpu_ns) / static_cast<double>(ours.records));
  return measured;
}

}  // namespace ringway::cli
