#pragma once

#include <vector>

#include "daemon/served_topic.hpp"
#include "log/recovery.hpp"
#include "storage/file_system.hpp"

namespace ringway::daemon {

/// What the logs of a topic's partitions hold once they are mended, recovered side by side: each
/// mostly waits for the device, and what several wait for at once the file system does at once.
/// @throws what the recovery of one of them threw.
std::vector<log::Recovered> recover_logs(const ServedTopic& topic, storage::FileSystem& file_system,
                                         log::RecoverMode mode);

}  // namespace ringway::daemon
