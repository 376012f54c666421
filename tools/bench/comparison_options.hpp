#pragma once

#include <chrono>
#include <cstdint>
#include <ringway/topic.hpp>
#include <string>
#include <vector>

#include "tools/bench/bench_options.hpp"
#include "tools/bench/comparison.hpp"
#include "tools/bench/cpus.hpp"
#include "tools/bench/demand.hpp"
#include "tools/command_line.hpp"

namespace ringway::cli {

/// What every benchmark takes that holds something against a limit.
struct ComparisonOptions {
  BenchOptions bus;
  std::uint32_t runs = kRepeatsJudged;
  std::string time = "500ms";

  /// --runs, --time and --ring.
  void add_to(CLI::App& verb);

  /// Of each side in each repeat. Throws Error(usage) below 10 ms.
  std::chrono::nanoseconds length() const;
  /// As the options say, without a log.
  TopicChoices memory_topic() const;
  /// Of a benchmark with a topic or two, each against a limit of as many bytes.
  Demand memory_demand() const;
  /// What all of them say: the machine, the time, the CPUs.
  Json settings(const CpuPair& cpus) const;
  /// The same of topics without a log.
  void describe_memory_topic(Json& settings) const;
};

/// --size of records, as parse_record_size() takes it. The default is what `size` holds.
void add_record_size_to(CLI::App& verb, std::string& size);

/// Of --size: a multiple of 16 from 16 B to 16 MiB. Throws Error(usage).
std::uint64_t parse_record_size(const std::string& text);

/// One row that says why it is not there.
std::vector<Comparison> not_measured(std::string name, std::string about, std::string why);

}  // namespace ringway::cli
