#include <fmt/format.h>

#include <memory>
#include <ringway/bus.hpp>

#include "tools/bench/benchmark.hpp"
#include "tools/bench/comparison_options.hpp"
#include "tools/bench/disk_options.hpp"
#include "tools/bench/limits/device_write.hpp"
#include "tools/bench/limits/line_time.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/persist_traffic.hpp"
#include "tools/bench/recovery.hpp"
#include "tools/bench/repeats.hpp"
#include "tools/bench/targets.hpp"
#include "tools/command_line.hpp"
#include "tools/number_option.hpp"
#include "tools/quantity.hpp"
#include "tools/stage/private_bus.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

constexpr const char* kPersistTopic = "bench/persist";
constexpr const char* kKeptTopic = "bench/persist-kept";
constexpr std::uint64_t kLargeRing = 64 << 20;
// The ring of default size stands beside what is judged: it persists so much less.
constexpr std::uint64_t kBesideShare = 16;

struct PersistOptions : DiskOptions {
  std::string size = "1024";
  std::string limit_bytes;  ///< "" for as many as ours
  PersistShape shape;
  bool recover = false;  ///< the log of all repeats, and then how soon it is recovered
  RecoveryOptions recovery;
  std::uint32_t starts = 5;
};

/// Who writes how much in each repeat.
struct PersistBytes {
  std::uint64_t ours;
  std::uint64_t beside;
  std::uint64_t limit;
};

std::uint64_t with_warm_up(std::uint64_t log_bytes) {
  return log_bytes_max(log_bytes + PersistShape{.log_bytes = log_bytes}.warm_up_bytes());
}

/// What they write when Ringway's bytes need no more than that to take their time.
std::uint64_t turn_bytes(const PersistBytes& bytes) {
  return with_warm_up(bytes.ours) + with_warm_up(bytes.beside) + bytes.limit;
}

PersistBytes shares_of(const PersistOptions& options) {
  PersistBytes bytes{.ours = options.bytes_each(),
                     .beside = options.bytes_each() / kBesideShare,
                     .limit = options.bytes_each()};
  if (!options.limit_bytes.empty()) {
    const std::uint64_t total = parse_size("--limit-bytes", options.limit_bytes);
    if (total < kDiskBytesMin) {
      throw Error(ErrorCode::usage, fmt::format("--limit-bytes {}", options.limit_bytes),
                  "is too little to measure anything", "take 1M or more");
    }
    bytes.limit = total / options.runs;
  }
  return bytes;
}

Demand persist_demand(const PersistOptions& options) {
  const PersistBytes bytes = shares_of(options);
  // Twice: what a side has written goes when the next one begins, more or less.
  Demand demand{.written_bytes = kWrittenPerBus + options.runs * turn_bytes(bytes),
                .disk_bytes = 2 * std::max(bytes.ours, bytes.limit) + kLargeRing,
                .memory_bytes = 4 * kLargeRing};
  if (!options.recover) return demand;
  const std::uint64_t ours = options.runs * with_warm_up(bytes.ours);
  const std::uint64_t log = std::max(ours, options.recovery.log_bytes());
  demand.written_bytes += recovery_bytes_max(log, options.starts) - ours;
  demand.disk_bytes = recovery_bytes_max(log, options.starts) + kLargeRing;
  return demand;
}

std::string persist_name(const PersistShape& shape) {
  std::string name = fmt::format("persist_{}", shape.size_bytes);
  if (shape.claim != 1) name += fmt::format("_claim_{}", shape.claim);
  return name;
}

std::string persist_about(const PersistShape& shape) {
  return fmt::format(
      "records of {} in claims of {} until the last one is written, with a reader, against the "
      "best "
      "writer of such a ring",
      format_size(shape.size_bytes), shape.claim);
}

void create_persisted(const PrivateBus& bus, const char* topic, std::uint64_t ring_bytes) {
  TopicChoices choices;
  choices.ring_bytes = ring_bytes;
  Bus::connect(bus.socket()).create_topic(topic, choices);
}

/// One side's turn, behind what is in the topic's log.
Measured persist_on(const PrivateBus& bus, const char* topic, const CpuPair& cpus,
                    const PersistShape& shape) {
  Measured measured = persist_traffic(bus.socket(), bus.pid(), topic, cpus, shape);
  settle(bus.directory());
  return measured;
}

/// One side's turn: a topic made anew, so that its log is, and deleted afterwards.
Measured persist_once(const PrivateBus& bus, const CpuPair& cpus, const PersistShape& shape,
                      std::uint64_t ring_bytes) {
  create_persisted(bus, kPersistTopic, ring_bytes);
  Measured measured = persist_traffic(bus.socket(), bus.pid(), kPersistTopic, cpus, shape);
  Bus::connect(bus.socket()).delete_topic(kPersistTopic);
  settle(bus.directory());
  return measured;
}

/// With the log of all repeats, as long as it has to be.
BenchResult recover_kept(PrivateBus& bus, const PersistOptions& options) {
  const Recovery recovery =
      recover(bus, {kKeptTopic, options.shape.size_bytes, options.recovery.log_bytes()},
              options.starts);
  Json settings = bench_settings();
  settings["ring_bytes"] = kLargeRing;
  settings["topic"] = "default, persisted";
  return recovery_row({recovery}, options.starts, std::move(settings));
}

/// What all repeats persisted together, and in how long.
targets::Persisted persisted(const Turns& turns, std::size_t contender) {
  targets::Persisted all;
  for (const Turn& turn : turns.kept) {
    all.bytes += turn.of[contender].more["bytes"].get<std::uint64_t>();
    all.seconds += turn.of[contender].more["seconds"].get<double>();
  }
  return all;
}

