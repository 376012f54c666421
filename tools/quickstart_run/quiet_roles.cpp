#include <chrono>
#include <ringway/bus.hpp>
#include <thread>

#include "tools/quickstart_run/roles.hpp"

namespace ringway::quickstart {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kTicks = 1000;

}  // namespace

void play_ticker(Channel& parent, const std::string& socket) {
  Bus bus = Bus::connect(socket);
  Producer producer = bus.producer(kQuietTopic);
  Report report;
  while (report.records < kTicks) {
    std::this_thread::sleep_for(1ms);
    if (producer.publish("tick").status != Status::ok) {
      throw Error(ErrorCode::failed, "publish", producer.why(), "");
    }
    ++report.records;
  }
  report.done = true;
  parent.send(report);
}

void play_listener(Channel& parent, const std::string& socket) {
  Bus bus = Bus::connect(socket);
  Consumer consumer = bus.consumer(kQuietTopic, {.from = start()});
  Report report;
  LatencyHistogram latency;
  while (report.records < kTicks) {
    const RecordBatch batch = consumer.poll(1, forever);
    const std::int64_t seen_ns = realtime_ns();
    for (const RecordView& record : batch) latency.add(seen_ns - record.timestamp_ns());
    report.records += batch.size();
  }
  report.set_latency(latency);
  report.done = true;
  parent.send(report);
}

}  // namespace ringway::quickstart
