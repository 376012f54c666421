#include <fmt/format.h>

#include <map>
#include <memory>
#include <ringway/bus.hpp>

#include "tools/bench/benchmark.hpp"
#include "tools/bench/comparison_options.hpp"
#include "tools/bench/disk_options.hpp"
#include "tools/bench/durable_traffic.hpp"
#include "tools/bench/limits/line_time.hpp"
#include "tools/bench/limits/scratch_file.hpp"
#include "tools/bench/limits/synced_write.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/repeats.hpp"
#include "tools/bench/targets.hpp"
#include "tools/command_line.hpp"
#include "tools/number_option.hpp"
#include "tools/quantity.hpp"
#include "tools/stage/private_bus.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

constexpr const char* kDurableTopic = "bench/durable";
constexpr std::uint64_t kDurableRoom = 1 << 30;  // more than any of its files takes

const std::map<std::string, SyncPolicy> kSyncPolicies{{"every_batch", SyncPolicy::every_batch},
                                                      {"interval", SyncPolicy::interval},
                                                      {"never", SyncPolicy::never}};

struct DurableOptions : ComparisonOptions {
  std::string size = "64";
  std::uint32_t producers = 1;
  std::string sync = "every_batch";
};

std::string durable_name(const DurableOptions& options, std::uint64_t size_bytes) {
  std::string name = fmt::format("durable_{}", size_bytes);
  if (options.sync != DurableOptions{}.sync) name += "_" + options.sync;
  if (options.producers != 1) name += fmt::format("_producers_{}", options.producers);
  return name;
}

std::string durable_about(std::uint64_t size_bytes, std::uint32_t producers) {
  return fmt::format(
      "{}: publish a record of {} and wait until it is durable, against a bare write and fdatasync",
      counted(producers, "producer"), format_size(size_bytes));
}

/// One side's turn, on a topic made anew.
Measured durable_once(const PrivateBus& bus, const CpuPair& cpus, const DurableOptions& options,
                      std::uint32_t producers, std::uint64_t size_bytes, const TickClock& clock) {
  TopicChoices choices = options.bus.topic_choices();
  choices.sync = kSyncPolicies.at(options.sync);
  Bus::connect(bus.socket()).create_topic(kDurableTopic, choices);
  Measured measured = durable_traffic(bus.socket(), kDurableTopic, cpus, producers, size_bytes,
                                      clock, options.length());
  Bus::connect(bus.socket()).delete_topic(kDurableTopic);
  settle(bus.directory());
  return measured;
}

/// The limit's, one producer's, and many producers'.
std::uint64_t turn_bytes(const DurableOptions& options) {
  return synced_write_bytes_max(options.length()) + synced_write_bytes_max(options.length() / 2) +
         (options.producers > 1 ? 2 : 1) *
             synced_bytes_max(options.length() + options.length() / 5);
}

std::vector<Comparison> compare_durable(const DurableOptions& options, std::uint64_t size_bytes,
                                        const CpuPair& cpus, Spare& spare) {
  PrivateBus bus(options.bus.daemon(), options.bus.place());
  bus.start();
  const TickClock clock;
  const auto traffic = [&](std::uint32_t producers) -> Measure {
    return
        [&, producers] { return durable_once(bus, cpus, options, producers, size_bytes, clock); };
  };
  const auto bare = [&](std::chrono::nanoseconds length) {
    return best_of(synced_write_variants(cpus.first, bus.directory(), record_slot_bytes(size_bytes),
                                         clock, length),
                   figure::p50_ns, Comparison::Better::lower);
  };
  std::vector<Measure> contenders{[&] { return bare(options.length()); }, traffic(1)};
  const bool many = options.producers > 1;
  if (many) contenders.push_back(traffic(options.producers));
  // The device does not always take as long: what it is held against must not have moved, either.
  const Turns turns = take_turns(
      contenders, options.runs, [&] { return line_time_ns(cpus, clock); },
      [&] { return spare.take(turn_bytes(options)); },
      LimitAgain{[&] { return bare(options.length() / 2); }, figure::p50_ns});

  Comparison row;
  row.name = durable_name(options, size_bytes);
  row.about = durable_about(size_bytes, options.producers);
  row.settings = options.settings(cpus);
  row.settings["place"] = options.bus.place().string();
  row.settings["size_bytes"] = size_bytes;
  row.settings["producers"] = options.producers;
  row.settings["ring_bytes"] = options.bus.ring_bytes();
  row.settings["sync"] = options.sync;
  row.settings["topic"] = "default but for its sync";
  row.slot_bytes = record_slot_bytes(size_bytes);
  Comparison to_one = row;
  row.better = Comparison::Better::lower;
  const bool synced_at_once = options.sync == DurableOptions{}.sync;
  if (!many && synced_at_once) row.target = targets::kDurableP50;
  compare(row, turns, contenders.size() - 1, 0, figure::p50_ns);
  if (!many) return {row};

  to_one.name += "_to_one";
  to_one.about = "the producers' sum against one producer alone";
  if (options.producers == targets::kManyDurable && synced_at_once) to_one.target = targets::kManyDurableToOne;
  compare(to_one, turns, 2, 1, figure::records_per_s);
  return {row, to_one};
}

Demand durable_demand(const DurableOptions& options) {
  return {.written_bytes = kWrittenPerBus + options.runs * turn_bytes(options),
          .disk_bytes = kDurableRoom,
          .memory_bytes = 2 * options.bus.ring_bytes()};
}

Configured configure_durable(const DurableOptions& options) {
  const std::uint64_t size_bytes = parse_record_size(options.size);
  return {.name = durable_name(options, size_bytes),
          .about = durable_about(size_bytes, options.producers),
          .demand = durable_demand(options),
          .why_not =
              [options] {
                return cpu_pair() ? why_no_disk(options.bus.place(), kDurableRoom) : kNeedsTwoCpus;
              },
          .measure =
              [options, size_bytes](Spare& spare) {
                return as_rows(compare_durable(options, size_bytes, *cpu_pair(), spare));
              }};
}

Configure add_durable_flags(CLI::App& verb) {
  const auto options = std::make_shared<DurableOptions>();
  add_record_size_to(verb, options->size);
  add_number(verb, "--producers", options->producers, "Processes that publish, each one by one",
             {1, 64})
      ->capture_default_str();
  verb.add_option("--sync", options->sync, "When the topic's records are synced")
      ->check(CLI::IsMember(kSyncPolicies).description(""))
      ->type_name("every_batch|interval|never")
      ->capture_default_str();
  options->add_to(verb);
  options->bus.add_daemon_to(verb);
  return [options] { return configure_durable(*options); };
}

}  // namespace

Benchmark durable_benchmark() {
  return {.verb = "durable",
          .why = "How long a record takes to the device, beside a bare write and fdatasync",
          .examples = "  ringway bench durable\n"
                      "  ringway bench durable --sync interval\n"
                      "  ringway bench durable --producers 64 --output json",
          .add_flags = add_durable_flags};
}

}  // namespace ringway::cli
