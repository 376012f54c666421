#include <fmt/format.h>

#include <memory>
#include <ringway/bus.hpp>

#include "tools/bench/benchmark.hpp"
#include "tools/bench/comparison_options.hpp"
#include "tools/bench/limits/cursor_ring.hpp"
#include "tools/bench/limits/line_time.hpp"
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

constexpr const char* kRingTopic = "bench/ring";

struct RingOptions : ComparisonOptions {
  std::string size = "64";
  RingShape shape;
};

std::string ring_name(const RingShape& shape) {
  std::string name = fmt::format("ring_{}_claim_{}", shape.size_bytes, shape.claim);
  if (shape.exclusive) name += "_exclusive";
  if (shape.producers != 1) name += fmt::format("_producers_{}", shape.producers);
  if (shape.consumers != 1) name += fmt::format("_consumers_{}", shape.consumers);
  return name;
}

std::string ring_about(const RingShape& shape) {
  return fmt::format(
      "{} of records of {} in claims of {}, {}, against the best cursor ring",
      shape.exclusive ? "an exclusive producer" : counted(shape.producers, "producer"),
      format_size(shape.size_bytes), shape.claim, counted(shape.consumers, "consumer"));
}

bool is_pair(const RingShape& shape) {
  return shape.producers == 1 && shape.consumers == 1 && !shape.exclusive;
}

/// The same row held against something else that was measured in the same turns.
Comparison beside(const Comparison& row, const std::string& suffix, const std::string& what) {
  Comparison other = row;
  other.name += suffix;
  other.about = what;
  other.target.reset();
  other.repeats.clear();
  return other;
}

/// How evenly they got on: no figure, and no limit.
Comparison smallest_share(const Comparison& row, const RingShape& shape) {
  Comparison share = beside(row, "_smallest_share", "the share of the producer that got least");
  for (Repeat repeat : row.repeats) {
    repeat.limit.reset();
    repeat.variant.clear();
    const Json& least = repeat.more["smallest_share"];
    if (least.is_number()) repeat.ratio = least.get<double>();
    share.repeats.push_back(std::move(repeat));
  }
  share.ratio_of = "smallest share of the records";
  if (shape.producers == 2) share.target = targets::kSmallestShare;
  return share;
}

std::vector<Comparison> compare_ring(const RingOptions& options, const CpuPair& cpus) {
  const RingShape& shape = options.shape;
  const CursorRingShape limit{options.bus.ring_bytes(), record_slot_bytes(shape.size_bytes),
                              shape.claim};
  limit.check();
  const TickClock clock;
  PrivateBus bus(options.bus.daemon(), options.bus.place());
  bus.start();
  Bus::connect(bus.socket()).create_topic(kRingTopic, options.memory_topic());

  const auto length = options.length();
  const auto traffic = [&](const RingShape& of) -> Measure {
    return [&, of] { return ring_traffic(bus.socket(), kRingTopic, cpus, of, length); };
  };
  std::vector<Measure> contenders{[&] {
    return best_of(cursor_ring_variants(cpus, limit, length), figure::records_per_s,
                   Comparison::Better::higher);
  }};
  RingShape plainer = shape;  // shared, or alone
  plainer.exclusive = false;
  plainer.producers = 1;
  const bool has_plainer = shape.exclusive || shape.producers > 1;
  if (has_plainer) contenders.push_back(traffic(plainer));
  contenders.push_back(traffic(shape));
  const std::size_t ours = contenders.size() - 1;
  const Turns turns =
      take_turns(contenders, options.runs, [&] { return line_time_ns(cpus, clock); });

  Comparison row;
  row.name = ring_name(shape);
  row.about = ring_about(shape);
  row.settings = options.settings(cpus);
  row.settings["size_bytes"] = shape.size_bytes;
  row.settings["claim"] = shape.claim;
  row.settings["producers"] = shape.producers;
  row.settings["consumers"] = shape.consumers;
  row.settings["exclusive"] = shape.exclusive;
  row.settings["wait"] = wait_name(shape.wait);
  options.describe_memory_topic(row.settings);
  row.slot_bytes = limit.slot_bytes;
  row.ring_bytes = limit.ring_bytes;
  if (is_pair(shape)) row.target = targets::of_ring(shape.size_bytes, shape.claim);
  compare(row, turns, ours, 0, figure::records_per_s);
  std::vector<Comparison> rows{row};
  if (shape.exclusive) {
    rows.push_back(beside(row, "_to_shared", "the same against a producer that shares"));
    if (shape.size_bytes == 64 && shape.claim == 1) {
      rows.back().target = targets::kExclusiveToShared;
    }
    compare(rows.back(), turns, ours, 1, figure::records_per_s);
  } else if (has_plainer) {
    rows.push_back(beside(row, "_to_one", "the producers' sum against one producer alone"));
    if (shape.producers == 2) rows.back().target = targets::kTwoProducersToOne;
    compare(rows.back(), turns, ours, 1, figure::records_per_s);
    rows.push_back(smallest_share(row, shape));
  }
  return rows;
}

Configured configure_ring(RingOptions options) {
  options.shape.size_bytes = parse_record_size(options.size);
  if (options.shape.exclusive && options.shape.producers != 1) {
    throw Error(ErrorCode::usage, "--exclusive",
                fmt::format("an exclusive producer is the only one, and --producers says {}",
                            options.shape.producers),
                "leave one of them out");
  }
  static_cast<void>(options.length());
  return {.name = ring_name(options.shape),
          .about = ring_about(options.shape),
          .demand = options.memory_demand(),
          .why_not = why_not_on_two_cpus,
          .measure = [options](Spare&) { return as_rows(compare_ring(options, *cpu_pair())); }};
}

Configure add_ring_flags(CLI::App& verb) {
  const auto options = std::make_shared<RingOptions>();
  add_record_size_to(verb, options->size);
  add_number(verb, "--claim", options->shape.claim, "Records claimed and committed at once",
             {1, 1024})
      ->capture_default_str();
  add_number(verb, "--producers", options->shape.producers, "Processes that publish", {1, 64})
      ->capture_default_str();
  add_number(verb, "--consumers", options->shape.consumers, "Processes that read all of it",
             {1, 64})
      ->capture_default_str();
  verb.add_flag("--exclusive", options->shape.exclusive, "The producer claims without sharing");
  add_wait_to(verb, options->shape.wait);
  options->add_to(verb);
  options->bus.add_daemon_to(verb);
  return [options] { return configure_ring(*options); };
}

}  // namespace

Benchmark ring_benchmark() {
  return {.verb = "ring",
          .why = "How many records pass through memory, beside the best bare ring of this machine",
          .examples = "  ringway bench ring\n  ringway bench ring --size 1K --output json\n"
                      "  ringway bench ring --claim 64\n  ringway bench ring --producers 2",
          .add_flags = add_ring_flags};
}

}  // namespace ringway::cli
