#include "daemon/catalog.hpp"

#include <fmt/format.h>

#include <string>

#include "control/directories.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon {
namespace {

constexpr std::int64_t kSchemaVersion = 1;

constexpr const char* kSchema = R"(
CREATE TABLE meta(
  key   TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE topics(
  uuid       TEXT PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  owner      INTEGER NOT NULL,
  settings   TEXT NOT NULL,
  generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE partitions(
  topic          TEXT NOT NULL REFERENCES topics(uuid) ON DELETE CASCADE,
  partition      INTEGER NOT NULL,
  base_offset    INTEGER NOT NULL,
  base_position  INTEGER NOT NULL,
  clean          INTEGER NOT NULL,
  clean_offset   INTEGER NOT NULL,
  clean_position INTEGER NOT NULL,
  PRIMARY KEY(topic, partition)
) STRICT, WITHOUT ROWID;
CREATE TABLE cursors(
  topic     TEXT NOT NULL REFERENCES topics(uuid) ON DELETE CASCADE,
  name      TEXT NOT NULL,
  partition INTEGER NOT NULL,
  offset    INTEGER NOT NULL,
  protects  INTEGER NOT NULL,
  PRIMARY KEY(topic, name, partition)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
)";

std::string_view key_of(Identity identity) {
  switch (identity) {
    case Identity::session:
      return "next_session";
    case Identity::handle:
      return "next_handle";
    case Identity::producer:
      return "next_producer";
  }
  return "";
}

shm::Uuid uuid_of(const std::string& text, const std::string& thing) {
  if (const auto uuid = shm::parse_uuid(text)) return *uuid;
  throw Error(ErrorCode::failed, thing,
              fmt::format("the catalog is damaged ('{}' is no UUID)", text),
              "nothing was changed; restore the file from a backup");
}

/// An empty one makes SQLite remove the journal beside it.
const std::filesystem::path& file_to_open(const std::filesystem::path& file,
                                          const std::function<void()>& may_begin) {
  std::error_code none;
  if (std::filesystem::file_size(file, none) == 0 || none) may_begin();
  return file;
}

}  // namespace

Catalog::Catalog(const std::filesystem::path& file, const std::function<void()>& may_begin)
    : database_(file_to_open(file, may_begin)) {
  prepare_schema(may_begin);
  auto select = database_.prepare("SELECT value FROM meta WHERE key = 'bus'");
  if (!select.step()) {
    throw Error(ErrorCode::failed, database_.thing(), "the catalog is damaged (no bus identity)",
                "nothing was changed; restore the file from a backup");
  }
  bus_ = uuid_of(select.text(0), database_.thing());
  database_.reserve_space();
  // SQLite does so, too, and takes no notice where that is refused.
  control::sync_directory(file.parent_path().string());
}

void Catalog::prepare_schema(const std::function<void()>& may_begin) {
  // Looked at before anything that could write: a file that is not ours stays as it is.
  auto read_version = database_.prepare("PRAGMA user_version");
  read_version.step();
  const std::int64_t version = read_version.integer(0);
  read_version.reset();
  if (version > kSchemaVersion) {
    throw Error(
        ErrorCode::incompatible, database_.thing(),
        fmt::format("has schema version {}, this ringwayd knows up to {}", version, kSchemaVersion),
        "run the newer ringwayd that wrote it");
  }
  auto check = database_.prepare("PRAGMA quick_check(1)");
  check.step();
  if (const std::string verdict = check.text(0); verdict != "ok") {
    throw Error(ErrorCode::failed, database_.thing(),
                fmt::format("the catalog is damaged ({})", verdict),
                "nothing was changed; restore the file from a backup, or move it and topics/ aside "
                "to start without any topic");
  }
  check.reset();
  if (version == 0) may_begin();  // all that it held may have been in a journal that is gone
  database_.execute(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
  if (version == kSchemaVersion) return;
  sqlite::Transaction transaction(database_);
  database_.execute(kSchema);
  auto insert = database_.prepare("INSERT INTO meta VALUES(?, ?)");
  insert.bind(1, "bus").bind(2, shm::to_string(shm::random_uuid())).step();
  for (const std::string_view counter : {"epoch", "next_session", "next_handle", "next_producer"}) {
    insert.reset();
    const bool counts_from_one = counter != "epoch";
    insert.bind(1, counter).bind(2, std::int64_t{counts_from_one}).step();
  }
  transaction.commit();
}

std::uint64_t Catalog::begin_epoch() {
  auto update =
      database_.prepare("UPDATE meta SET value = value + 1 WHERE key = 'epoch' RETURNING value");
  update.step();
  const std::uint64_t epoch = update.unsigned_integer(0);
  update.step();
  return epoch;
}

std::uint64_t Catalog::reserve(Identity identity, std::uint64_t count) {
  auto update =
      database_.prepare("UPDATE meta SET value = value + ?2 WHERE key = ?1 RETURNING value");
  update.bind(1, key_of(identity)).bind(2, count).step();
  const std::uint64_t end = update.unsigned_integer(0);
  update.step();
  return end - count;
}

void Catalog::reserve_up_to(Identity identity, std::uint64_t used) {
  auto update = database_.prepare("UPDATE meta SET value = ?2 WHERE key = ?1 AND value < ?2");
  update.bind(1, key_of(identity)).bind(2, used + 1).step();
}

std::vector<TopicRow> Catalog::topics() {
  std::vector<TopicRow> rows;
  auto topics =
      database_.prepare("SELECT uuid, name, owner, settings, generation FROM topics ORDER BY name");
  auto partitions = database_.prepare(
      "SELECT base_offset, base_position, clean, clean_offset, clean_position FROM partitions "
      "WHERE topic = ? ORDER BY partition");
  while (topics.step()) {
    TopicRow row{.uuid = uuid_of(topics.text(0), database_.thing()),
                 .name = topics.text(1),
                 .owner = static_cast<std::uint32_t>(topics.integer(2)),
                 .settings = topics.text(3),
                 .generation = topics.unsigned_integer(4),
                 .partitions = {}};
    partitions.reset();
    partitions.bind(1, topics.text(0));
    while (partitions.step()) {
      row.partitions.push_back({.base_offset = partitions.unsigned_integer(0),
                                .base_position = partitions.unsigned_integer(1),
                                .clean = partitions.integer(2) != 0,
                                .clean_offset = partitions.unsigned_integer(3),
                                .clean_position = partitions.unsigned_integer(4)});
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

void Catalog::write_partitions(const TopicRow& topic) {
  auto insert = database_.prepare("INSERT OR REPLACE INTO partitions VALUES(?, ?, ?, ?, ?, ?, ?)");
  const std::string uuid = shm::to_string(topic.uuid);
  for (std::size_t p = 0; p < topic.partitions.size(); ++p) {
    const PartitionRow& row = topic.partitions[p];
    insert.reset();
    insert.bind(1, uuid)
        .bind(2, static_cast<std::uint64_t>(p))
        .bind(3, row.base_offset)
        .bind(4, row.base_position)
        .bind(5, std::int64_t{row.clean})
        .bind(6, row.clean_offset)
        .bind(7, row.clean_position)
        .step();
  }
}

void Catalog::add_topic(const TopicRow& topic) {
  sqlite::Transaction transaction(database_);
  auto insert = database_.prepare("INSERT INTO topics VALUES(?, ?, ?, ?, ?)");
  insert.bind(1, shm::to_string(topic.uuid))
      .bind(2, topic.name)
      .bind(3, std::uint64_t{topic.owner})
      .bind(4, topic.settings)
      .bind(5, topic.generation)
      .step();
  write_partitions(topic);
  transaction.commit();
  database_.reserve_space();
}

void Catalog::remove_topic(const shm::Uuid& topic) {
  auto remove = database_.prepare("DELETE FROM topics WHERE uuid = ?");
  remove.bind(1, shm::to_string(topic)).step();
}

void Catalog::set_settings(const shm::Uuid& topic, std::string_view settings) {
  auto update = database_.prepare("UPDATE topics SET settings = ?2 WHERE uuid = ?1");
  update.bind(1, shm::to_string(topic)).bind(2, settings).step();
}

void Catalog::begin_ring(const TopicRow& topic) {
  sqlite::Transaction transaction(database_);
  auto update =
      database_.prepare("UPDATE topics SET generation = ?2, settings = ?3 WHERE uuid = ?1");
  update.bind(1, shm::to_string(topic.uuid))
      .bind(2, topic.generation)
      .bind(3, topic.settings)
      .step();
  write_partitions(topic);
  transaction.commit();
}

void Catalog::mark_clean(std::span<const TopicRow> topics) {
  sqlite::Transaction transaction(database_);
  for (const TopicRow& topic : topics) write_partitions(topic);
  transaction.commit();
}

std::vector<CursorRow> Catalog::cursors(const shm::Uuid& topic) {
  std::vector<CursorRow> rows;
  auto select = database_.prepare(
      "SELECT name, partition, offset, protects FROM cursors WHERE topic = ? "
      "ORDER BY name, partition");
  select.bind(1, shm::to_string(topic));
  while (select.step()) {
    rows.push_back({.topic = topic,
                    .name = select.text(0),
                    .partition = static_cast<std::uint32_t>(select.integer(1)),
                    .offset = select.unsigned_integer(2),
                    .protects = select.integer(3) != 0});
  }
  return rows;
}

void Catalog::save_cursors(std::span<const CursorRow> cursors) {
  if (cursors.empty()) return;
  sqlite::Transaction transaction(database_);
  auto insert = database_.prepare("INSERT OR REPLACE INTO cursors VALUES(?, ?, ?, ?, ?)");
  for (const CursorRow& row : cursors) {
    insert.reset();
    insert.bind(1, shm::to_string(row.topic))
        .bind(2, row.name)
        .bind(3, std::uint64_t{row.partition})
        .bind(4, row.offset)
        .bind(5, std::int64_t{row.protects})
        .step();
  }
  transaction.commit();
}

bool Catalog::remove_cursor(const shm::Uuid& topic, std::string_view name) {
  auto remove = database_.prepare("DELETE FROM cursors WHERE topic = ? AND name = ?");
  remove.bind(1, shm::to_string(topic)).bind(2, name).step();
  return database_.changes() > 0;
}

std::uint64_t IdentitySource::next() {
  if (next_ == end_) {
    next_ = catalog_.reserve(identity_, kStride);
    end_ = next_ + kStride;
  }
  return next_++;
}

}  // namespace ringway::daemon
