#include "tools/bench/fanout_traffic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <new>
#include <ringway/bus.hpp>
#include <thread>
#include <vector>

#include "tools/bench/measurement.hpp"
#include "tools/bench/memory_files.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/shared_pages.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli {
namespace {

constexpr std::uint64_t kFanoutWarmUpMax = 64 << 20;

/// Where everybody is.
struct FanoutStage {
  std::atomic<std::uint64_t> records{0};            // by the producer: all there will be
  alignas(128) std::atomic<std::uint32_t> warm{0};  // consumers that have read the warm-up
  std::atomic<std::uint32_t> done{0};               // and everything
};

struct FanoutWork {
  Work work;
  std::uint64_t from_log = 0;           // of a consumer's records
  std::uint64_t supervisor_cpu_ns = 0;  // as the producer saw it
};

std::uint64_t records_in(std::uint64_t bytes, const FanoutShape& shape) {
  const std::uint64_t each = record_slot_bytes(shape.size_bytes);
  return std::max<std::uint64_t>(1, (bytes + each - 1) / each);
}

std::uint64_t warm_up_of(const FanoutShape& shape) {
  return records_in(std::min(shape.log_bytes / 8, kFanoutWarmUpMax), shape);
}

void await_all(const std::atomic<std::uint32_t>& consumers, const FanoutShape& shape) {
  while (consumers.load(std::memory_order::acquire) < shape.consumers) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

FanoutWork play_fanout_producer(Stand& stand, const std::string& socket, pid_t supervisor,
                                const std::string& topic, const FanoutShape& shape,
                                FanoutStage& stage) {
  Bus bus = Bus::connect(socket);
  NumberedProducer producer(bus, topic, {.size_bytes = shape.size_bytes});
  stand.ready();
  std::uint64_t warm = 0, records = 0;
  while (warm < warm_up_of(shape)) warm += producer.publish_some();
  producer.wait(Level::written);
  await_all(stage.warm, shape);

  const std::uint64_t wanted = records_in(shape.log_bytes, shape);
  const auto supervisor_from = cpu_time_used_by(supervisor);
  const WorkWatch watch;
  while (records < wanted) records += producer.publish_some();
  const Work work = watch.work(records);
  stage.records.store(warm + records, std::memory_order::release);
  await_all(stage.done, shape);
  const auto supervisor_used = cpu_time_used_by(supervisor) - supervisor_from;
  return {.work = work,
          .supervisor_cpu_ns = static_cast<std::uint64_t>(supervisor_used.count())};
}

FanoutWork play_fanout_consumer(Stand& stand, const std::string& socket, const std::string& topic,
                                const FanoutShape& shape, FanoutStage& stage) {
  Bus bus = Bus::connect(socket);
  Consumer consumer = bus.consumer(topic, {.from = end(), .wait = shape.wait});
  NumberedReader reader(shape.size_bytes, 1);
  MemoryFiles rings;
  stand.ready();
  const std::uint64_t warm = warm_up_of(shape);
  while (reader.records() < warm) reader.poll(consumer);
  const std::uint64_t from = reader.records();
  stage.warm.fetch_add(1, std::memory_order::release);
  const WorkWatch watch;
  std::uint64_t from_log = 0;
  for (std::uint64_t all = 0; all == 0 || reader.records() < all;) {
    all = stage.records.load(std::memory_order::acquire);
    for (const RecordView& record : reader.poll(consumer)) {
      if (!rings.hold(record.payload().data())) ++from_log;
    }
  }
  const Work work = watch.work(reader.records() - from);
  stage.done.fetch_add(1, std::memory_order::release);
  return {.work = work, .from_log = from_log};
}

Measured told(const std::vector<FanoutWork>& of, const FanoutShape& shape) {
  std::vector<Work> others;
  std::uint64_t read = 0, from_log = 0, last_ns = 0;
  Json consumers = Json::array();
  for (auto each = of.begin() + 1; each != of.end(); ++each) {
    others.push_back(each->work);
    read += each->work.records;
    from_log += each->from_log;
    last_ns = std::max(last_ns, each->work.wall_ns);
    consumers.push_back({{"records", each->work.records},
                         {"from_log", each->from_log},
                         {"seconds", json_number(static_cast<double>(each->work.wall_ns) / 1e9)}});
  }
  const FanoutWork& producer = of.front();
  others.front().cpu_ns += producer.supervisor_cpu_ns;
  Measured measured{
      .figures = throughput({producer.work}, others, record_slot_bytes(shape.size_bytes)),
      .variant = shape.consumers == 1 ? "one consumer" : counted(shape.consumers, "consumer")};
  measured.more["records"] = producer.work.records;
  measured.more["seconds"] = json_number(static_cast<double>(producer.work.wall_ns) / 1e9);
  measured.more["last_reader_seconds"] = json_number(static_cast<double>(last_ns) / 1e9);
  measured.more["from_log"] = from_log;
  measured.more["from_log_share"] =
      json_number(static_cast<double>(from_log) / static_cast<double>(read));
  measured.more["consumers"] = std::move(consumers);
  return measured;
}

}  // namespace

Measured fanout_traffic(const std::string& socket, pid_t supervisor, const std::string& topic,
                        const CpuPair& cpus, const FanoutShape& shape) {
  const SharedPages page(sizeof(FanoutStage));
  FanoutStage& stage = *new (page.data()) FanoutStage;
  std::vector<Part<FanoutWork>> parts{{"producer", cpus.first, [&](Stand& stand) {
                                         return play_fanout_producer(stand, socket, supervisor,
                                                                     topic, shape, stage);
                                       }}};
  for (std::uint32_t i = 0; i < shape.consumers; ++i) {
    parts.push_back({fmt::format("consumer {}", i), cpus.second, [&](Stand& stand) {
                       return play_fanout_consumer(stand, socket, topic, shape, stage);
                     }});
  }
  return told(measure_whole(parts), shape);
}

}  // namespace ringway::cli
