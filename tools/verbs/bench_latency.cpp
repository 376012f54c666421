#include <fmt/format.h>

#include <memory>
#include <ringway/bus.hpp>

#include "tools/bench/benchmark.hpp"
#include "tools/bench/comparison_options.hpp"
#include "tools/bench/echo_traffic.hpp"
#include "tools/bench/limits/line_time.hpp"
#include "tools/bench/limits/record_copy.hpp"
#include "tools/bench/repeats.hpp"
#include "tools/bench/ring_traffic.hpp"
#include "tools/bench/targets.hpp"
#include "tools/bench/wait_option.hpp"
#include "tools/command_line.hpp"
#include "tools/number_option.hpp"
#include "tools/quantity.hpp"
#include "tools/stage/private_bus.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

constexpr const char* kThereTopic = "bench/there";
constexpr const char* kBackTopic = "bench/back";

struct LatencyOptions : ComparisonOptions {
  std::string size = "64";
  std::uint64_t rate = 0;  // 0: there and back
  LatencyShape shape;
};

std::string latency_name(const LatencyOptions& options) {
  std::string name = fmt::format("latency_{}", options.shape.size_bytes);
  if (options.rate != 0) name += fmt::format("_rate_{}", options.rate);
  return name;
}

std::string latency_about(const LatencyOptions& options) {
  const std::string size = format_size(options.shape.size_bytes);
  if (options.rate == 0) {
    return fmt::format("one way of {}, half of there and back, against a bare copy", size);
  }
  return fmt::format("{} at {}/s, from when each was due to when it was seen, against a bare copy",
                     size, options.rate);
}

std::vector<Comparison> compare_latency(const LatencyOptions& options, const CpuPair& cpus) {
  const TickClock clock;
  const auto length = options.length();
  const auto rate = static_cast<double>(options.rate);
  const RecordCopyShape limit{record_slot_bytes(options.shape.size_bytes),
                              options.bus.ring_bytes()};
  PrivateBus bus(options.bus.daemon(), options.bus.place());
  bus.start();
  for (const char* topic : {kThereTopic, kBackTopic}) {
    Bus::connect(bus.socket()).create_topic(topic, options.memory_topic());
  }
  // The best variant of each percentile, out of one measurement of them all.
  std::vector<Measured> variants;
  const auto best_at = [&variants](const Figure& figure) {
    return best_of(variants, figure, Comparison::Better::lower);
  };
  const std::vector<Measure> contenders{
      [&] {
        variants = options.rate == 0 ? record_copy_variants(cpus, limit, clock, length)
                                     : paced_copy_variants(cpus, limit, rate, clock, length);
        return best_at(figure::p50_ns);
      },
      [&] { return best_at(figure::p99_ns); },
      [&] {
        return options.rate == 0 ? echo_traffic(bus.socket(), kThereTopic, kBackTopic, cpus,
                                                options.shape, clock, length)
                                 : paced_traffic(bus.socket(), kThereTopic, cpus, options.shape,
                                                 rate, clock, length);
      }};
  const Turns turns =
      take_turns(contenders, options.runs, [&] { return line_time_ns(cpus, clock); });

  std::vector<Comparison> rows;
  for (const auto& [figure, target] : {std::pair{figure::p50_ns, targets::kLatencyP50},
                                       std::pair{figure::p99_ns, targets::kLatencyP99}}) {
    Comparison row;
    row.name = latency_name(options) + (figure.name == figure::p50_ns.name ? "_p50" : "_p99");
    row.about = latency_about(options);
    row.settings = options.settings(cpus);
    row.settings["size_bytes"] = options.shape.size_bytes;
    row.settings["rate"] = options.rate != 0 ? Json(options.rate) : Json();
    row.settings["wait"] = wait_name(options.shape.wait);
    options.describe_memory_topic(row.settings);
    row.slot_bytes = limit.slot_bytes;
    row.ring_bytes = limit.ring_bytes;
    row.better = Comparison::Better::lower;
    if (options.shape.size_bytes == 64) row.target = target;
    compare(row, turns, contenders.size() - 1, rows.size(), figure);
    rows.push_back(std::move(row));
  }
  return rows;
}

Configured configure_latency(LatencyOptions options) {
  options.shape.size_bytes = parse_record_size(options.size);
  static_cast<void>(options.length());
  return {.name = latency_name(options) + "_p50",
          .about = latency_about(options),
          .demand = options.memory_demand(),
          .why_not = why_not_on_two_cpus,
          .measure = [options](Spare&) { return as_rows(compare_latency(options, *cpu_pair())); }};
}

Configure add_latency_flags(CLI::App& verb) {
  const auto options = std::make_shared<LatencyOptions>();
  add_record_size_to(verb, options->size);
  add_number(verb, "--rate", options->rate,
             "Records a second, published when each is due (default: there and back)",
             {1, 100'000'000});
  add_wait_to(verb, options->shape.wait);
  options->add_to(verb);
  options->bus.add_daemon_to(verb);
  return [options] { return configure_latency(*options); };
}

}  // namespace

Benchmark latency_benchmark() {
  return {.verb = "latency",
          .why = "How soon a record is seen, beside a bare copy of as many bytes",
          .examples = "  ringway bench latency\n"
                      "  ringway bench latency --rate 100000 --output json",
          .add_flags = add_latency_flags};
}

}  // namespace ringway::cli
