#include "tools/bench/replay_traffic.hpp"

#include <algorithm>
#include <ringway/bus.hpp>

#include "tools/bench/measurement.hpp"
#include "tools/bench/numbered_records.hpp"

namespace ringway::cli {

void write_log(const std::string& socket, const std::string& topic, int cpu,
               std::uint64_t size_bytes, std::uint64_t records) {
  const std::vector<Part<bool>> parts{{"producer", cpu, [&](Stand& stand) {
                                         Bus bus = Bus::connect(socket);
                                         NumberedProducer producer(bus, topic,
                                                                   {.size_bytes = size_bytes});
                                         stand.ready();
                                         for (std::uint64_t i = 0; i < records; ++i) producer.one();
                                         producer.wait(Level::durable);
                                         return true;
                                       }}};
  static_cast<void>(measure_whole(parts));
}

Measured replay_traffic(const std::string& socket, pid_t supervisor, const std::string& topic,
                        int cpu, std::uint64_t size_bytes, std::uint64_t records) {
  const std::vector<Part<Work>> parts{{"consumer", cpu, [&](Stand& stand) {
                                         Bus bus = Bus::connect(socket);
                                         Consumer consumer = bus.consumer(topic, {.from = start()});
                                         NumberedReader reader(size_bytes, 1);
                                         stand.ready();
                                         const auto supervisor_from = cpu_time_used_by(supervisor);
                                         const WorkWatch watch;
                                         while (reader.records() < records) reader.poll(consumer);
                                         Work work = watch.work(reader.records());
                                         const auto supervisor_used =
                                             cpu_time_used_by(supervisor) - supervisor_from;
                                         work.cpu_ns +=
                                             static_cast<std::uint64_t>(supervisor_used.count());
                                         return work;
                                       }}};
  return {.figures = throughput(measure_whole(parts), {}, record_slot_bytes(size_bytes)),
          .variant = "ringway"};
}

}  // namespace ringway::cli
