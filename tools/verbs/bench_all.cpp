#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <memory>
#include <optional>

#include "tools/bench/bench_options.hpp"
#include "tools/bench/disk_options.hpp"
#include "tools/bench/figure_text.hpp"
#include "tools/bench/peer_rows.hpp"
#include "tools/bench/report/machine.hpp"
#include "tools/bench/report/page.hpp"
#include "tools/bench/report/replaced_file.hpp"
#include "tools/bench/suite.hpp"
#include "tools/bench/summary.hpp"
#include "tools/command_line.hpp"
#include "tools/number_option.hpp"
#include "tools/quantity.hpp"
#include "tools/stage/disk_place.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

/// Everything that a target was set for, a command each: who writes little before who writes much.
/// All of them write less than kSuiteWrittenMax and, on a quiet machine, take less than ten
/// minutes.
const std::vector<std::string> kPlan{
    "limits --time 200ms --bytes 16MiB",
    "ring",
    "ring --claim 16",
    "ring --claim 64",
    "ring --exclusive",
    "ring --size 1KiB",
    "ring --size 64KiB",
    "ring --producers 2",
    "latency",
    "wake",
    "idle",
    "repair",
    "adopt",
    "adopt --topics 1000 --partitions 1 --ring 1MiB --starts 5",
    "durable --time 200ms",
    "durable --producers 64 --time 200ms",
    "spill --time 600ms",
    "fanout --bytes 512MiB",
    "replay --bytes 384MiB",
    "replay --size 64 --bytes 384MiB",
    "replay --cold --bytes 384MiB",
    "replay --size 64 --cold --bytes 384MiB",
    "persist --bytes 8GiB --limit-bytes 3GiB --recover",
    "persist --size 64 --bytes 8GiB --limit-bytes 3GiB",
    "restart --restarts 3",
};

constexpr const char* kWithin = "9m30s";  // and then it tidies up

struct AllOptions {
  std::string runs, time, bytes, times, daemon_path, report, peers, kafka_brokers;
  std::string within = kWithin;

  void add_to(CLI::App& verb) {
    verb.add_option("--runs", runs, "Repeats, and runs on a bus made anew, of each benchmark")
        ->type_name("N");
    verb.add_option("--time", time, "How long each side is measured in each repeat")
        ->type_name("DUR");
    verb.add_option("--bytes", bytes, "Bytes that each benchmark of the disk writes or reads")
        ->type_name("SIZE");
    verb.add_option("--times", times, "Kills, restarts and starts in each run")->type_name("N");
    verb.add_option("--within", within, "What has not ended by then is not measured")
        ->type_name("DUR")
        ->capture_default_str();
    verb.add_option("--report", report, "Also make a page to look at: DIR/index.html")
        ->type_name("DIR");
    verb.add_option("--peers", peers,
                    "Also what others do: the program that measures them, tests/bench/README.md")
        ->type_name("PATH");
    verb.add_option("--kafka", kafka_brokers, "With --peers: Kafka's brokers, to measure them, too")
        ->type_name("HOST:PORT");
    verb.add_option("--daemon", daemon_path,
                    "The ringwayd to run (default: the one beside ringway)")
        ->type_name("PATH");
  }
  /// As it is typed.
  std::string command() const {
    std::string words = "ringway bench all";
    const auto add = [&](const char* flag, const std::string& value) {
      if (!value.empty()) words += fmt::format(" {} {}", flag, value);
    };
    add("--runs", runs);
    add("--time", time);
    add("--bytes", bytes);
    add("--times", times);
    add("--within", within == kWithin ? "" : within);
    add("--peers", peers);
    add("--kafka", kafka_brokers);
    add("--daemon", daemon_path);
    return words;
  }
  /// For the flags of others that mean the same.
  std::vector<Override> overrides() const {
    std::vector<Override> all;
    const auto add = [&](const std::string& value, std::initializer_list<const char*> flags) {
      if (value.empty()) return;
      for (const char* flag : flags) all.emplace_back(flag, value);
    };
    add(runs, {"--runs"});
    add(time, {"--time"});
    add(bytes, {"--bytes", "--limit-bytes", "--log-bytes"});
    add(times, {"--kills", "--restarts", "--starts"});
    add(daemon_path, {"--daemon"});
    return all;
  }
  /// Nothing where no others are wanted. Throws Error(usage).
  std::optional<PeerRows> peer_rows() const {
    if (peers.empty()) {
      if (kafka_brokers.empty()) return std::nullopt;
      throw Error(ErrorCode::usage, "--kafka " + kafka_brokers,
                  "is measured by the others' program", "give --peers, too");
    }
    std::vector<std::string> arguments{"--output", "json"};
    const auto add = [&](const char* flag, const std::string& value) {
      if (!value.empty()) arguments.insert(arguments.end(), {flag, value});
    };
    add("--runs", runs);
    add("--time", time);
    add("--kafka", kafka_brokers);
    return PeerRows(peers, std::move(arguments));
  }
};

std::uint64_t free_memory_bytes() {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  std::uint64_t kib = 0;
  while (file >> name >> kib) {
    if (name == "MemAvailable:") return kib << 10;
    std::getline(file, unit);
  }
  throw Error(ErrorCode::failed, "/proc/meminfo", "does not say what memory is available", "");
}

