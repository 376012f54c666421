#include <fmt/format.h>

#include <memory>
#include <ringway/bus.hpp>

#include "tools/bench/benchmark.hpp"
#include "tools/bench/comparison_options.hpp"
#include "tools/bench/limits/futex_wake.hpp"
#include "tools/bench/limits/line_time.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/quiet_publishes.hpp"
#include "tools/bench/repeats.hpp"
#include "tools/bench/targets.hpp"
#include "tools/bench/traced_acts.hpp"
#include "tools/bench/wait_option.hpp"
#include "tools/bench/wake_traffic.hpp"
#include "tools/command_line.hpp"
#include "tools/quantity.hpp"
#include "tools/stage/private_bus.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

constexpr const char* kWakeTopic = "bench/wake";
constexpr const char* kQuietTopic = "bench/quiet";

struct WakeOptions : ComparisonOptions {
  std::string size = "64";
  WakeShape shape;
};

std::string wake_name(const WakeShape& shape) {
  return fmt::format("wake_{}", shape.size_bytes);
}

std::string wake_about(const WakeShape& shape) {
  return fmt::format(
      "{} from publish to seen, by a consumer asleep for {}, against a bare futex wake",
      format_size(shape.size_bytes), format_duration(kAsleepFor));
}

/// No figure, and no limit: what a publish asks for, counted.
Comparison quiet_row(const Comparison& wake, const QuietShape& shape, const Turns& turns,
                     std::size_t contender) {
  Comparison row;
  row.name = fmt::format("wake_{}_nobody_asleep", shape.size_bytes);
  row.about = "publish while nobody sleeps: its system calls and instructions that lock memory";
  row.settings = wake.settings;
  row.settings["size_bytes"] = shape.size_bytes;
  row.settings["partitions"] = 2;
  row.settings["publishes_counted"] = shape.counted;
  row.settings["publishes_stepped"] = shape.stepped;
  row.settings["wait"] = wait_name(WaitStrategy::latency);
  row.settings.erase("asleep_us");
  row.settings.erase("time_ms");
  row.ratio_of = "system calls and locked instructions of a publish";
  row.better = Comparison::Better::lower;
  row.target = targets::kQuietPublish;
  row.redone = turns.redone;
  for (const Turn& turn : turns.kept) {
    const Measured& counts = turn.of[contender];
    Repeat repeat{.figures = {},
                  .limit = {},
                  .variant = counts.variant,
                  .line_before_ns = turn.line_before_ns,
                  .line_after_ns = turn.line_after_ns,
                  .steady = turn.steady,
                  .ratio = {},
                  .more = counts.more,
                  .limit_more = Json::object()};
    const Json& each = counts.more["per_publish"];
    if (each.is_number()) repeat.ratio = each.get<double>();
    row.repeats.push_back(std::move(repeat));
  }
  return row;
}

std::vector<Comparison> compare_wake(const WakeOptions& options, const CpuPair& cpus) {
  const TickClock clock;
  PrivateBus bus(options.bus.daemon(), options.bus.place());
  bus.start();
  TopicChoices quiet_topic = options.memory_topic();
  quiet_topic.partitions = 2;
  Bus::connect(bus.socket()).create_topic(kWakeTopic, options.memory_topic());
  Bus::connect(bus.socket()).create_topic(kQuietTopic, quiet_topic);
  const std::string untraced = why_no_tracing();
  std::vector<Measure> contenders{
      [&] { return futex_wake(cpus, clock, options.length()); },
      [&] {
        return wake_traffic(bus.socket(), kWakeTopic, cpus, options.shape, clock,
                            options.length());
      }};
  QuietShape quiet_shape;  // of small records, whatever --size says: a copy is many single steps
  quiet_shape.counted = publishes_to_count(options.bus.ring_bytes(), quiet_shape.size_bytes);
  if (untraced.empty()) {
    contenders.push_back(
        [&] { return quiet_publishes(bus.socket(), kQuietTopic, cpus, quiet_shape); });
  }
  const Turns turns =
      take_turns(contenders, options.runs, [&] { return line_time_ns(cpus, clock); });

  Comparison row;
  row.name = wake_name(options.shape);
  row.about = wake_about(options.shape);
  row.settings = options.settings(cpus);
  row.settings["size_bytes"] = options.shape.size_bytes;
  row.settings["wait"] = wait_name(options.shape.wait);
  row.settings["asleep_us"] = kAsleepFor.count();
  options.describe_memory_topic(row.settings);
  row.better = Comparison::Better::lower;
  if (options.shape.size_bytes == 64) row.target = targets::kWakeP50;
  compare(row, turns, 1, 0, figure::p50_ns);
  Comparison quiet = quiet_row(row, quiet_shape, untraced.empty() ? turns : Turns{}, 2);
  quiet.not_measured = untraced;
  return {row, quiet};
}

Configured configure_wake(WakeOptions options) {
  options.shape.size_bytes = parse_record_size(options.size);
  static_cast<void>(options.length());
  if (options.shape.wait == WaitStrategy::latency) {
    throw Error(ErrorCode::usage, "--wait latency", "spins and never sleeps: nobody is woken",
                "take adaptive or throughput");
  }
  return {.name = wake_name(options.shape),
          .about = wake_about(options.shape),
          .demand = options.memory_demand(),
          .why_not = why_not_on_two_cpus,
          .measure = [options](Spare&) { return as_rows(compare_wake(options, *cpu_pair())); }};
}

Configure add_wake_flags(CLI::App& verb) {
  const auto options = std::make_shared<WakeOptions>();
  add_record_size_to(verb, options->size);
  add_wait_to(verb, options->shape.wait);
  options->add_to(verb);
  options->bus.add_daemon_to(verb);
  return [options] { return configure_wake(*options); };
}

}  // namespace

Benchmark wake_benchmark() {
  return {.verb = "wake",
          .why = "How soon a consumer that sleeps sees a record, beside a bare futex wake",
          .examples = "  ringway bench wake\n  ringway bench wake --wait throughput --output json",
          .add_flags = add_wake_flags};
}

}  // namespace ringway::cli
