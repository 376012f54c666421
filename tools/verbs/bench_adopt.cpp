#include <fmt/format.h>
#include <unistd.h>

#include <ringway/bus.hpp>

#include "tools/bench/bench_options.hpp"
#include "tools/bench/benchmark.hpp"
#include "tools/bench/result.hpp"
#include "tools/bench/traffic.hpp"
#include "tools/command_line.hpp"
#include "tools/stage/private_bus.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kAdoptTarget = 300ms;
constexpr auto kAdoptManyTarget = 1s;
constexpr std::uint32_t kAdoptMany = 1000;
constexpr const char* kAdoptAbout =
    "a new supervisor takes over living rings, after kill -9, without traffic";
constexpr auto kLookEvery = 200us;
constexpr std::uint64_t kRecordsPerLane = 1000;
constexpr std::uint64_t kWrittenPerLane = 160 << 10;   // at most: whole blocks, and an index
constexpr std::uint64_t kWrittenPerTopic = 32 << 10;  // of the catalog

struct AdoptOptions : BenchOptions {
  TrafficShape shape{.topics = 1, .partitions = 200};
};

/// Fills every partition a little, and keeps its handles open until the parent ends it.
void play_holder(Channel& parent, const std::string& socket, const TrafficShape& shape) {
  Bus bus = Bus::connect(socket);
  std::vector<Producer> producers;
  std::vector<Consumer> consumers;
  for (std::uint32_t topic = 0; topic < shape.topics; ++topic) {
    producers.push_back(bus.producer(shape.topic(topic)));
    consumers.push_back(bus.consumer(shape.topic(topic)));
    for (std::uint32_t partition = 0; partition < shape.partitions; ++partition) {
      RecordOffset last;
      for (std::uint64_t i = 0; i < kRecordsPerLane; ++i) {
        const auto [status, offset] =
            producers.back().publish(std::string(64, 'x'), {.partition = partition});
        if (status != Status::ok) {
          throw Error(ErrorCode::failed, "publish", producers.back().why(), "");
        }
        last = offset;
      }
      static_cast<void>(producers.back().wait(last, Level::durable, 10s));
    }
  }
  parent.send(true);
  for (;;) ::pause();
}

std::vector<Series> adopt_run(const AdoptOptions& options) {
  PrivateBus bus(options.daemon(), options.place());
  bus.start();
  create_topics(bus.socket(), options.shape, options.topic_choices());
  Child holder("client",
               [&](Channel& parent) { play_holder(parent, bus.socket(), options.shape); });
  holder.channel().await<bool>();
  Durations adopted;
  for (std::uint32_t i = 0; i < options.times; ++i) {
    bus.kill();
    const auto begin = Clock::now();
    bus.launch();
    bus.await_service(kLookEvery);
    adopted.add(Clock::now() - begin);
  }
  return {{"adopted", "start of the new one to its first greeting", adopted}};
}

std::string adopt_name(const TrafficShape& shape) {
  return shape.lanes() < kAdoptMany ? "adopt" : fmt::format("adopt_{}", shape.lanes());
}

std::chrono::nanoseconds adopt_target(const TrafficShape& shape) {
  return shape.lanes() < kAdoptMany ? kAdoptTarget : kAdoptManyTarget;
}

Demand adopt_demand(const AdoptOptions& options) {
  const std::uint64_t written = kWrittenPerBus + options.shape.lanes() * kWrittenPerLane +
                                options.shape.topics * kWrittenPerTopic;
  return {.written_bytes = options.runs * written,
          .disk_bytes = written,
          .memory_bytes = options.shape.lanes() * options.ring_bytes()};
}

BenchResult measure_adopt(const AdoptOptions& options) {
  BenchResult result{.name = adopt_name(options.shape),
                     .about = kAdoptAbout,
                     .settings = bench_settings(),
                     .runs = {},
                     .target = BenchResult::Target{0.99, adopt_target(options.shape)}};
  result.settings["starts"] = options.times;
  result.settings["topics"] = options.shape.topics;
  result.settings["partitions"] = options.shape.lanes();
  result.settings["records_a_partition"] = kRecordsPerLane;
  options.describe_topics(result.settings);
  for (std::uint32_t run = 0; run < options.runs; ++run) result.runs.push_back(adopt_run(options));
  return result;
}

Configured configure_adopt(const AdoptOptions& options) {
  return {.name = adopt_name(options.shape),
          .about = kAdoptAbout,
          .demand = adopt_demand(options),
          .measure = [options](Spare&) { return BenchRows{measure_adopt(options)}; }};
}

Configure add_adopt_flags(CLI::App& verb) {
  const auto options = std::make_shared<AdoptOptions>();
  options->times = 20;
  options->add_to(verb, "--starts", "Supervisors to start in each run");
  options->add_shape_to(verb, options->shape);
  return [options] { return configure_adopt(*options); };
}

}  // namespace

Benchmark adopt_benchmark() {
  return {.verb = "adopt",
          .why = "How soon a new supervisor has taken over living rings and their log",
          .examples = "  ringway bench adopt\n"
                      "  ringway bench adopt --topics 1000 --partitions 1 --ring 64K",
          .add_flags = add_adopt_flags};
}

}  // namespace ringway::cli
