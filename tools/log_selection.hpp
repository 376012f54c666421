#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tools/command_line.hpp"
#include "tools/state_directory.hpp"

namespace ringway::cli {

/// Which logs `log verify`, `dump` and `repair` are about: options they share, and where they lead.
struct LogOptions {
  std::string topic;
  std::vector<std::uint32_t> partitions;
  std::string state_dir;
};

void add_log_options(CLI::App& verb, LogOptions& options);

struct LogSelection {
  StateDirectory state;
  CatalogTopic topic;
  std::vector<std::uint32_t> partitions;
  std::string runtime_dir;  ///< of the bus that was named
};

/// Up to where each partition must be on disk and intact, by what the orderly stop left, or what
/// the ring says where a keeper has it; 0 where nobody knows more than the files. One per partition
/// of the topic.
std::vector<log::LogPoint> known_durable(const LogSelection& logs, const Common& common);

/// In --state-dir, else in the state directory of the bus that was named, else at the usual places.
/// `found` is told which directory that is before anything in it is read. Throws Error not_found,
/// denied; usage when the topic keeps no log or has no such partition.
LogSelection select_logs(const LogOptions& options, const Common& common,
                         const std::function<void(const std::string& directory)>& found = {});

}  // namespace ringway::cli
