#include <fmt/format.h>

#include <memory>
#include <ringway/bus.hpp>

#include "tools/bench/benchmark.hpp"
#include "tools/bench/comparison_options.hpp"
#include "tools/bench/idle_partitions.hpp"
#include "tools/bench/limits/line_time.hpp"
#include "tools/bench/measurement.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/repeats.hpp"
#include "tools/bench/steady_traffic.hpp"
#include "tools/bench/targets.hpp"
#include "tools/command_line.hpp"
#include "tools/number_option.hpp"
#include "tools/quantity.hpp"
#include "tools/stage/private_bus.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

constexpr const char* kActiveTopic = "bench/active";
constexpr std::uint64_t kWrittenPerActive = 512;  // at most: blocks are far from full
constexpr std::uint64_t kWrittenPerUsed = 128 << 10;
// Its directory: whose writes its blocks count as is up to the file system's journal.
constexpr std::uint64_t kWrittenPerPartition = 8 << 10;

struct IdleOptions : ComparisonOptions {
  IdleOptions() {
    bus.ring = "64KiB";
    time = "1s";
  }
  std::uint32_t partitions = targets::kIdlePartitions;
  std::uint32_t used = 500;
  std::uint64_t records_per_s = 20'000;

  IdleShape shape() const { return {partitions, used, bus.ring_bytes()}; }
};

std::string idle_name(const IdleOptions& options) {
  return fmt::format("idle_{}", options.partitions);
}

std::string idle_about(const IdleOptions& options) {
  return fmt::format("{} in which nothing happens, held open by a client",
                     counted(options.partitions, "partition"));
}

/// A bus, and in it a topic of one partition that is written to and read when it is asked.
struct ActiveBus {
  ActiveBus(const IdleOptions& options) : bus(options.bus.daemon(), options.bus.place()) {
    bus.start();
    TopicChoices choices = options.bus.topic_choices();
    Bus::connect(bus.socket()).create_topic(kActiveTopic, choices);
  }

  Measured traffic(const std::string& topic, const IdleOptions& options,
                   const CpuPair& cpus) const {
    return steady_traffic(bus.socket(), bus.pid(), topic, cpus,
                          {.records_per_s = options.records_per_s}, options.length());
  }

  PrivateBus bus;
};

Measured quiet(const PrivateBus& bus, std::chrono::nanoseconds length) {
  const QuietBus seen = look_at_quiet(bus, length);
  Measured measured;
  measured.more["cpu_percent"] = seen.cpu_percent;
  measured.more["keeper_cpu_percent"] = json_number(seen.keeper_percent);
  measured.more["own_bytes"] = seen.own_bytes();
  measured.more["page_table_bytes"] =
      seen.supervisor.page_table_bytes + seen.keeper.page_table_bytes;
  measured.more["keeper_bytes"] = seen.keeper.bytes();
  return measured;
}

/// Contenders of a turn.
enum : std::size_t { kQuietWithout, kQuietWith, kWithout, kBeside, kAmong };

/// A figure of what is quiet: no limit of the machine is there to hold it against.
template <class Look>
void tell(Comparison& row, const Turns& turns, const std::string& what, Look&& look) {
  row.ratio_of = what;
  row.redone = turns.redone;
  row.better = Comparison::Better::lower;
  for (const Turn& turn : turns.kept) {
    Repeat repeat{.figures = {},
                  .limit = {},
                  .variant = {},
                  .line_before_ns = turn.line_before_ns,
                  .line_after_ns = turn.line_after_ns,
                  .steady = turn.steady,
                  .ratio = look(turn.of[kQuietWithout].more, turn.of[kQuietWith].more),
                  .more = turn.of[kQuietWith].more};
    repeat.more["without"] = turn.of[kQuietWithout].more;
    row.repeats.push_back(std::move(repeat));
  }
}