/// Throws Error where the disk or the memory has not what a benchmark takes.
void check_room(const Demand& demand) {
  const DiskPlace place = choose_disk_place();
  if (place.on_disk) {
    if (const std::string why = why_no_disk(place.path, demand.disk_bytes); !why.empty()) {
      throw Error(ErrorCode::failed, "bench all", why, "");
    }
  }
  if (const std::uint64_t free = free_memory_bytes(); free < demand.memory_bytes) {
    throw Error(ErrorCode::failed, "bench all",
                fmt::format("{} of memory are available, and this takes up to {}",
                            format_size(free), format_size(demand.memory_bytes)),
                "end something that takes memory");
  }
}

/// To people who wait, before anything runs.
void say_what_comes(const Suite& suite) {
  const Demand demand = suite.demand();
  static_cast<void>(write_all(
      STDERR_FILENO,
      fmt::format("{}: they write {} below {}, up to {} where repeats are done again, and hold up "
                  "to {} of it and {} of memory\n",
                  counted(suite.size(), "benchmark"), format_size(demand.written_bytes),
                  choose_disk_place().path.string(), format_size(kSuiteWrittenMax),
                  format_size(demand.disk_bytes), format_size(demand.memory_bytes))));
}

std::string table_of(const Json& all, Style style) {
  Rows rows{{"ROW", "row"},
            {"FIGURE", "figure", Align::right},
            {"LIMIT", "limit", Align::right},
            {"RATIO", "ratio", Align::right},
            {"OF THE REPEATS", "range", Align::right},
            {"TARGET", "target"},
            {"", "verdict"}};
  for (const Json& row : all) {
    const Summary line = summary_of(row);
    const std::string verdict = line.verdict == Verdict::no_target ? "" : name_of(line.verdict);
    rows.add({Cell::of_text(line.name), Cell::of_text(line.figure), Cell::of_text(line.limit),
              Cell::of_text(line.ratio), Cell::of_text(line.range), Cell::of_text(line.target),
              Cell::of_text(line.why.empty() ? verdict : verdict + ": " + line.why)});
  }
  return rows.render(Format::table, style);
}

void print(const Json& rows, Format format) {
  std::string text;
  if (format == Format::json) text = rows.dump(2) + "\n";
  if (format == Format::jsonl) {
    for (const Json& row : rows) text += row.dump() + "\n";
  }
  if (format == Format::table) {
    text = table_of(rows, style_of(STDOUT_FILENO)) +
           fmt::format("{}: {}\n", counted(rows.size(), "row"), tally_of(rows));
  }
  static_cast<void>(write_all(STDOUT_FILENO, text));
}

/// Of the machine and of this run.
Facts facts_of(const AllOptions& options, std::chrono::nanoseconds took) {
  Facts facts = machine_facts(choose_disk_place().path);
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  facts.emplace_back("Version", RINGWAY_VERSION);
  facts.emplace_back("Measured", fmt::format("{:%Y-%m-%d %H:%M} UTC", utc));
  const std::optional<std::uint64_t> written = bytes_written();
  facts.emplace_back("Took", fmt::format("{}, {} written", format_duration(took),
                                         written ? format_size(*written) : kNotMeasured));
  facts.emplace_back("Command", options.command());
  return facts;
}

/// What fails there does not take the rest along.
void add_others(SuiteRows& all, const PeerRows& others) {
  try {
    for (Json& row : others.measure()) all.rows.push_back(std::move(row));
  } catch (const Error& error) {
    if (!all.failure) all.failure = error;
  }
}

Exit bench_all(const AllOptions& options, const Common& common) {
  const auto within = parse_duration("--within", options.within);
  if (within <= std::chrono::nanoseconds::zero()) {
    throw Error(ErrorCode::usage, "--within " + options.within, "leaves no time", "take 10m");
  }
  const std::optional<PeerRows> others = options.peer_rows();
  Suite suite(benchmarks(), kPlan, options.overrides());
  check_room(suite.demand());
  say_what_comes(suite);
  std::optional<ReplacedFile> report;
  if (!options.report.empty()) report.emplace(options.report, "index.html");
  const auto begin = std::chrono::steady_clock::now();
  ProgressLine progress;
  SuiteRows all = suite.measure(within, [&](std::size_t at, const std::string& command) {
    progress.show(fmt::format("{} of {}: {}", at + 1, suite.size(), command));
  });
  if (others) {
    progress.show("what others do");
    add_others(all, *others);
  }
  progress.clear();
  const auto took = std::chrono::steady_clock::now() - begin;
  print(all.rows, common.format);
  if (report) report->replace(report_page(all.rows, facts_of(options, took)));
  if (all.failure) throw Error(*all.failure);
  return Exit::ok;
}

}  // namespace

void add_bench_all(CommandLine& line) {
  const auto options = std::make_shared<AllOptions>();
  CLI::App& verb = line.verb(
      {.noun = "bench",
       .name = "all",
       .why = "Everything that a target was set for, one after the other, within ten minutes",
       .examples = "  ringway bench all --report speed\n  ringway bench all --output json\n"
                   "  ringway bench all --time 50ms --bytes 64M --times 3\n"
                   "  ringway bench all --peers build/tests/bench/peers/ringway-peers"},
      [options](const Common& common) {
        return as_bench([&] { return bench_all(*options, common); });
      });
  options->add_to(verb);
}

}  // namespace ringway::cli
