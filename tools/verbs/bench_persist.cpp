#include <fmt/format.h>

#include <memory>
#include <ringway/bus.hpp>

#include "tools/bench/comparison_options.hpp"
#include "tools/bench/disk_options.hpp"
#include "tools/bench/limits/device_write.hpp"
#include "tools/bench/limits/line_time.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/persist_traffic.hpp"
#include "tools/bench/repeats.hpp"
#include "tools/bench/show.hpp"
#include "tools/bench/targets.hpp"
#include "tools/command_line.hpp"
#include "tools/number_option.hpp"
#include "tools/quantity.hpp"
#include "tools/stage/private_bus.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

constexpr const char* kPersistTopic = "bench/persist";
constexpr std::uint64_t kLargeRing = 64 << 20;
// The ring of default size stands beside what is judged: it persists so much less.
constexpr std::uint64_t kBesideShare = 4;
constexpr std::uint64_t kLimitVariants = 4;

struct PersistOptions : DiskOptions {
  std::string size = "1024";
  PersistShape shape;
};

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

/// One side's turn: a topic made anew, so that its log is, and deleted afterwards.
Measured persist_once(const PrivateBus& bus, const CpuPair& cpus, const PersistShape& shape,
                      std::uint64_t ring_bytes) {
  TopicChoices choices;
  choices.ring_bytes = ring_bytes;
  Bus::connect(bus.socket()).create_topic(kPersistTopic, choices);
  Measured measured = persist_traffic(bus.socket(), bus.pid(), kPersistTopic, cpus, shape);
  Bus::connect(bus.socket()).delete_topic(kPersistTopic);
  settle(bus.directory());
  return measured;
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

std::vector<Comparison> compare_persist(const PersistOptions& options, const CpuPair& cpus) {
  PrivateBus bus(options.bus.daemon(), options.bus.place());
  bus.start();
  PersistShape shape = options.shape;
  shape.log_bytes = options.bytes_each();
  if (options.total_bytes() >= targets::kPersistedBytes) {
    shape.time_min = std::chrono::nanoseconds(std::chrono::seconds(1)) *
                     static_cast<std::int64_t>(targets::kPersistedSeconds) / options.runs;
  }
  PersistShape beside = shape;
  beside.log_bytes /= kBesideShare;
  beside.time_min /= kBesideShare;
  const DeviceWriteShape limit{.place = bus.directory(),
                               .ring_bytes = kLargeRing,
                               .slot_bytes = record_slot_bytes(shape.size_bytes),
                               .file_bytes = shape.log_bytes / kLimitVariants,
                               .blocks = BlockState::reserved};
  const TickClock clock;
  const Turns turns =
      take_turns({[&] {
                    return best_of(device_write_variants(cpus, limit), figure::bytes_per_s,
                                   Comparison::Better::higher);
                  },
                  [&] { return persist_once(bus, cpus, shape, kLargeRing); },
                  [&] { return persist_once(bus, cpus, beside, TopicSettings{}.ring_bytes); }},
                 options.runs, [&] { return line_time_ns(cpus, clock); });

  Comparison row;
  row.name = persist_name(shape);
  row.about = persist_about(shape);
  row.settings = options.settings(cpus);
  row.settings["size_bytes"] = shape.size_bytes;
  row.settings["claim"] = shape.claim;
  row.settings["ring_bytes"] = kLargeRing;
  row.settings["topic"] = "default, persisted";
  row.settings["limit_blocks"] = name_of(limit.blocks);
  row.slot_bytes = limit.slot_bytes;
  row.ring_bytes = limit.ring_bytes;
  row.target = targets::of_persist(shape.size_bytes);
  row.not_judged = why_not_judged(persisted(turns, 1));
  compare(row, turns, 1, 0, figure::bytes_per_s);

  Comparison smaller = row;
  smaller.name += "_default_ring";
  smaller.about += "; with the ring of default size, and a quarter of the bytes";
  smaller.settings["ring_bytes"] = TopicSettings{}.ring_bytes;
  smaller.target.reset();
  smaller.not_judged.clear();
  smaller.repeats.clear();
  compare(smaller, turns, 2, 0, figure::bytes_per_s);
  return {row, smaller};
}

Exit bench_persist(PersistOptions& options, const Common& common) {
  options.shape.size_bytes = parse_record_size(options.size);
  const std::optional<CpuPair> cpus = cpu_pair();
  // Twice: what a side has written goes when the next one begins, more or less.
  const std::string why =
      why_not_on_disk(cpus, options.bus.place(), 2 * options.bytes_each() + kLargeRing);
  if (!why.empty()) {
    return show(not_measured(persist_name(options.shape), persist_about(options.shape), why),
                common);
  }
  return show(compare_persist(options, *cpus), common);
}

}  // namespace

void add_bench_persist(CommandLine& line) {
  const auto options = std::make_shared<PersistOptions>();
  options->bytes = "8GiB";
  CLI::App& verb = line.verb(
      {.noun = "bench",
       .name = "persist",
       .why = "How many records reach the disk, beside the best writer of the same memory",
       .examples = "  ringway bench persist\n  ringway bench persist --size 64 --output json\n"
                   "  ringway bench persist --bytes 1GiB"},
      [options](const Common& common) {
        return as_bench([&] { return bench_persist(*options, common); });
      });
  add_record_size_to(verb, options->size);
  add_number(verb, "--claim", options->shape.claim, "Records claimed and committed at once",
             {1, 1024})
      ->capture_default_str();
  options->add_to(verb,
                  "Bytes of log in all repeats together; with less than the default, or in "
                  "less than 5 s, nothing is judged");
}

}  // namespace ringway::cli
