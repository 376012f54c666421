// Rows of the catalog with anything in them, as a supervisor's start reads them.

#include <sqlite3.h>

#include <nlohmann/json.hpp>

#include "control/access.hpp"
#include "control/topic_settings.hpp"
#include "daemon/catalog.hpp"
#include "daemon/named_cursors.hpp"
#include "daemon/ring_start.hpp"
#include "fuzz/input.hpp"
#include "ringway/error.hpp"
#include "support/temporary_directory.hpp"

using namespace ringway;
using namespace ringway::fuzz;

namespace {

constexpr const char* kUuid = "00000000-0000-4000-8000-000000000000";

/// A catalog with one topic and one cursor, and a second way in past its checks.
class Bench {
 public:
  Bench() : catalog(directory_ / "catalog.db") {
    catalog.add_topic({.uuid = *shm::parse_uuid(kUuid),
                       .name = "t",
                       .settings = "{}",
                       .partitions = std::vector<daemon::PartitionRow>(2)});
    const daemon::CursorRow cursor{.topic = *shm::parse_uuid(kUuid), .name = "c"};
    catalog.save_cursors({&cursor, 1});
    demand(sqlite3_open((directory_ / "catalog.db").c_str(), &way_in_) == SQLITE_OK, "opens");
    sqlite3_exec(way_in_, "PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF", nullptr, nullptr,
                 nullptr);
  }
  ~Bench() { sqlite3_close(way_in_); }

  /// Sets one column of the only row to a value of any type.
  void set(const std::string& table, const std::string& column, Input& input) {
    sqlite3_stmt* update = nullptr;
    const std::string sql = "UPDATE OR IGNORE " + table + " SET " + column + " = ?";
    demand(sqlite3_prepare_v2(way_in_, sql.c_str(), -1, &update, nullptr) == SQLITE_OK, "is SQL");
    const auto kind = input.take<std::uint8_t>() % 5;
    const std::string_view text = kind < 2 ? input.text() : std::string_view();
    if (kind == 0)
      sqlite3_bind_text(update, 1, text.data(), static_cast<int>(text.size()), nullptr);
    if (kind == 1)
      sqlite3_bind_blob(update, 1, text.data(), static_cast<int>(text.size()), nullptr);
    if (kind == 2) sqlite3_bind_int64(update, 1, input.take<std::int64_t>());
    if (kind == 3) sqlite3_bind_double(update, 1, input.take<double>());
    sqlite3_step(update);
    sqlite3_finalize(update);
  }

  void begin() { sqlite3_exec(way_in_, "BEGIN", nullptr, nullptr, nullptr); }
  void commit() { sqlite3_exec(way_in_, "COMMIT", nullptr, nullptr, nullptr); }

 private:
  test::TemporaryDirectory directory_;
  sqlite3* way_in_ = nullptr;

 public:
  daemon::Catalog catalog;
};

void read_settings(const std::string& text) {
  TopicSettings settings;
  try {
    settings = control::topic_settings_from_json(nlohmann::json::parse(text));
    control::validate(settings);
  } catch (const std::exception&) {
    return;
  }
  demand(control::topic_settings_from_json(control::to_json(settings)) == settings,
         "settings survive");
}

void read_access(std::string_view text) {
  control::TopicAccess access;
  try {
    access = control::topic_access_from_json(nlohmann::json::parse(text));
  } catch (const std::exception&) {
    return;
  }
  const auto again = control::topic_access_from_json(control::to_json(access));
  demand(control::to_json(again) == control::to_json(access), "access survives");
  const control::Credentials peer{.pid = 1, .uid = 1000, .gid = 1000, .groups = {4}};
  static_cast<void>(control::allowed(control::Right::write, peer, access, 7));
}

void read_rows(daemon::Catalog& catalog) {
  for (const daemon::TopicRow& row : catalog.topics()) {
    read_settings(row.settings);
    TopicSettings settings;
    settings.partitions = 2;
    for (const daemon::PartitionRow& partition : row.partitions) {
      const auto start = daemon::ring_start(settings, partition, std::nullopt);
      demand(start.position % 4096 == 0, "a ring starts on a page");
    }
    daemon::NamedCursors cursors(row.uuid, settings.partitions, catalog.cursors(row.uuid));
    static_cast<void>(cursors.protection(1));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  static Bench bench;
  static const std::pair<const char*, const char*> columns[] = {
      {"topics", "settings"},
      {"topics", "name"},
      {"topics", "owner"},
      {"topics", "generation"},
      {"partitions", "base_offset"},
      {"partitions", "base_position"},
      {"partitions", "clean"},
      {"partitions", "clean_offset"},
      {"partitions", "clean_position"},
      {"cursors", "partition"},
      {"cursors", "offset"},
      {"cursors", "name"},
      {"cursors", "protects"},
      {"topics", "uuid"},
  };
  Input input(data, bytes);
  const auto mode = input.take<std::uint8_t>();
  if (mode % 4 == 0) {
    const std::string text(input.text());
    read_settings(text);
    read_access(text);
    return 0;
  }
  bench.begin();
  for (int i = 0; i < 4 && !input.empty(); ++i) {
    const auto& [table, column] = columns[input.take<std::uint8_t>() % std::size(columns)];
    bench.set(table, column, input);
  }
  bench.commit();
  try {
    read_rows(bench.catalog);
  } catch (const Error&) {
  }
  // The next input finds what this one did not change.
  bench.begin();
  Input uuid(reinterpret_cast<const std::uint8_t*>("\0"
                                                   "00000000-0000-4000-8000-000000000000"),
             37);
  bench.set("topics", "uuid", uuid);
  bench.commit();
  return 0;
}
