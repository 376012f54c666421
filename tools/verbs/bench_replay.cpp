#include <fmt/format.h>

#include <memory>
#include <ringway/bus.hpp>

#include "tools/bench/benchmark.hpp"
#include "tools/bench/comparison_options.hpp"
#include "tools/bench/disk_options.hpp"
#include "tools/bench/limits/file_read.hpp"
#include "tools/bench/limits/line_time.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/page_cache.hpp"
#include "tools/bench/repeats.hpp"
#include "tools/bench/replay_traffic.hpp"
#include "tools/bench/targets.hpp"
#include "tools/command_line.hpp"
#include "tools/quantity.hpp"
#include "tools/stage/private_bus.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

constexpr const char* kReplayTopic = "bench/replay";

struct ReplayOptions : DiskOptions {
  std::string size = "1024";
  bool cold = false;
};

std::string replay_name(std::uint64_t size_bytes, bool cold) {
  return fmt::format("replay_{}_{}", size_bytes, cold ? "cold" : "warm");
}

std::string replay_about(std::uint64_t size_bytes, bool cold) {
  return fmt::format(
      "records of {} from segments {}, against read(2) and one pass over every byte",
      format_size(size_bytes),
      cold ? "that the page cache has nothing of" : "in the page cache, in a second pass");
}

Comparison compare_replay(const ReplayOptions& options, std::uint64_t size_bytes,
                          const CpuPair& cpus) {
  PrivateBus bus(options.bus.daemon(), options.bus.place());
  bus.start();
  const std::uint64_t records = options.total_bytes() / record_slot_bytes(size_bytes) + 1;
  Bus::connect(bus.socket()).create_topic(kReplayTopic);
  write_log(bus.socket(), kReplayTopic, cpus.first, size_bytes, records);
  // A ring that begins behind all of them: everything is read from segments.
  bus.stop();
  bus.start();
  const Files files = files_below(bus.directory() / "state" / "topics", ".log");

  const TickClock clock;
  const auto side = [&](const Measure& measure) -> Measure {
    return [&, measure] { return with_files(files, options.cold, cpus.first, measure); };
  };
  const Turns turns = take_turns({side([&] { return file_read(cpus.first, files); }), side([&] {
                                    return replay_traffic(bus.socket(), bus.pid(), kReplayTopic,
                                                          cpus.first, size_bytes, records);
                                  })},
                                 options.runs, [&] { return line_time_ns(cpus, clock); });

  Comparison row;
  row.name = replay_name(size_bytes, options.cold);
  row.about = replay_about(size_bytes, options.cold);
  row.settings = options.settings(cpus);
  row.settings["size_bytes"] = size_bytes;
  row.settings["cold"] = options.cold;
  row.settings["topic"] = "default, persisted";
  row.settings["ring_bytes"] = TopicSettings{}.ring_bytes;
  row.settings["segments"] = files.size();
  row.settings["segments_bytes"] = bytes_of(files);
  row.target = targets::of_replay(size_bytes);
  compare(row, turns, 1, 0, figure::bytes_per_s);
  return row;
}

/// The log that is read, with its index and what is around records.
Demand replay_demand(const ReplayOptions& options) {
  const std::uint64_t bytes = kWrittenPerBus + log_bytes_max(options.total_bytes());
  return {.written_bytes = bytes,
          .disk_bytes = bytes,
          .memory_bytes = 2 * TopicSettings{}.ring_bytes};
}

Configured configure_replay(const ReplayOptions& options) {
  const std::uint64_t size_bytes = parse_record_size(options.size);
  return {.name = replay_name(size_bytes, options.cold),
          .about = replay_about(size_bytes, options.cold),
          .demand = replay_demand(options),
          .why_not =
              [options] {
                return cpu_pair() ? why_no_disk(options.bus.place(), options.total_bytes())
                                  : kNeedsTwoCpus;
              },
          .measure =
              [options, size_bytes](Spare&) {
                return as_rows(std::vector{compare_replay(options, size_bytes, *cpu_pair())});
              }};
}

Configure add_replay_flags(CLI::App& verb) {
  const auto options = std::make_shared<ReplayOptions>();
  options->bytes = "1GiB";
  add_record_size_to(verb, options->size);
  verb.add_flag("--cold", options->cold, "The page cache has nothing of the log: from the device");
  options->add_to(verb, "Bytes of log that are read in each repeat");
  return [options] { return configure_replay(*options); };
}

}  // namespace

Benchmark replay_benchmark() {
  return {.verb = "replay",
          .why = "How fast a log is read from its start, beside read(2) of the same files",
          .examples = "  ringway bench replay\n  ringway bench replay --size 64 --output json\n"
                      "  ringway bench replay --cold",
          .add_flags = add_replay_flags};
}

}  // namespace ringway::cli
