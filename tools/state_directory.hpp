#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "control/messages.hpp"
#include "log/stream.hpp"
#include "ringway/topic.hpp"
#include "shm/uuid.hpp"

namespace ringway::cli {

/// A topic as the catalog of a state directory has it.
struct CatalogTopic {
  shm::Uuid uuid{};
  std::string name;
  TopicSettings settings;
  /// Where each partition's log ended with an orderly stop, if it did: everything before is
  /// durable.
  std::vector<std::optional<log::LogPoint>> clean_ends{};
};

/// Where a supervisor that this user starts keeps its state; empty: that follows from nothing.
std::filesystem::path own_state_directory();
/// Whether some supervisor did.
bool has_catalog(const std::filesystem::path& directory);

/// What a supervisor leaves on disk, looked at without one, or beside one. Changes nothing.
class StateDirectory {
 public:
  /// `path` "" looks where supervisors of this user and of the system keep their state. Throws
  /// Error not_found naming where it looked.
  explicit StateDirectory(const std::string& path);

  const std::filesystem::path& path() const noexcept { return path_; }
  /// By name, or by UUID. Throws Error not_found, denied; failed when the catalog cannot be read.
  CatalogTopic topic(const std::string& name_or_uuid) const;
  /// Names of all topics in the catalog. Throws Error denied; failed when it cannot be read.
  std::vector<std::string> topic_names() const;
  /// Named cursors as they were saved last, once a second while somebody moves them. None where the
  /// catalog has nothing of the topic, or there is no catalog.
  std::vector<control::CursorListing> cursors(const CatalogTopic& topic) const;
  /// Directory of a partition's segments. Throws Error not_found, denied when it cannot be read.
  std::string partition(const CatalogTopic& topic, std::uint32_t partition) const;
  /// Whether a supervisor lives that writes here, as far as this user can tell.
  bool in_use() const;

 private:
  std::filesystem::path path_;
};

}  // namespace ringway::cli
