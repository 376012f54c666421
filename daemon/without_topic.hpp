#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "daemon/catalog.hpp"
#include "daemon/descriptor_store.hpp"
#include "shm/uuid.hpp"

namespace ringway::daemon {

// What a catalog that was lost, or put back as an older copy, does not know. What a start cleans up
// behind a crash is none of it: a topic has no files before the catalog has it, and none under
// their name behind that; its board is whole only when the catalog has it, and says when it goes.

/// A ring that clients had and that no topic takes over.
struct RingWithoutTopic {
  std::string topic;  ///< as its board has the name
  shm::Uuid uuid;
  std::uint64_t generation;
};

/// Of topics that the catalog has they are newer than the one it knows of, and that is not there.
std::vector<RingWithoutTopic> rings_without_topic(const std::map<std::string, KeptDescriptor>& kept,
                                                  std::span<const TopicRow> rows);

/// Directories of topics that the catalog does not have, with any file in them; sorted.
std::vector<std::filesystem::path> logs_without_topic(const std::filesystem::path& topics,
                                                      std::span<const TopicRow> rows);

/// What to do about each of these.
inline constexpr const char* kFixOfLogWithoutTopic =
    "restore the catalog that has its topic, or move the directory out of topics/";

/// Where there is no catalog. One may be begun where nothing is left that it ought to know.
/// `holder`: the process that holds what is kept; 0: the service manager.
/// @throws Error naming what is at stake.
void demand_nothing_left(const std::filesystem::path& catalog, const std::filesystem::path& topics,
                         const std::map<std::string, KeptDescriptor>& kept, int holder);

}  // namespace ringway::daemon
