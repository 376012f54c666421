#include <algorithm>
#include <memory>
#include <ringway/bus.hpp>

#include "tools/bench/bench_options.hpp"
#include "tools/bench/benchmark.hpp"
#include "tools/bench/disk_options.hpp"
#include "tools/bench/recovery.hpp"
#include "tools/bench/traffic.hpp"
#include "tools/command_line.hpp"
#include "tools/stage/private_bus.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

constexpr std::uint64_t kRecoverRecordBytes = 1024;

struct RecoverOptions : BenchOptions {
  RecoverOptions() {
    times = 5;
    runs = 1;
  }
  RecoveryOptions recovery;
};

Recovery recover_once(const RecoverOptions& options) {
  const TrafficShape one_topic{.topics = 1, .partitions = 1};
  PrivateBus bus(options.daemon(), options.place());
  bus.start();
  create_topics(bus.socket(), one_topic, options.topic_choices());
  const Recovery recovery = recover(
      bus, {one_topic.topic(0), kRecoverRecordBytes, options.recovery.log_bytes()}, options.times);
  bus.stop();
  return recovery;
}

BenchResult measure_recover(const RecoverOptions& options) {
  Json settings = bench_settings();
  options.describe_topics(settings);
  std::vector<Recovery> runs;
  for (std::uint32_t i = 0; i < options.runs; ++i) runs.push_back(recover_once(options));
  return recovery_row(runs, options.times, std::move(settings));
}

Demand recover_demand(const RecoverOptions& options) {
  const std::uint64_t written = recovery_bytes_max(options.recovery.log_bytes(), options.times);
  return {.written_bytes = options.runs * written,
          .disk_bytes = written,
          .memory_bytes = 2 * options.ring_bytes()};
}

Configured configure_recover(const RecoverOptions& options) {
  const Demand demand = recover_demand(options);
  return {.name = kRecoveryName,
          .about = kRecoveryAbout,
          .demand = demand,
          .why_not = [options, demand] { return why_no_disk(options.place(), demand.disk_bytes); },
          .measure = [options](Spare&) { return BenchRows{measure_recover(options)}; }};
}

Configure add_recover_flags(CLI::App& verb) {
  const auto options = std::make_shared<RecoverOptions>();
  options->add_to(verb, "--starts", "Supervisors to start in each run");
  options->recovery.add_to(verb);
  return [options] { return configure_recover(*options); };
}

}  // namespace

Benchmark recover_benchmark() {
  return {.verb = "recover",
          .why = "How soon a new supervisor serves with a long log whose ring was lost",
          .examples = "  ringway bench recover\n"
                      "  ringway bench recover --log-bytes 1GiB --starts 3",
          .add_flags = add_recover_flags};
}

}  // namespace ringway::cli
