#include <fmt/format.h>

#include <memory>

#include "tools/bench/benchmark.hpp"
#include "tools/bench/comparison_options.hpp"
#include "tools/bench/disk_options.hpp"
#include "tools/bench/limits/cursor_ring.hpp"
#include "tools/bench/limits/device_write.hpp"
#include "tools/bench/limits/file_read.hpp"
#include "tools/bench/limits/futex_wake.hpp"
#include "tools/bench/limits/line_time.hpp"
#include "tools/bench/limits/memory_copy.hpp"
#include "tools/bench/limits/record_copy.hpp"
#include "tools/bench/limits/scratch_file.hpp"
#include "tools/bench/limits/synced_write.hpp"
#include "tools/bench/page_cache.hpp"
#include "tools/bench/repeats.hpp"
#include "tools/bench/ring_traffic.hpp"
#include "tools/bench/targets.hpp"
#include "tools/command_line.hpp"
#include "tools/quantity.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

constexpr std::uint64_t kLimitSlot = 64;
constexpr std::uint64_t kCopiedPayload = 64;

struct LimitOptions : ComparisonOptions {
  std::string bytes = "256MiB";

  std::uint64_t disk_bytes() const { return parse_size("--bytes", bytes); }
  /// What a turn writes to the disk. Blocks that were written before were so by it.
  std::uint64_t device_turn_bytes(BlockState state) const {
    return (state == BlockState::written ? 2 : 1) * kDeviceWriteVariants * disk_bytes();
  }
  std::uint64_t synced_turn_bytes() const { return synced_write_bytes_max(length()); }
};

/// Measures the limits of one machine, one row after the other.
class LimitRows {
 public:
  LimitRows(const LimitOptions& options, const CpuPair& cpus, Spare& spare)
      : options_(options),
        spare_(spare),
        cpus_(cpus),
        length_(options.length()),
        disk_bytes_(options.disk_bytes()),
        place_(options.bus.place()),
        no_disk_(why_no_disk(place_, disk_bytes_)),
        no_direct_(no_disk_.empty() ? why_no_direct_writes(place_) : no_disk_) {}

  std::vector<Comparison> all() {
    std::vector<Comparison> rows{line()};
    for (const std::uint32_t claim : {1u, 16u, 64u}) rows.push_back(cursor_ring(claim));
    rows.push_back(record_copy());
    const MemoryCopyPlaces places = memory_copy_places();
    rows.push_back(memory("memcpy_cached", "memcpy within the first cache", places.cached_bytes));
    rows.push_back(memory("memcpy_beyond", "memcpy far beyond the caches", places.beyond_bytes));
    rows.push_back(wake());
    for (const BlockState state : {BlockState::reserved, BlockState::written}) {
      rows.push_back(device_write(state));
    }
    for (const bool cold : {false, true}) rows.push_back(read_of_files(cold));
    rows.push_back(synced_write());
    return rows;
  }

 private:
  Comparison empty_row(std::string name, std::string about) const {
    Comparison row;
    row.name = std::move(name);
    row.about = std::move(about);
    row.settings = options_.settings(cpus_);
    return row;
  }
  Turns turns_of(const Measure& measure, std::uint64_t written_bytes = 0) const {
    return take_turns({measure}, options_.runs, [this] { return line_time_ns(cpus_, clock_); },
                      [=, this] { return spare_.take(written_bytes); });
  }
  /// A figure that stands for itself.
  static void fill_in(Comparison& row, const Turns& turns) {
    row.redone = turns.redone;
    for (const Turn& turn : turns.kept) {
      Json more = turn.of.front().more;
      more["variant"] = turn.of.front().variant;
      row.repeats.push_back({.figures = turn.of.front().figures,
                             .limit = {},
                             .variant = turn.of.front().variant,
                             .line_before_ns = turn.line_before_ns,
                             .line_after_ns = turn.line_after_ns,
                             .steady = turn.steady,
                             .ratio = {},
                             .more = std::move(more),
                             .limit_more = Json::object()});
    }
  }

