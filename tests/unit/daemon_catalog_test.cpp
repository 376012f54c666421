#include <sqlite3.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "daemon/catalog.hpp"
#include "ringway/error.hpp"
#include "support/refused_calls.hpp"
#include "support/temporary_directory.hpp"

namespace daemon_catalog_test {

using namespace ringway;
using namespace ringway::daemon;

namespace {

TopicRow topic_named(const std::string& name) {
  return {.uuid = shm::random_uuid(),
          .name = name,
          .owner = 1000,
          .settings = R"({"partitions":2})",
          .generation = 1,
          .partitions = {{.base_offset = 0}, {.base_offset = 7}}};
}

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

TEST_CASE("catalog: what was added is there when it is opened again", "[daemon]") {
  const test::TemporaryDirectory directory;
  const std::string file = directory / "catalog.db";
  TopicRow orders = topic_named("orders/eu");
  shm::Uuid bus{};
  {
    Catalog catalog(file);
    bus = catalog.bus();
    catalog.add_topic(orders);
    catalog.save_cursors(std::vector<CursorRow>{{orders.uuid, "billing", 1, 42, true}});
  }
  Catalog catalog(file);
  CHECK(catalog.bus() == bus);
  const auto topics = catalog.topics();
  REQUIRE(topics.size() == 1);
  CHECK(topics[0].name == "orders/eu");
  CHECK(topics[0].uuid == orders.uuid);
  CHECK(topics[0].owner == 1000);
  CHECK(topics[0].settings == orders.settings);
  REQUIRE(topics[0].partitions.size() == 2);
  CHECK(topics[0].partitions[1].base_offset == 7);
  CHECK_FALSE(topics[0].partitions[1].clean);
  const auto cursors = catalog.cursors(orders.uuid);
  REQUIRE(cursors.size() == 1);
  CHECK(cursors[0].name == "billing");
  CHECK(cursors[0].partition == 1);
  CHECK(cursors[0].offset == 42);
  CHECK(cursors[0].protects);
}

TEST_CASE("catalog: one is begun only where that is allowed, else all files stay as they are",
          "[daemon]") {
  const test::TemporaryDirectory directory;
  const std::filesystem::path file = directory / "catalog.db";
  const std::filesystem::path journal = directory / "catalog.db-wal";
  const auto open = [&] { Catalog(file, [] { throw std::runtime_error("not here"); }); };
  std::ofstream(journal) << "what only the journal has";
  SECTION("there is none") {
    CHECK_THROWS_WITH(open(), "not here");
    CHECK_FALSE(exists(file));
  }
  SECTION("it is empty") {
    const std::ofstream made(file);
    CHECK_THROWS_WITH(open(), "not here");
    CHECK(file_size(file) == 0);
  }
  CHECK(bytes_of(journal) == "what only the journal has");
}

TEST_CASE("catalog: what is in use is not given again by an older copy", "[daemon]") {
  const test::TemporaryDirectory directory;
  Catalog catalog(directory / "catalog.db");
  catalog.reserve_up_to(Identity::handle, 0);
  CHECK(catalog.reserve(Identity::handle, 10) == 1);
  catalog.reserve_up_to(Identity::handle, 10);
  CHECK(catalog.reserve(Identity::handle, 10) == 11);
  catalog.reserve_up_to(Identity::handle, 500);
  CHECK(catalog.reserve(Identity::handle, 10) == 501);
  CHECK(catalog.reserve(Identity::session, 1) == 1);
}

TEST_CASE("catalog: one that lost its journal before anything else was in it counts as none",
          "[daemon]") {
  const test::TemporaryDirectory directory;
  const std::filesystem::path file = directory / "catalog.db", copy = directory / "copy.db";
  Catalog catalog(file, [] {});
  catalog.add_topic(topic_named("orders"));
  copy_file(file, copy);  // without its journal, as who knows nothing of it does
  REQUIRE(file_size(copy) > 0);
  const std::string before = bytes_of(copy);
  CHECK_THROWS_WITH(Catalog(copy, [] { throw std::runtime_error("not here"); }), "not here");
  CHECK(bytes_of(copy) == before);
  CHECK_NOTHROW(Catalog(copy));
  CHECK_NOTHROW(Catalog(copy, [] { throw std::runtime_error("there is one"); }));
}

TEST_CASE("catalog: one whose files a loss of power could take is refused", "[daemon]") {
  const test::TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) {
    bool refused = false;
    test::refuse_calls({{SYS_fsync, 1, EIO, true}});  // SQLite makes do with fdatasync
    try {
      const Catalog catalog(directory / "catalog.db");
    } catch (const Error& error) {
      refused = error.rule() == "cannot be synced: Input/output error";
    }
    ::_exit(refused ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  CHECK_NOTHROW(Catalog(directory / "catalog.db"));
}

TEST_CASE("catalog: offsets use all 64 bits", "[daemon]") {
  const test::TemporaryDirectory directory;
  Catalog catalog(directory / "catalog.db");
  TopicRow topic = topic_named("t");
  topic.partitions[0].base_offset = ~std::uint64_t{0};
  catalog.add_topic(topic);
  CHECK(catalog.topics().at(0).partitions[0].base_offset == ~std::uint64_t{0});
}

TEST_CASE("catalog: a second topic of the same name is refused and leaves nothing", "[daemon]") {
  const test::TemporaryDirectory directory;
  Catalog catalog(directory / "catalog.db");
  catalog.add_topic(topic_named("orders"));
  CHECK_THROWS_AS(catalog.add_topic(topic_named("orders")), Error);
  CHECK(catalog.topics().size() == 1);
  catalog.add_topic(topic_named("other"));
  CHECK(catalog.topics().size() == 2);
}

TEST_CASE("catalog: a deleted topic takes its cursors with it", "[daemon]") {
  const test::TemporaryDirectory directory;
  Catalog catalog(directory / "catalog.db");
  const TopicRow topic = topic_named("orders");
  catalog.add_topic(topic);
  catalog.save_cursors(std::vector<CursorRow>{{topic.uuid, "c", 0, 1, false}});
  catalog.remove_topic(topic.uuid);
  CHECK(catalog.topics().empty());
  CHECK(catalog.cursors(topic.uuid).empty());
}

TEST_CASE("catalog: a new ring takes the marks of the orderly stop away", "[daemon]") {
  const test::TemporaryDirectory directory;
  Catalog catalog(directory / "catalog.db");
  TopicRow topic = topic_named("orders");
  catalog.add_topic(topic);
  topic.partitions[0].clean = true;
  topic.partitions[0].clean_offset = 99;
  catalog.mark_clean(std::vector<TopicRow>{topic});
  CHECK(catalog.topics().at(0).partitions[0].clean);
  CHECK(catalog.topics().at(0).partitions[0].clean_offset == 99);
  topic.generation = 2;
  topic.partitions[0] = {.base_offset = 99};
  catalog.begin_ring(topic);
  CHECK(catalog.topics().at(0).generation == 2);
  CHECK_FALSE(catalog.topics().at(0).partitions[0].clean);
}

TEST_CASE("catalog: identities are never given twice, also across a crash", "[daemon]") {
  const test::TemporaryDirectory directory;
  const std::string file = directory / "catalog.db";
  std::uint64_t last = 0;
  std::uint64_t epoch = 0;
  {
    Catalog catalog(file);
    epoch = catalog.begin_epoch();
    IdentitySource handles(catalog, Identity::handle);
    for (int i = 0; i < 1000; ++i) {
      const std::uint64_t next = handles.next();
      CHECK(next > last);
      last = next;
    }
  }
  Catalog catalog(file);
  CHECK(catalog.begin_epoch() == epoch + 1);
  CHECK(IdentitySource(catalog, Identity::handle).next() > last);
}

TEST_CASE("catalog: a damaged file is refused and left as it was", "[daemon]") {
  const test::TemporaryDirectory directory;
  const std::string file = directory / "catalog.db";
  std::ofstream(file) << std::string(8192, 'x');
  const std::string before = bytes_of(file);
  try {
    Catalog catalog(file);
    FAIL("was accepted");
  } catch (const Error& error) {
    CHECK(error.thing() == file);
    CHECK(error.rule().find("damaged") != std::string::npos);
  }
  CHECK(bytes_of(file) == before);
}

TEST_CASE("catalog: one of a newer version is refused and left as it was", "[daemon]") {
  const test::TemporaryDirectory directory;
  const std::string file = directory / "catalog.db";
  {
    Catalog catalog(file);
  }
  {
    sqlite::Database database(file);
    database.execute("PRAGMA user_version = 2");
  }
  try {
    Catalog catalog(file);
    FAIL("was accepted");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::incompatible);
    CHECK(error.rule().find("version 2") != std::string::npos);
  }
}

}  // namespace daemon_catalog_test
