#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <ringway/bus.hpp>

#include "tools/bench/benchmark.hpp"
#include "tools/bench/comparison_options.hpp"
#include "tools/bench/limits/line_time.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/repeats.hpp"
#include "tools/bench/steady_traffic.hpp"
#include "tools/command_line.hpp"
#include "tools/quantity.hpp"
#include "tools/stage/private_bus.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

// The first one is what the others are held against.
constexpr std::uint32_t kSpreads[] = {1, 4, 16, 64};
constexpr std::uint64_t kRingMin = 64 << 10;

struct ScaleOptions : ComparisonOptions {
  std::string size = "64";
};

std::string scale_name(std::uint64_t size_bytes, std::uint32_t partitions) {
  return fmt::format("scale_{}_partitions_{}", size_bytes, partitions);
}

std::string scale_about(std::uint64_t size_bytes, std::uint32_t partitions) {
  return fmt::format(
      "records of {} to {} in turn, one producer and one consumer, against one partition",
      format_size(size_bytes), counted(partitions, "partition"));
}

std::string scale_topic(std::uint32_t partitions) {
  return fmt::format("bench/scale-{}", partitions);
}

/// Of each partition: together they have what one alone has.
std::uint64_t ring_share(const ScaleOptions& options, std::uint32_t partitions) {
  return std::max(options.bus.ring_bytes() / partitions, kRingMin);
}

std::vector<Comparison> compare_scale(const ScaleOptions& options, std::uint64_t size_bytes,
                                      const CpuPair& cpus) {
  PrivateBus bus(options.bus.daemon(), options.bus.place());
  bus.start();
  std::vector<Measure> contenders;
  for (const std::uint32_t partitions : kSpreads) {
    TopicChoices choices = options.memory_topic();
    choices.partitions = partitions;
    choices.ring_bytes = ring_share(options, partitions);
    Bus::connect(bus.socket()).create_topic(scale_topic(partitions), choices);
    contenders.push_back([&, partitions] {
      return steady_traffic(bus.socket(), bus.pid(), scale_topic(partitions), cpus,
                            {.size_bytes = size_bytes, .partitions = partitions},
                            options.length());
    });
  }
  const TickClock clock;
  const Turns turns =
      take_turns(contenders, options.runs, [&] { return line_time_ns(cpus, clock); });

  std::vector<Comparison> rows;
  for (std::size_t i = 1; i < std::size(kSpreads); ++i) {
    Comparison row;
    row.name = scale_name(size_bytes, kSpreads[i]);
    row.about = scale_about(size_bytes, kSpreads[i]);
    row.settings = options.settings(cpus);
    row.settings["size_bytes"] = size_bytes;
    row.settings["partitions"] = kSpreads[i];
    options.describe_memory_topic(row.settings);
    row.settings["ring_bytes"] = ring_share(options, kSpreads[i]);
    row.slot_bytes = record_slot_bytes(size_bytes);
    row.ring_bytes = options.bus.ring_bytes();
    compare(row, turns, i, 0, figure::records_per_s);
    rows.push_back(std::move(row));
  }
  return rows;
}

Configured configure_scale(const ScaleOptions& options) {
  const std::uint64_t size_bytes = parse_record_size(options.size);
  static_cast<void>(options.length());
  return {.name = scale_name(size_bytes, kSpreads[1]),
          .about = scale_about(size_bytes, kSpreads[1]),
          .demand = options.memory_demand(),
          .why_not = why_not_on_two_cpus,
          .measure =
              [options, size_bytes](Spare&) {
                return as_rows(compare_scale(options, size_bytes, *cpu_pair()));
              }};
}

Configure add_scale_flags(CLI::App& verb) {
  const auto options = std::make_shared<ScaleOptions>();
  add_record_size_to(verb, options->size);
  options->add_to(verb);
  options->bus.add_daemon_to(verb);
  return [options] { return configure_scale(*options); };
}

}  // namespace

Benchmark scale_benchmark() {
  return {.verb = "scale",
          .why = "What it costs to spread the same records over 4, 16 and 64 partitions",
          .examples = "  ringway bench scale\n  ringway bench scale --size 1K --output json",
          .add_flags = add_scale_flags};
}

}  // namespace ringway::cli