  Comparison line() const {
    Comparison row = empty_row("line", "one way of a cache line, half of there and back");
    fill_in(row, turns_of([this] {
              Measured measured{.figures = {}, .variant = "spinning"};
              measured.figures.p50_ns = line_time_ns(cpus_, clock_);
              return measured;
            }));
    return row;
  }

  /// Held against the line: who is slower than that is no limit.
  Comparison cursor_ring(std::uint32_t claim) const {
    const CursorRingShape shape{options_.bus.ring_bytes(), kLimitSlot, claim};
    shape.check();
    Comparison row = empty_row(
        fmt::format("cursor_ring_{}_claim_{}", kLimitSlot, claim),
        fmt::format("the best bare ring, slots of {} in claims of {}, against one a line's time",
                    format_size(kLimitSlot), claim));
    row.settings["slot_bytes"] = shape.slot_bytes;
    row.settings["ring_bytes"] = shape.ring_bytes;
    row.settings["claim"] = claim;
    row.slot_bytes = shape.slot_bytes;
    row.ring_bytes = shape.ring_bytes;
    row.judged = Comparison::Judged::best;
    row.target = targets::of_cursor_ring(claim);
    fill_in(row, turns_of([&] {
              return best_of(cursor_ring_variants(cpus_, shape, length_), figure::records_per_s,
                             Comparison::Better::higher);
            }));
    row.ratio_of = "records per one-way time of a line";
    for (Repeat& repeat : row.repeats) {
      repeat.limit.emplace();
      repeat.variant = "one record a line's time";
      if (repeat.line_before_ns && repeat.line_after_ns) {
        repeat.limit->records_per_s = 2e9 / (*repeat.line_before_ns + *repeat.line_after_ns);
      }
      repeat.ratio = ratio_between(figure::records_per_s, repeat.figures, repeat.limit);
    }
    return row;
  }

  Comparison record_copy() const {
    const RecordCopyShape shape{record_slot_bytes(kCopiedPayload), options_.bus.ring_bytes()};
    Comparison row = empty_row(
        "record_copy", fmt::format("one way of a record of {} that is filled, copied and checked "
                                   "in place, half of there and back",
                                   format_size(shape.slot_bytes)));
    row.settings["slot_bytes"] = shape.slot_bytes;
    fill_in(row, turns_of([&] {
              return best_of(record_copy_variants(cpus_, shape, clock_, length_), figure::p50_ns,
                             Comparison::Better::lower);
            }));
    row.better = Comparison::Better::lower;
    return row;
  }

  Comparison memory(std::string name, std::string about, std::uint64_t bytes) const {
    Comparison row = empty_row(std::move(name), std::move(about));
    row.settings["copied_bytes"] = bytes;
    fill_in(row, turns_of([&] { return memory_copy(cpus_.first, bytes, length_); }));
    return row;
  }

  Comparison wake() const {
    Comparison row = empty_row("futex_wake", fmt::format("a wake call to a process that has slept "
                                                         "for {} running again",
                                                         format_duration(kAsleepFor)));
    fill_in(row, turns_of([&] { return futex_wake(cpus_, clock_, length_); }));
    row.better = Comparison::Better::lower;
    return row;
  }

  Comparison device_write(BlockState state) const {
    const DeviceWriteShape shape{.place = place_,
                                 .ring_bytes = options_.bus.ring_bytes(),
                                 .slot_bytes = kLimitSlot,
                                 .file_bytes = disk_bytes_,
                                 .blocks = state};
    Comparison row = empty_row(
        "device_write_" + name_of(state),
        fmt::format("the best writer past the page cache, from a ring in memory into {} blocks, "
                    "with a reader",
                    name_of(state)));
    row.settings["ring_bytes"] = shape.ring_bytes;
    row.settings["slot_bytes"] = shape.slot_bytes;
    row.settings["file_bytes"] = shape.file_bytes;
    row.not_measured = no_direct_;
    if (!row.not_measured.empty()) return row;
    fill_in(row, turns_of(
                     [&] {
                       return best_of(device_write_variants(cpus_, shape), figure::bytes_per_s,
                                      Comparison::Better::higher);
                     },
                     options_.device_turn_bytes(state)));
    return row;
  }

