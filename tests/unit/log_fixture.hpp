#pragma once

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <vector>

#include "support/log_driver.hpp"
#include "support/model_disk.hpp"

namespace ringway::test {

inline const std::string kPath = kDirectory;

inline log::LogSettings small_settings() {
  log::LogSettings settings;
  settings.segment_bytes = 32 * 1024;
  settings.block_bytes = 4096;
  settings.record_bytes_max = 4096;
  return settings;
}

inline const log::LogStart kFresh{{}, {}, log::kNoTime, {}};

/// The log of one partition on a model disk, and what it takes records from.
struct LogBench {
  explicit LogBench(std::uint64_t seed = 1) : disk(seed), source(64 * 1024, {}) { begin(kFresh); }
  void begin(const log::LogStart& start) {
    driver.emplace(disk, disk, source, small_settings(), start);
  }
  void add(int count, std::size_t bytes = 200) {
    for (int i = 0; i < count; ++i) source.add(std::string(bytes, 'r'), 10 + i);
  }
  log::Recovered recover() { return log::recover(disk, kDirectory, log::RecoverMode::repair); }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    REQUIRE(disk.list(kPath, all) == 0);
    return all;
  }
  ModelDisk disk;
  RecordSource source;
  std::optional<LogDriver> driver;
};

}  // namespace ringway::test
