#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <ringway/topic.hpp>
#include <string>

#include "tools/bench/traffic.hpp"
#include "tools/command_line.hpp"

namespace ringway::cli {

/// What every benchmark on a private bus takes.
struct BenchOptions {
  std::uint32_t times = 0;  ///< kills, restarts: the verb says which flag it is
  std::uint32_t runs = 3;
  std::string ring;
  std::string daemon_path;

  void add_to(CLI::App& verb, const std::string& times_flag, const std::string& times_about);
  void add_ring_to(CLI::App& verb);
  void add_daemon_to(CLI::App& verb);
  static void add_shape_to(CLI::App& verb, TrafficShape& shape);

  std::filesystem::path daemon() const;
  /// Where the private bus keeps its files: on a disk.
  std::filesystem::path place() const;
  /// Defaults but for what was asked for.
  TopicChoices topic_choices() const;
  /// Of a partition, as asked for or by default.
  std::uint64_t ring_bytes() const;
  /// Adds ring_bytes, sync and the like, as the supervisor settled them by default.
  void describe_topics(Json& settings) const;
};

/// Runs a benchmark that ends in order when a signal comes, and by that signal.
Exit as_bench(const std::function<Exit()>& bench);

}  // namespace ringway::cli
