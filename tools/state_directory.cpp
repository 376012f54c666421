#include "tools/state_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "control/flock_holder.hpp"
#include "control/topic_settings.hpp"
#include "ringway/error.hpp"
#include "shm/descriptor.hpp"
#include "tools/topic_error.hpp"

namespace ringway::cli {
namespace {

constexpr const char* kCatalog = "catalog.db";
constexpr int kBusyMs = 2000;  // a supervisor that is just writing

struct CloseDatabase {
  void operator()(sqlite3* database) const noexcept { sqlite3_close(database); }
};
struct CloseStatement {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, CloseStatement>;

std::filesystem::path from_environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr && value[0] == '/' ? std::filesystem::path(value)
                                             : std::filesystem::path();
}

/// In the order in which a supervisor of this user would choose, the system's at the end.
std::vector<std::filesystem::path> usual_places() {
  std::vector<std::filesystem::path> places;
  if (const auto own = own_state_directory(); !own.empty()) places.push_back(own);
  places.emplace_back("/var/lib/ringway");
  return places;
}

Error refused(const std::filesystem::path& path, int error_number) {
  if (error_number == EACCES) {
    return Error(ErrorCode::denied, path.string(), "this user may not read it",
                 "act as the supervisor's user, or as root");
  }
  if (error_number == ENOENT || error_number == ENOTDIR) {
    return Error(ErrorCode::not_found, path.string(),
                 error_number == ENOENT ? "does not exist" : "is not a directory",
                 "name the supervisor's state directory with --state-dir");
  }
  return system_error(error_number, path.string(), "cannot be read");
}

Error unreadable(const std::filesystem::path& file, sqlite3* database) {
  return Error(ErrorCode::failed, file.string(),
               fmt::format("the catalog cannot be read ({})",
                           database != nullptr ? sqlite3_errmsg(database) : "out of memory"),
               "name the topic by its UUID, the directory below topics/");
}

/// Beside a living supervisor, or on what a dead one left. A directory that cannot be written to
/// has no room for SQLite's shared memory: there the file alone is read, as it stands. It lacks
/// what the journal has, so nobody gets it for want of descriptors.
Database open_catalog(const std::filesystem::path& file) {
  const std::string uri = "file:" + file.string();
  for (const char* mode : {"?mode=ro", "?mode=ro&immutable=1"}) {
    sqlite3* opened = nullptr;
    const int result = sqlite3_open_v2((uri + mode).c_str(), &opened,
                                       SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nullptr);
    Database database(opened);
    if (result != SQLITE_OK) continue;
    sqlite3_busy_timeout(opened, kBusyMs);
    if (sqlite3_exec(opened, "SELECT count(*) FROM topics", nullptr, nullptr, nullptr) ==
        SQLITE_OK) {
      return database;
    }
    if (const int error = sqlite3_system_errno(opened); error == EMFILE || error == ENFILE) {
      throw system_error(error, file.string(), "the catalog cannot be read");
    }
    if (std::string_view(mode).ends_with("immutable=1")) throw unreadable(file, opened);
  }
  throw unreadable(file, nullptr);
}

std::string column_text(sqlite3_stmt* statement, int column) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
  return text != nullptr
             ? std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement, column)))
             : std::string();
}

Statement prepare(sqlite3* database, const std::filesystem::path& file, const char* query,
                  const std::string& wanted) {
  sqlite3_stmt* prepared = nullptr;
  if (sqlite3_prepare_v2(database, query, -1, &prepared, nullptr) != SQLITE_OK) {
    throw unreadable(file, database);
  }
  sqlite3_bind_text(prepared, 1, wanted.data(), static_cast<int>(wanted.size()), SQLITE_TRANSIENT);
  return Statement(prepared);
}

/// Numbers are stored as their two's complement.
std::uint64_t column_number(sqlite3_stmt* statement, int column) {
  return static_cast<std::uint64_t>(sqlite3_column_int64(statement, column));
}

std::optional<CatalogTopic> look_up(const std::filesystem::path& file, const std::string& wanted) {
  const Database database = open_catalog(file);
  const Statement topics =
      prepare(database.get(), file,
              "SELECT uuid, name, settings FROM topics WHERE name = ?1 OR uuid = ?1", wanted);
  const int stepped = sqlite3_step(topics.get());
  if (stepped == SQLITE_DONE) return {};
  if (stepped != SQLITE_ROW) throw unreadable(file, database.get());
  const auto uuid = shm::parse_uuid(column_text(topics.get(), 0));
  const auto settings = nlohmann::json::parse(column_text(topics.get(), 2), nullptr, false);
  if (!uuid || settings.is_discarded()) {
    throw Error(ErrorCode::failed, file.string(),
                "the catalog is damaged: it holds no sense about " + topic_thing(wanted),
                "name the topic by its UUID, the directory below topics/");
  }
  CatalogTopic topic{*uuid, column_text(topics.get(), 1),
                     control::topic_settings_from_json(settings)};
  // Where the last ring held nothing, it began on a page of its own, behind the log's end.
  const Statement ends = prepare(database.get(), file,
                                 "SELECT clean AND clean_position > base_position, clean_position, "
                                 "clean_offset FROM partitions WHERE topic = ? ORDER BY partition",
                                 shm::to_string(*uuid));
  while (sqlite3_step(ends.get()) == SQLITE_ROW) {
    auto& end = topic.clean_ends.emplace_back();
    if (sqlite3_column_int64(ends.get(), 0) != 0) {
      end = log::LogPoint{column_number(ends.get(), 1), column_number(ends.get(), 2)};
    }
  }
  return topic;
}