  Comparison read_of_files(bool cold) const {
    Comparison row = empty_row(
        cold ? "read_cold" : "read_warm",
        fmt::format("read(2) into 1 MiB and one pass over every byte, of a file {} the page cache",
                    cold ? "that is not in" : "in"));
    row.settings["file_bytes"] = disk_bytes_;
    row.not_measured = no_disk_;
    if (!row.not_measured.empty()) return row;
    const ScratchFile file(place_, disk_bytes_, BlockState::written);
    const Files files{fmt::format("/proc/self/fd/{}", file.fd())};
    fill_in(row, turns_of([&] {
              return with_files(files, cold, cpus_.first,
                                [&] { return file_read(cpus_.first, files); });
            }));
    return row;
  }

  Comparison synced_write() const {
    Comparison row = empty_row("write_fdatasync", "a bare write and fdatasync of a record");
    row.settings["slot_bytes"] = record_slot_bytes(kCopiedPayload);
    row.better = Comparison::Better::lower;
    row.not_measured = no_disk_;
    if (!row.not_measured.empty()) return row;
    fill_in(row, turns_of(
                     [&] {
                       return best_of(
                           synced_write_variants(cpus_.first, place_,
                                                 record_slot_bytes(kCopiedPayload), clock_,
                                                 length_),
                           figure::p50_ns, Comparison::Better::lower);
                     },
                     options_.synced_turn_bytes()));
    return row;
  }

  const LimitOptions& options_;
  Spare& spare_;
  CpuPair cpus_;
  std::chrono::nanoseconds length_;
  std::uint64_t disk_bytes_;
  std::filesystem::path place_;
  std::string no_disk_;
  std::string no_direct_;
  TickClock clock_;
};

Demand limits_demand(const LimitOptions& options) {
  const std::uint64_t turns = options.device_turn_bytes(BlockState::reserved) +
                              options.device_turn_bytes(BlockState::written) +
                              options.synced_turn_bytes();
  return {.written_bytes = options.runs * turns + 2 * options.disk_bytes(),  // and what is read
          .disk_bytes = std::max<std::uint64_t>(options.disk_bytes(), 64 << 20),
          .memory_bytes = 4 * options.bus.ring_bytes() + (std::uint64_t{1} << 30)};
}

Configured configure_limits(const LimitOptions& options) {
  static_cast<void>(options.length());
  if (options.disk_bytes() < kDiskBytesMin) {
    throw Error(ErrorCode::usage, fmt::format("--bytes {}", options.bytes),
                "is too little to measure anything", "take 1M or more");
  }
  return {.name = "limits",
          .about = "what this machine can do",
          .demand = limits_demand(options),
          .why_not = why_not_on_two_cpus,
          .measure = [options](Spare& spare) {
            return as_rows(LimitRows(options, *cpu_pair(), spare).all());
          }};
}

Configure add_limits_flags(CLI::App& verb) {
  const auto options = std::make_shared<LimitOptions>();
  options->add_to(verb);
  verb.add_option("--bytes", options->bytes, "Bytes that each way to write or read a file takes")
      ->type_name("SIZE")
      ->capture_default_str();
  return [options] { return configure_limits(*options); };
}

}  // namespace

Benchmark limits_benchmark() {
  return {.verb = "limits",
          .why = "What this machine can do at best: cache lines, bare rings, copies, wake-ups, its "
                 "disk",
          .examples = "  ringway bench limits\n  ringway bench limits --runs 9 --output json",
          .add_flags = add_limits_flags};
}

}  // namespace ringway::cli
