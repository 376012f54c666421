#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/sqlite.hpp"
#include "shm/uuid.hpp"

namespace ringway::daemon {

/// Where a partition's current ring starts in the log, and, after an orderly stop, where it ended.
struct PartitionRow {
  std::uint64_t base_offset = 0;
  std::uint64_t base_position = 0;
  bool clean = false;  ///< everything was drained: offsets go on exactly at `clean_offset`
  std::uint64_t clean_offset = 0;
  std::uint64_t clean_position = 0;
};

struct TopicRow {
  shm::Uuid uuid{};
  std::string name;
  std::uint32_t owner = 0;  ///< uid of the creator
  std::string settings;     ///< JSON (control/topic_settings.hpp)
  std::uint64_t generation = 1;
  std::vector<PartitionRow> partitions;
};

/// One partition of a named cursor.
struct CursorRow {
  shm::Uuid topic{};
  std::string name;
  std::uint32_t partition = 0;
  std::uint64_t offset = 0;
  bool protects = false;
};

/// Numbers that are never given twice within a bus.
enum class Identity : std::uint8_t { session, handle, producer };

/// What must outlive everything else: topics, settings, ring identities, named cursors. SQLite in
/// WAL mode; every change is on the device when its call returns. Owned by the supervisor, used by
/// the control thread only. A crash costs nothing that was returned. Every call throws Error naming
/// the file.
class Catalog {
 public:
  /// Opens it or makes a new one. A damaged one and one of a newer version are refused, untouched.
  /// Where there is none, or nothing in it, `may_begin` is asked first, and may throw.
  explicit Catalog(
      const std::filesystem::path& file, const std::function<void()>& may_begin = [] {});

  const shm::Uuid& bus() const noexcept { return bus_; }
  /// One more than the supervisor before had.
  std::uint64_t begin_epoch();
  /// The first of `count` numbers that nobody else gets.
  std::uint64_t reserve(Identity identity, std::uint64_t count);
  /// From now on nobody gets one up to this, whatever an older copy says.
  void reserve_up_to(Identity identity, std::uint64_t used);

  std::vector<TopicRow> topics();
  void add_topic(const TopicRow& topic);
  void remove_topic(const shm::Uuid& topic);  ///< its cursors, too
  void set_settings(const shm::Uuid& topic, std::string_view settings);
  /// A new ring begins: generation, settings and bases. Takes the marks of the orderly stop away.
  void begin_ring(const TopicRow& topic);
  /// The orderly stop's marks, of all topics at once.
  void mark_clean(std::span<const TopicRow> topics);

  std::vector<CursorRow> cursors(const shm::Uuid& topic);
  void save_cursors(std::span<const CursorRow> cursors);
  bool remove_cursor(const shm::Uuid& topic, std::string_view name);

 private:
  void prepare_schema(const std::function<void()>& may_begin);
  void write_partitions(const TopicRow& topic);

  sqlite::Database database_;
  shm::Uuid bus_{};
};

/// Hands out numbers from stretches reserved in the catalog, so that not every one costs a sync.
class IdentitySource {
 public:
  IdentitySource(Catalog& catalog, Identity identity) : catalog_(catalog), identity_(identity) {}
  std::uint64_t next();

 private:
  static constexpr std::uint64_t kStride = 256;
  Catalog& catalog_;
  Identity identity_;
  std::uint64_t next_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace ringway::daemon
