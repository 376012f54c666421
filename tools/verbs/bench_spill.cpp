#include <fmt/format.h>

#include <memory>
#include <ringway/bus.hpp>

#include "tools/bench/benchmark.hpp"
#include "tools/bench/comparison_options.hpp"
#include "tools/bench/disk_options.hpp"
#include "tools/bench/limits/line_time.hpp"
#include "tools/bench/limits/scratch_file.hpp"
#include "tools/bench/measurement.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/repeats.hpp"
#include "tools/bench/spill_traffic.hpp"
#include "tools/bench/targets.hpp"
#include "tools/command_line.hpp"
#include "tools/number_option.hpp"
#include "tools/quantity.hpp"
#include "tools/stage/private_bus.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

constexpr const char* kSpillTopic = "bench/spill";

struct SpillOptions : ComparisonOptions {
  SpillOptions() { time = "1s"; }
  std::string size = "1024";
  std::uint64_t records_per_s = 100'000;

  SpillShape shape() const {
    return {parse_record_size(size), records_per_s, bus.ring_bytes(), false};
  }
  /// What a turn writes: both sides.
  std::uint64_t turn_bytes() const {
    const auto seconds = std::chrono::duration<double>(length() + warm_up_before(length()));
    const auto records =
        static_cast<std::uint64_t>(seconds.count() * static_cast<double>(records_per_s));
    return 2 * log_bytes_max(records * record_slot_bytes(parse_record_size(size)));
  }
};

std::string spill_name(const SpillShape& shape) {
  return fmt::format("spill_{}", shape.size_bytes);
}

std::string spill_about(const SpillShape& shape, const char* whose) {
  return fmt::format(
      "{} while another consumer falls to disk and comes back, {} records of {} a second, against "
      "the same without it",
      whose, shape.records_per_s, format_size(shape.size_bytes));
}

/// One side's turn: a topic made anew, so that its log is, and deleted afterwards.
Measured spill_once(const PrivateBus& bus, const CpuPair& cpus, const SpillOptions& options,
                    bool falls) {
  SpillShape shape = options.shape();
  shape.falls = falls;
  Bus::connect(bus.socket()).create_topic(kSpillTopic, options.bus.topic_choices());
  Measured measured = spill_traffic(bus.socket(), kSpillTopic, cpus, shape, options.length());
  Bus::connect(bus.socket()).delete_topic(kSpillTopic);
  settle(bus.directory());
  return measured;
}

/// The same turns, seen by the producer.
Turns producers_turns(Turns turns) {
  for (Turn& turn : turns.kept) {
    for (Measured& of : turn.of) {
      const Json& rate = of.more["producer_records_per_s"];
      of.figures = {};
      if (rate.is_number()) of.figures.records_per_s = rate.get<double>();
    }
  }
  return turns;
}

std::vector<Comparison> compare_spill(const SpillOptions& options, const CpuPair& cpus,
                                      Spare& spare) {
  PrivateBus bus(options.bus.daemon(), options.bus.place());
  bus.start();
  const TickClock clock;
  const Turns turns = take_turns({[&] { return spill_once(bus, cpus, options, false); },
                                  [&] { return spill_once(bus, cpus, options, true); }},
                                 options.runs, [&] { return line_time_ns(cpus, clock); },
                                 [&] { return spare.take(options.turn_bytes()); });
  const SpillShape shape = options.shape();
  Comparison row;
  row.name = spill_name(shape) + "_producer";
  row.about = spill_about(shape, "the producer");
  row.settings = options.settings(cpus);
  row.settings["place"] = options.bus.place().string();
  row.settings["size_bytes"] = shape.size_bytes;
  row.settings["rate"] = shape.records_per_s;
  row.settings["on_cpus"] = "producer first, both consumers second";
  options.bus.describe_topics(row.settings);
  row.slot_bytes = record_slot_bytes(shape.size_bytes);
  row.ring_bytes = shape.ring_bytes;
  row.target = targets::kSpillToNone;
  Comparison live = row;
  compare(row, producers_turns(turns), 1, 0, figure::records_per_s);
  live.name = spill_name(shape) + "_live";
  live.about = spill_about(shape, "the consumer that follows");
  compare(live, turns, 1, 0, figure::records_per_s);
  return {row, live};
}

Demand spill_demand(const SpillOptions& options) {
  // What a side has written goes when the next one begins, more or less.
  return {.written_bytes = kWrittenPerBus + options.runs * options.turn_bytes(),
          .disk_bytes = options.turn_bytes(),
          .memory_bytes = 2 * options.bus.ring_bytes()};
}

Configured configure_spill(const SpillOptions& options) {
  const SpillShape shape = options.shape();
  return {.name = spill_name(shape) + "_producer",
          .about = spill_about(shape, "the others"),
          .demand = spill_demand(options),
          .why_not =
              [options] {
                return cpu_pair() ? why_no_disk(options.bus.place(), options.turn_bytes())
                                  : kNeedsTwoCpus;
              },
          .measure = [options](Spare& spare) {
            return as_rows(compare_spill(options, *cpu_pair(), spare));
          }};
}

Configure add_spill_flags(CLI::App& verb) {
  const auto options = std::make_shared<SpillOptions>();
  add_record_size_to(verb, options->size);
  add_number(verb, "--rate", options->records_per_s, "Records per second", {1000, 10'000'000})
      ->capture_default_str();
  options->add_to(verb);
  options->bus.add_daemon_to(verb);
  return [options] { return configure_spill(*options); };
}

}  // namespace

Benchmark spill_benchmark() {
  return {.verb = "spill",
          .why = "Whether a consumer that falls to disk and comes back slows the others down",
          .examples = "  ringway bench spill\n  ringway bench spill --rate 500000 --output json",
          .add_flags = add_spill_flags};
}

}  // namespace ringway::cli
