// Others beside Ringway: the same records, the same checks, the same two CPUs. Prints rows as
// `ringway bench` does.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/peers/measure_peer.hpp"
#include "bench/peers/peer.hpp"
#include "tools/bench/bench_options.hpp"
#include "tools/bench/comparison_options.hpp"
#include "tools/bench/result.hpp"
#include "tools/bench/show.hpp"
#include "tools/failure.hpp"
#include "tools/number_option.hpp"
#include "tools/quantity.hpp"

namespace ringway::peers {
namespace {

using namespace cli;

struct Options {
  std::vector<std::string> only;
  std::vector<std::string> sizes{"64", "1K"};
  std::string kafka_brokers;
  std::string output = "table";
  ComparisonOptions measuring;  // --runs and --time of it

  std::vector<Candidate> candidates() const {
    std::vector<Candidate> all{unix_socket(),     boost_message_queue(), zeromq(),
                               iceoryx(),         mosquitto(0),          mosquitto(1),
                               redis("everysec"), redis("always"),       nats()};
    if (!kafka_brokers.empty()) all.push_back(kafka(kafka_brokers));
    for (const std::string& name : only) {
      if (std::ranges::any_of(all, [&](const Candidate& each) { return each.name == name; })) {
        continue;
      }
      std::string names;
      for (const Candidate& each : all) names += (names.empty() ? "" : ", ") + each.name;
      throw Error(ErrorCode::usage, fmt::format("--only {}", name), "is no peer",
                  fmt::format("take one of {}; kafka takes --kafka, too", names));
    }
    std::erase_if(all, [&](const Candidate& each) {
      return !only.empty() && std::ranges::find(only, each.name) == only.end();
    });
    return all;
  }
};

/// One row. Each run on a peer made anew: nothing of the one before is in its way.
template <class Take>
Comparison row_of(const Candidate& candidate, const std::string& what, std::uint64_t size_bytes,
                  const Options& options, const CpuPair& cpus, Take&& take) {
  Comparison row;
  row.name = fmt::format("peer_{}_{}_{}", candidate.name, what, size_bytes);
  row.about = fmt::format("{}: {} of {}", candidate.name, what, format_size(size_bytes));
  row.settings = options.measuring.settings(cpus);
  row.settings["size_bytes"] = size_bytes;
  try {
    for (std::uint32_t run = 0; run < options.measuring.runs; ++run) {
      const std::unique_ptr<Peer> peer = candidate.make(size_bytes);
      row.about = fmt::format("{}: {} of {}", peer->about, what, format_size(size_bytes));
      row.settings["persisted"] = peer->persisted;
      if (peer->window != 0) row.settings["window_records"] = peer->window;
      const Measured measured = take(*peer);
      Repeat& repeat = row.repeats.emplace_back();
      repeat.figures = measured.figures;
      repeat.more = measured.more;
    }
    const auto nothing = [](const Repeat& repeat) {
      return !repeat.figures.records_per_s && !repeat.figures.p50_ns;
    };
    if (std::ranges::all_of(row.repeats, nothing)) {
      throw Error(ErrorCode::failed, candidate.name, "did nothing while it was timed",
                  "take more --time");
    }
  } catch (const Error& error) {
    row.repeats.clear();
    row.not_measured = error.what();
  }
  return row;
}

Exit run(const Options& options, const Common& common) {
  std::vector<std::uint64_t> sizes;
  for (const std::string& size : options.sizes) sizes.push_back(parse_record_size(size));
  const auto length = options.measuring.length();
  const std::vector<Candidate> candidates = options.candidates();
  const std::optional<CpuPair> cpus = cpu_pair();
  if (!cpus) return show(not_measured("peers", "others", kNeedsTwoCpus), common);
  const TickClock clock;
  std::vector<Comparison> rows;
  for (const Candidate& candidate : candidates) {
    for (const std::uint64_t size : sizes) {
      rows.push_back(row_of(candidate, "throughput", size, options, *cpus, [&](const Peer& peer) {
        return measure_throughput(peer, *cpus, size, length);
      }));
      rows.push_back(row_of(candidate, "latency", size, options, *cpus, [&](const Peer& peer) {
        return measure_latency(peer, *cpus, size, clock, length);
      }));
    }
  }
  return show(rows, common);
}

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  Options options;
  Common common;
  CLI::App app("What others do with the same records on the same two CPUs, as rows of a benchmark");
  app.add_option("--only", options.only, "Only this peer; repeatable")->type_name("NAME");
  app.add_option("--size", options.sizes, "Bytes of each record; repeatable (default 64 and 1K)")
      ->type_name("SIZE");
  add_number(app, "--runs", options.measuring.runs, "How often to measure each", {1, 1000})
      ->capture_default_str();
  app.add_option("--time", options.measuring.time, "How long each time")
      ->type_name("DUR")
      ->capture_default_str();
  app.add_option("--kafka", options.kafka_brokers, "Kafka's brokers, to measure them as well")
      ->type_name("HOST:PORT");
  app.add_option("--output", options.output, "table, json or jsonl")->capture_default_str();
  try {
    app.parse(argc, argv);
    common.format = parse_format("--output", options.output);
    return static_cast<int>(as_bench([&] { return run(options, common); }));
  } catch (const CLI::ParseError& error) {
    return error.get_exit_code() == 0 ? app.exit(error)
                                      : (app.exit(error), static_cast<int>(Exit::usage));
  } catch (const Error& error) {
    std::fputs(error_line(error, common.format).c_str(), stderr);
    return static_cast<int>(exit_of(error.code()));
  }
}

}  // namespace
}  // namespace ringway::peers

int main(int argc, char** argv) {
  return ringway::peers::main(argc, argv);
}