std::string why_not_judged(const targets::Persisted& all) {
  if (targets::enough(all)) return {};
  return fmt::format("takes {} and {} s, and these were {} in {:.1f} s",
                     format_size(targets::kPersistedBytes), targets::kPersistedSeconds,
                     format_size(all.bytes), all.seconds);
}

BenchRows compare_persist(const PersistOptions& options, const CpuPair& cpus, Spare& spare) {
  PrivateBus bus(options.bus.daemon(), options.bus.place());
  bus.start();
  const PersistBytes bytes = shares_of(options);
  PersistShape shape = options.shape;
  shape.log_bytes = bytes.ours;
  if (options.total_bytes() >= targets::kPersistedBytes) {
    shape.time_min = std::chrono::nanoseconds(std::chrono::seconds(1)) *
                     static_cast<std::int64_t>(targets::kPersistedSeconds) / options.runs;
  }
  PersistShape beside = shape;
  beside.log_bytes = bytes.beside;
  beside.time_min = {};
  const DeviceWriteShape limit{.place = bus.directory(),
                               .ring_bytes = kLargeRing,
                               .slot_bytes = record_slot_bytes(shape.size_bytes),
                               .file_bytes = bytes.limit / kDeviceWriteVariants,
                               .blocks = BlockState::reserved};
  const TickClock clock;
  if (options.recover) create_persisted(bus, kKeptTopic, kLargeRing);
  // For time_min: no turn takes more than its part of what there is to spare.
  const auto ours = [&] {
    shape.log_bytes_max = shape.log_bytes + spare.bytes() / options.runs;
    Measured measured = options.recover ? persist_on(bus, kKeptTopic, cpus, shape)
                                        : persist_once(bus, cpus, shape, kLargeRing);
    const auto written = std::max(measured.more["bytes"].get<std::uint64_t>(), shape.log_bytes);
    spare.take(std::min(written - shape.log_bytes, spare.bytes()));
    return measured;
  };
  const Turns turns = take_turns(
      {[&] {
         return best_of(device_write_variants(cpus, limit), figure::bytes_per_s,
                        Comparison::Better::higher);
       },
       ours, [&] { return persist_once(bus, cpus, beside, TopicSettings{}.ring_bytes); }},
      options.runs, [&] { return line_time_ns(cpus, clock); },
      [&] { return spare.take(turn_bytes(bytes)); });

  Comparison row;
  row.name = persist_name(shape);
  row.about = persist_about(shape);
  row.settings = options.settings(cpus);
  row.settings["size_bytes"] = shape.size_bytes;
  row.settings["claim"] = shape.claim;
  row.settings["ring_bytes"] = kLargeRing;
  row.settings["topic"] = "default, persisted";
  row.settings["log"] = options.recover ? "one of all repeats" : "made anew in each repeat";
  row.settings["limit_blocks"] = name_of(limit.blocks);
  row.slot_bytes = limit.slot_bytes;
  row.ring_bytes = limit.ring_bytes;
  row.target = targets::of_persist(shape.size_bytes);
  row.not_judged = why_not_judged(persisted(turns, 1));
  compare(row, turns, 1, 0, figure::bytes_per_s);

  Comparison smaller = row;
  smaller.name += "_default_ring";
  smaller.about += "; with the ring of default size, and a sixteenth of the bytes";
  smaller.settings["ring_bytes"] = TopicSettings{}.ring_bytes;
  smaller.settings["log"] = "made anew in each repeat";
  smaller.target.reset();
  smaller.not_judged.clear();
  smaller.repeats.clear();
  compare(smaller, turns, 2, 0, figure::bytes_per_s);
  BenchRows rows{row, smaller};
  if (options.recover) rows.push_back(recover_kept(bus, options));
  return rows;
}

Configured configure_persist(PersistOptions options) {
  options.shape.size_bytes = parse_record_size(options.size);
  const Demand demand = persist_demand(options);
  return {.name = persist_name(options.shape),
          .about = persist_about(options.shape),
          .demand = demand,
          .why_not =
              [options, demand] {
                return why_not_on_disk(cpu_pair(), options.bus.place(), demand.disk_bytes);
              },
          .measure = [options](Spare& spare) {
            return compare_persist(options, *cpu_pair(), spare);
          }};
}

Configure add_persist_flags(CLI::App& verb) {
  const auto options = std::make_shared<PersistOptions>();
  options->bytes = "8GiB";
  add_record_size_to(verb, options->size);
  add_number(verb, "--claim", options->shape.claim, "Records claimed and committed at once",
             {1, 1024})
      ->capture_default_str();
  options->add_to(verb,
                  "Bytes of log in all repeats together; with less than the default, or in "
                  "less than 5 s, nothing is judged");
  verb.add_option("--limit-bytes", options->limit_bytes,
                  "Bytes that the limit writes in all repeats together (default: as many)")
      ->type_name("SIZE");
  verb.add_flag("--recover", options->recover,
                "One log of all repeats, and then bench recover with it, written on until it is as "
                "long");
  add_number(verb, "--starts", options->starts, "With --recover: supervisors to start",
             {1, 1'000'000})
      ->capture_default_str();
  options->recovery.add_to(verb);
  return [options] { return configure_persist(*options); };
}

}  // namespace

Benchmark persist_benchmark() {
  return {.verb = "persist",
          .why = "How many records reach the disk, beside the best writer of the same memory",
          .examples = "  ringway bench persist\n  ringway bench persist --size 64 --output json\n"
                      "  ringway bench persist --bytes 1GiB",
          .add_flags = add_persist_flags};
}

}  // namespace ringway::cli