std::vector<Comparison> rows_of(const IdleOptions& options, const CpuPair& cpus,
                                const Turns& turns) {
  const bool promised = options.partitions == targets::kIdlePartitions &&
                        options.bus.ring_bytes() == targets::kIdleRingBytes;
  Comparison row;
  row.name = idle_name(options) + "_cpu";
  row.about = idle_about(options);
  row.settings = options.settings(cpus);
  row.settings["partitions"] = options.partitions;
  row.settings["used"] = options.used;
  row.settings["rate"] = options.records_per_s;
  options.bus.describe_topics(row.settings);
  Comparison memory = row;
  Comparison active = row;
  if (promised) row.target = targets::kIdleCpuPercent;
  tell(row, turns, "percent of one CPU",
       [](const Json&, const Json& with) { return with["cpu_percent"].get<double>(); });

  memory.name = idle_name(options) + "_memory";
  memory.about += "; memory of supervisor and keeper that is not the rings'";
  if (promised) memory.target = targets::kIdleKibEach;
  tell(memory, turns, "KiB of own memory for each partition", [&](const Json& without,
                                                                const Json& with) {
    return (with["own_bytes"].get<double>() - without["own_bytes"].get<double>()) / 1024 /
           options.partitions;
  });

  active.name = idle_name(options) + "_beside";
  active.about = "one partition at work, a topic of its own, against the same without idle ones";
  active.better = Comparison::Better::lower;
  if (promised) active.target = targets::kActiveToAlone;
  active.slot_bytes = record_slot_bytes(64);
  active.ring_bytes = options.bus.ring_bytes();
  Comparison among = active;
  compare(active, turns, kBeside, kWithout, figure::cpu_ns_per_record);
  among.name = idle_name(options) + "_among";
  among.about = "one partition at work, of the idle ones' topic, against the same without them";
  compare(among, turns, kAmong, kWithout, figure::cpu_ns_per_record);
  return {row, memory, active, among};
}

/// Three streams.
std::uint64_t turn_bytes(const IdleOptions& options) {
  const auto seconds =
      std::chrono::duration<double>(options.length() + warm_up_before(options.length()));
  return static_cast<std::uint64_t>(3 * seconds.count() *
                                    static_cast<double>(options.records_per_s)) *
         kWrittenPerActive;
}

std::vector<Comparison> compare_idle(const IdleOptions& options, const CpuPair& cpus,
                                     Spare& spare) {
  const ActiveBus without(options), with(options);
  const IdlePartitions idle(with.bus, cpus, options.shape());
  const TickClock clock;
  const Turns turns = take_turns({[&] { return quiet(without.bus, options.length()); },
                                  [&] { return quiet(with.bus, options.length()); },
                                  [&] { return without.traffic(kActiveTopic, options, cpus); },
                                  [&] { return with.traffic(kActiveTopic, options, cpus); },
                                  [&] { return with.traffic(idle.topic(), options, cpus); }},
                                 options.runs, [&] { return line_time_ns(cpus, clock); },
                                 [&] { return spare.take(turn_bytes(options)); });
  return rows_of(options, cpus, turns);
}

/// What a supervisor refuses for lack of something tells what that is.
std::vector<Comparison> measure_idle(const IdleOptions& options, Spare& spare) {
  const std::optional<CpuPair> cpus = cpu_pair();
  std::string why = cpus ? why_no_room_for(options.shape()) : kNeedsTwoCpus;
  try {
    if (why.empty()) return compare_idle(options, *cpus, spare);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::limit) throw;
    why = error.what();
  }
  return not_measured(idle_name(options), idle_about(options), why);
}

Demand idle_demand(const IdleOptions& options) {
  const std::uint64_t written = 2 * kWrittenPerBus + options.runs * turn_bytes(options) +
                                options.used * kWrittenPerUsed +
                                options.partitions * kWrittenPerPartition;
  return {.written_bytes = written,
          .disk_bytes = written,
          .memory_bytes = options.partitions * options.bus.ring_bytes() * 2};
}

Configured configure_idle(const IdleOptions& options) {
  if (options.used > options.partitions) {
    throw Error(ErrorCode::usage, fmt::format("--used {}", options.used),
                fmt::format("is more than the {} there are", options.partitions),
                "take fewer, or more --partitions");
  }
  return {.name = idle_name(options),
          .about = idle_about(options),
          .demand = idle_demand(options),
          .measure = [options](Spare& spare) { return as_rows(measure_idle(options, spare)); }};
}

Configure add_idle_flags(CLI::App& verb) {
  const auto options = std::make_shared<IdleOptions>();
  add_number(verb, "--partitions", options->partitions, "Partitions of the idle topic",
             {1, 10'000})
      ->capture_default_str();
  add_number(verb, "--used", options->used,
             "How many of them held a record before: each has a file by then", {0, 10'000})
      ->capture_default_str();
  add_number(verb, "--rate", options->records_per_s,
             "Records of 64 bytes per second of the partition at work", {100, 10'000'000})
      ->capture_default_str();
  options->add_to(verb);
  options->bus.add_daemon_to(verb);
  return [options] { return configure_idle(*options); };
}

}  // namespace

Benchmark idle_benchmark() {
  return {.verb = "idle",
          .why = "What partitions cost in which nothing happens: CPU time, memory, neighbours",
          .examples = "  ringway bench idle\n  ringway bench idle --partitions 1000 --output json",
          .add_flags = add_idle_flags};
}

}  // namespace ringway::cli
