#include <fmt/format.h>

#include <memory>
#include <ringway/bus.hpp>

#include "tools/bench/benchmark.hpp"
#include "tools/bench/comparison_options.hpp"
#include "tools/bench/disk_options.hpp"
#include "tools/bench/fanout_traffic.hpp"
#include "tools/bench/limits/line_time.hpp"
#include "tools/bench/limits/scratch_file.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/repeats.hpp"
#include "tools/bench/targets.hpp"
#include "tools/bench/wait_option.hpp"
#include "tools/command_line.hpp"
#include "tools/number_option.hpp"
#include "tools/quantity.hpp"
#include "tools/stage/private_bus.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

constexpr const char* kFanoutTopic = "bench/fanout";

struct FanoutOptions : DiskOptions {
  std::string size = "64";
  FanoutShape shape;
};

std::string fanout_name(const FanoutShape& shape) {
  return fmt::format("fanout_{}_consumers_{}", shape.size_bytes, shape.consumers);
}

std::string fanout_about(const FanoutShape& shape) {
  return fmt::format(
      "a producer of records of {} and {} on another CPU, until the last has read everything, "
      "against the same producer with one",
      format_size(shape.size_bytes), counted(shape.consumers, "consumer"));
}

/// One side's turn: a topic made anew, so that its log is, and deleted afterwards.
Measured fanout_once(const PrivateBus& bus, const CpuPair& cpus, const TopicChoices& choices,
                     const FanoutShape& shape) {
  Bus::connect(bus.socket()).create_topic(kFanoutTopic, choices);
  Measured measured = fanout_traffic(bus.socket(), bus.pid(), kFanoutTopic, cpus, shape);
  Bus::connect(bus.socket()).delete_topic(kFanoutTopic);
  settle(bus.directory());
  return measured;
}

/// How much of what was read came from the log: no figure, and no limit.
Comparison from_log_row(const Comparison& row) {
  Comparison share = row;
  share.name += "_from_log";
  share.about = "the share of the records that consumers read from the log, as they fell behind";
  share.ratio_of = "share of the records from the log";
  share.better = Comparison::Better::lower;
  share.target.reset();
  for (Repeat& repeat : share.repeats) {
    repeat.limit.reset();
    repeat.variant.clear();
    repeat.ratio = repeat.more["from_log_share"].get<double>();
  }
  return share;
}

/// Both sides, and what warms them up.
std::uint64_t turn_bytes(const FanoutOptions& options) {
  return 2 * log_bytes_max(options.bytes_each() + options.bytes_each() / 8);
}

std::vector<Comparison> compare_fanout(const FanoutOptions& options, const CpuPair& cpus,
                                       Spare& spare) {
  PrivateBus bus(options.bus.daemon(), options.bus.place());
  bus.start();
  const TickClock clock;
  const TopicChoices choices = options.bus.topic_choices();
  FanoutShape shape = options.shape;
  shape.log_bytes = options.bytes_each();
  FanoutShape one = shape;
  one.consumers = 1;
  const Turns turns = take_turns({[&] { return fanout_once(bus, cpus, choices, one); },
                                  [&] { return fanout_once(bus, cpus, choices, shape); }},
                                 options.runs, [&] { return line_time_ns(cpus, clock); },
                                 [&] { return spare.take(turn_bytes(options)); });

  Comparison row;
  row.name = fanout_name(shape);
  row.about = fanout_about(shape);
  row.settings = options.settings(cpus);
  row.settings["size_bytes"] = shape.size_bytes;
  row.settings["consumers"] = shape.consumers;
  row.settings["wait"] = wait_name(shape.wait);
  options.bus.describe_topics(row.settings);
  row.slot_bytes = record_slot_bytes(shape.size_bytes);
  row.ring_bytes = options.bus.ring_bytes();
  if (shape.consumers == targets::kManyConsumers) row.target = targets::kFanout;
  compare(row, turns, 1, 0, figure::records_per_s);
  return {row, from_log_row(row)};
}

Demand fanout_demand(const FanoutOptions& options) {
  // What a side has written goes when the next one begins, more or less.
  return {.written_bytes = kWrittenPerBus + options.runs * turn_bytes(options),
          .disk_bytes = turn_bytes(options),
          .memory_bytes = 2 * options.bus.ring_bytes()};
}

Configured configure_fanout(FanoutOptions options) {
  options.shape.size_bytes = parse_record_size(options.size);
  const Demand demand = fanout_demand(options);
  return {.name = fanout_name(options.shape),
          .about = fanout_about(options.shape),
          .demand = demand,
          .why_not =
              [options, demand] {
                return cpu_pair() ? why_no_disk(options.bus.place(), demand.disk_bytes)
                                  : kNeedsTwoCpus;
              },
          .measure = [options](Spare& spare) {
            return as_rows(compare_fanout(options, *cpu_pair(), spare));
          }};
}

Configure add_fanout_flags(CLI::App& verb) {
  const auto options = std::make_shared<FanoutOptions>();
  options->bytes = "1GiB";
  add_record_size_to(verb, options->size);
  add_number(verb, "--consumers", options->shape.consumers, "Processes that read all of it",
             {2, 64})
      ->capture_default_str();
  add_wait_to(verb, options->shape.wait);
  options->bus.add_ring_to(verb);
  options->add_to(verb, "Bytes of log in all repeats together, of each side");
  return [options] { return configure_fanout(*options); };
}

}  // namespace

Benchmark fanout_benchmark() {
  return {.verb = "fanout",
          .why = "How much many consumers hold up a producer, beside one consumer",
          .examples = "  ringway bench fanout\n  ringway bench fanout --size 1K --output json\n"
                      "  ringway bench fanout --consumers 16 --ring 64M",
          .add_flags = add_fanout_flags};
}

}  // namespace ringway::cli
