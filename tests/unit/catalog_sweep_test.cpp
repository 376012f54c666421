// Each write, sync, truncation, opening and removal of the catalog's files fails in turn.

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <functional>

#include "daemon/catalog.hpp"
#include "ringway/error.hpp"
#include "support/failing_vfs.hpp"
#include "support/temporary_directory.hpp"

namespace catalog_sweep_test {

using namespace ringway;
using namespace ringway::daemon;
using test::FailingVfs;
using Call = FailingVfs::Call;

namespace {

TopicRow topic(std::uint8_t number, std::size_t partitions) {
  TopicRow row{.uuid = {number},
               .name = fmt::format("topic-{}", number),
               .owner = 1000,
               // Long enough that a change takes several pages.
               .settings = fmt::format(R"({{"text":"{}"}})", std::string(6000, 'x')),
               .generation = 1,
               .partitions = std::vector<PartitionRow>(partitions)};
  return row;
}

TopicRow next_ring(TopicRow row) {
  ++row.generation;
  for (PartitionRow& partition : row.partitions) partition.base_offset = 77;
  return row;
}

/// All that the catalog says, but for numbers that a failure may use up.
std::string contents(Catalog& catalog) {
  std::string text;
  for (const TopicRow& row : catalog.topics()) {
    text +=
        fmt::format("{} generation {} {} bytes:", row.name, row.generation, row.settings.size());
    for (const PartitionRow& partition : row.partitions) {
      text += fmt::format(" {}{}", partition.base_offset, partition.clean ? " clean" : "");
    }
    for (const CursorRow& cursor : catalog.cursors(row.uuid)) {
      text += fmt::format(" {}/{}={}", cursor.name, cursor.partition, cursor.offset);
    }
    text += '\n';
  }
  return text;
}

using Step = std::function<void(Catalog&)>;
const std::vector<Step>& history() {
  static const std::vector<Step> kHistory = {
      [](Catalog& catalog) { catalog.add_topic(topic(1, 3)); },
      [](Catalog& catalog) {
        std::vector<CursorRow> rows;
        for (std::uint32_t p = 0; p < 3; ++p)
          rows.push_back({topic(1, 3).uuid, "c", p, 5 + p, p == 1});
        catalog.save_cursors(rows);
      },
      [](Catalog& catalog) { catalog.add_topic(topic(2, 100)); },
      [](Catalog& catalog) { catalog.begin_ring(next_ring(topic(2, 100))); },
      [](Catalog& catalog) { catalog.reserve(Identity::handle, 256); },
      [](Catalog& catalog) {
        std::vector<TopicRow> rows{topic(1, 3), next_ring(topic(2, 100))};
        for (TopicRow& row : rows) {
          for (PartitionRow& partition : row.partitions) partition.clean = true;
        }
        catalog.mark_clean(rows);
      },
      [](Catalog& catalog) { catalog.remove_cursor(topic(1, 3).uuid, "c"); },
      [](Catalog& catalog) { catalog.remove_topic(topic(2, 100).uuid); },
  };
  return kHistory;
}

/// What the catalog holds after none, one, ... all of the history.
std::vector<std::string> states() {
  const test::TemporaryDirectory directory("/dev/shm");  // a sync of it costs nothing
  Catalog catalog(directory / "catalog.db");
  std::vector<std::string> states{contents(catalog)};
  for (const Step& step : history()) {
    step(catalog);
    states.push_back(contents(catalog));
  }
  return states;
}

/// What a supervisor would find whose predecessor was killed at this moment.
std::string after_kill(const std::filesystem::path& file) {
  const test::TemporaryDirectory elsewhere("/dev/shm");
  for (const char* suffix : {"", "-wal"}) {
    const std::string from = file.string() + suffix;
    if (std::filesystem::exists(from)) {
      std::filesystem::copy_file(from, std::string(elsewhere / "catalog.db") + suffix);
    }
  }
  Catalog catalog(elsewhere / "catalog.db");
  return contents(catalog);
}

/// False when the history makes no k-th call of that kind.
bool one_fault_at(FailingVfs& vfs, Call call, int k, int error, bool lasting) {
  CAPTURE(static_cast<int>(call), k, error, lasting);
  static const std::vector<std::string> kStates = states();
  const test::TemporaryDirectory directory("/dev/shm");
  const std::filesystem::path file = directory / "catalog.db";
  std::optional<Catalog> catalog;
  vfs.fail(call, k, error, lasting);
  try {
    catalog.emplace(file);
  } catch (const Error& refused) {
    CHECK_THAT(refused.what(), Catch::Contains(file.string()));
    vfs.heal();
    catalog.emplace(file);  // the next start
  }
  for (std::size_t i = 0; i < history().size(); ++i) {
    CAPTURE(i);
    bool refused = false;
    try {
      history()[i](*catalog);
    } catch (const Error& told) {
      CHECK_THAT(told.what(), Catch::Contains(file.string()));
      CHECK((told.rule() == "the disk is full") == (error == ENOSPC));
      refused = true;
    }
    if (refused) {
      {
        // Neither half nor taken back, whether it is looked at from here or by a successor.
        const FailingVfs::Truce truce(vfs);
        const std::string found = after_kill(file);
        CHECK((found == kStates[i] || found == kStates[i + 1]));
        CHECK(contents(*catalog) == kStates[i]);
      }
      vfs.heal();
      history()[i](*catalog);  // the device works again: nothing else is needed
    }
    if (vfs.failures() == 0) continue;  // so far it is the history that kStates is of
    const FailingVfs::Truce truce(vfs);
    CHECK(contents(*catalog) == kStates[i + 1]);
    CHECK(after_kill(file) == kStates[i + 1]);
  }
  const bool hit = vfs.failures() > 0;
  vfs.heal();
  catalog.reset();
  CHECK(after_kill(file) == kStates.back());
  Catalog again(file);
  CHECK(contents(again) == kStates.back());
  return hit;
}

}  // namespace

TEST_CASE("sweep: any call of the catalog's files fails, and no change is half or taken back",
          "[fault]") {
  FailingVfs vfs;
  // With how often each is called at least.
  const auto [call, error, least] = GENERATE(table<Call, int, int>({
      {Call::open, EIO, 1},
      {Call::write, EIO, 8},
      {Call::write, ENOSPC, 8},
      {Call::sync, EIO, 8},
      {Call::truncate, EIO, 0},  // the journal keeps its space, and the database never shrinks
      {Call::remove, EIO, 1},
      {Call::share, EIO, 1},
  }));
  const bool lasting = GENERATE(false, true);
  int k = 1;
  while (one_fault_at(vfs, call, k, error, lasting)) ++k;
  CHECK(k > least);
}

}  // namespace catalog_sweep_test
