#include <chrono>
#include <cstring>
#include <ringway/bus.hpp>

#include "tools/quickstart_run/latency.hpp"
#include "tools/quickstart_run/roles.hpp"
#include "tools/quickstart_run/telling.hpp"

namespace ringway::quickstart {

namespace {

using namespace std::chrono_literals;

/// How long nothing may come, with the goal not reached, until the rest counts as lost.
constexpr auto kPatience = 30s;

Mark mark_of(const RecordView& record) {
  Mark mark{kProducers, 0};
  for (const Header& header : record.headers()) {
    if (header.value.size() == sizeof mark)
      std::memcpy(&mark, header.value.text().data(), sizeof mark);
  }
  if (mark.producer >= kProducers || record.partition() >= kPartitions) {
    throw Error(ErrorCode::failed, "a record", "nobody published it", "");
  }
  return mark;
}

bool reached(const Consumer& consumer, const Goal& goal) {
  for (std::uint32_t partition = 0; partition < kPartitions; ++partition) {
    if (consumer.position(partition) < goal.end_offset[partition]) return false;
  }
  return true;
}

}  // namespace

void play_reader(Channel& parent, const std::string& socket) {
  Bus bus = Bus::connect(socket);
  Consumer consumer = bus.consumer(kTopic, {.from = start()});
  Report report;
  LatencyHistogram latency;
  parent.send(report);
  std::optional<Goal> goal;
  std::optional<Telling> telling;
  double last_record = 0;
  while (!goal || !reached(consumer, *goal)) {
    const RecordBatch batch = consumer.poll(1024, 100ms);
    const std::int64_t seen_ns = realtime_ns();
    if (!telling && !batch.empty()) telling.emplace(parent);
    for (const RecordView& record : batch) {
      latency.add(seen_ns - record.timestamp_ns());
      report.tally.add(
          {mark_of(record), record.partition(), record.offset(), record.key(), record.value()});
    }
    report.records += batch.size();
    if (telling) telling->maybe(report);
    if (!batch.empty()) last_record = telling->seconds();
    if (!goal) goal = parent.receive<Goal>();
    if (goal && batch.empty() && telling &&
        telling->seconds() - last_record > std::chrono::duration<double>(kPatience).count()) {
      break;
    }
  }
  report.seconds = last_record;
  report.set_latency(latency);
  report.done = true;
  parent.send(report);
}

}  // namespace ringway::quickstart