/// A topic that only its directory tells of: with as many partitions as there are.
std::optional<CatalogTopic> topic_without_catalog(const std::filesystem::path& state,
                                                  const std::string& wanted) {
  const auto uuid = shm::parse_uuid(wanted);
  std::error_code ignored;
  const std::filesystem::path directory = state / "topics" / wanted;
  if (!uuid || !std::filesystem::is_directory(directory, ignored)) return {};
  CatalogTopic topic{.uuid = *uuid, .name = wanted, .settings = {}};
  topic.settings.partitions = 0;
  while (std::filesystem::exists(directory / std::to_string(topic.settings.partitions), ignored)) {
    ++topic.settings.partitions;
  }
  return topic;
}

}  // namespace

std::filesystem::path own_state_directory() {
  if (const auto xdg = from_environment("XDG_STATE_HOME"); !xdg.empty()) return xdg / "ringway";
  const auto home = from_environment("HOME");
  return home.empty() ? home : home / ".local/state/ringway";
}

bool has_catalog(const std::filesystem::path& directory) {
  std::error_code unseen;
  return std::filesystem::exists(directory / kCatalog, unseen);
}

StateDirectory::StateDirectory(const std::string& path) : path_(path) {
  if (!path.empty()) {
    if (access((path_ / "").c_str(), R_OK | X_OK) != 0) throw refused(path_, errno);
    return;
  }
  std::string looked;
  for (const std::filesystem::path& place : usual_places()) {
    // Unreadable is not absent: the look-up says so.
    if (access((place / kCatalog).c_str(), F_OK) == 0 || errno == EACCES) {
      path_ = place;
      return;
    }
    looked += (looked.empty() ? "" : " nor ") + place.string();
  }
  throw Error(ErrorCode::not_found, "state directory", fmt::format("there is none at {}", looked),
              "name it with --state-dir");
}

CatalogTopic StateDirectory::topic(const std::string& name_or_uuid) const {
  const std::filesystem::path file = path_ / kCatalog;
  std::optional<CatalogTopic> found;
  if (access(file.c_str(), R_OK) == 0) {
    try {
      found = look_up(file, name_or_uuid);
    } catch (const Error&) {
      found = topic_without_catalog(path_, name_or_uuid);
      if (!found) throw;
    }
  } else if (errno != ENOENT) {
    throw refused(file, errno);
  }
  if (!found) found = topic_without_catalog(path_, name_or_uuid);
  if (found) return *found;
  throw Error(ErrorCode::not_found, topic_thing(name_or_uuid),
              fmt::format("is not in {}", path_.string()),
              "name it as 'ringway topic list' does, and the state directory with --state-dir (of "
              "the service it is /var/lib/ringway)");
}

std::vector<std::string> StateDirectory::topic_names() const {
  const std::filesystem::path file = path_ / kCatalog;
  if (access(file.c_str(), R_OK) != 0) throw refused(file, errno);
  const Database database = open_catalog(file);
  const Statement topics =
      prepare(database.get(), file, "SELECT name FROM topics WHERE name <> ?1 ORDER BY name", "");
  std::vector<std::string> names;
  int stepped = SQLITE_ROW;
  while ((stepped = sqlite3_step(topics.get())) == SQLITE_ROW) {
    names.push_back(column_text(topics.get(), 0));
  }
  if (stepped != SQLITE_DONE) throw unreadable(file, database.get());
  return names;
}

std::vector<control::CursorListing> StateDirectory::cursors(const CatalogTopic& topic) const {
  const std::filesystem::path file = path_ / kCatalog;
  if (access(file.c_str(), R_OK) != 0) return {};
  const Database database = open_catalog(file);
  const Statement rows = prepare(
      database.get(), file,
      "SELECT name, partition, offset, protects FROM cursors WHERE topic = ?1 ORDER BY name",
      shm::to_string(topic.uuid));
  std::vector<control::CursorListing> cursors;
  while (sqlite3_step(rows.get()) == SQLITE_ROW) {
    const std::string name = column_text(rows.get(), 0);
    if (cursors.empty() || cursors.back().name != name) {
      cursors.push_back({.name = name, .protects = sqlite3_column_int(rows.get(), 3) != 0});
      cursors.back().offsets.resize(topic.settings.partitions);
    }
    const std::uint64_t partition = column_number(rows.get(), 1);
    if (partition >= topic.settings.partitions) continue;
    // A name that was given away and never committed has an offset that is none.
    if (const std::uint64_t offset = column_number(rows.get(), 2); offset != layout::kNoOffset) {
      cursors.back().offsets[partition] = offset;
    }
  }
  return cursors;
}

std::string StateDirectory::partition(const CatalogTopic& topic, std::uint32_t partition) const {
  const std::filesystem::path directory =
      path_ / "topics" / shm::to_string(topic.uuid) / std::to_string(partition);
  if (access(directory.c_str(), R_OK | X_OK) != 0) throw refused(directory, errno);
  return directory.string();
}

bool StateDirectory::in_use() const {
  const shm::Descriptor file(::open((path_ / "lock").c_str(), O_RDONLY | O_CLOEXEC));
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool locked =
      file && fcntl(file.get(), F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  return locked || control::flock_holder(path_.string()) != 0;
}

}  // namespace ringway::cli
