#pragma once

#include <cstdint>
#include <exception>
#include <span>
#include <vector>

#include "daemon/served_topic.hpp"
#include "log/recovery.hpp"
#include "storage/file_system.hpp"

namespace ringway::daemon {

/// Of one partition's log: what it holds once it is mended, or why it is not.
struct LogRecovery {
  const ServedTopic* topic;
  std::uint32_t partition;
  log::Recovered found{};
  std::exception_ptr failed{};
};

/// One for each partition.
void add_recoveries(const ServedTopic& topic, std::vector<LogRecovery>& logs);

/// Recovers them side by side: each mostly waits for the device, and what several wait for at once
/// the file system does at once.
void recover_logs(std::span<LogRecovery> logs, storage::FileSystem& file_system,
                  log::RecoverMode mode);

}  // namespace ringway::daemon
