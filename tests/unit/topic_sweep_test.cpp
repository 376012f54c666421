// ENOSPC and EIO at each file call of the topics in turn: of creation, deletion, other rings and
// starts, the k-th of each kind, once and until it is healed, for k = 1, 2, ... until the life
// swept over makes no k-th one any more.

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "daemon/retention.hpp"
#include "support/failing_vfs.hpp"
#include "unit/registry_bench.hpp"
#include "unit/topic_story.hpp"

namespace topic_sweep_test {

using namespace ringway;
using namespace ringway::daemon;
using test::Call;
using test::kRing;
using test::RegistryHost;
using test::RegistryLife;
using test::Story;
using test::Then;
using test::with_log;

namespace {

bool all_wanted() {
  return std::getenv("RINGWAY_TEST_LONG") != nullptr;
}

/// Which k are tried: the first, then each `step`th; with RINGWAY_TEST_LONG all.
int next(int k, int step) {
  static const bool all = all_wanted();
  return all || k < 3 ? k + 1 : k + step;
}

struct Refusal {
  int error;
  bool lasting;
  Then then;
};

/// Two unlike ones; with RINGWAY_TEST_LONG all there are.
std::vector<Refusal> refusals() {
  if (!all_wanted()) return {{EIO, false, Then::die}, {ENOSPC, true, Then::tick}};
  std::vector<Refusal> all;
  for (const int error : {EIO, ENOSPC}) {
    for (const bool lasting : {false, true}) {
      for (const Then then : {Then::die, Then::tick}) all.push_back({error, lasting, then});
    }
  }
  return all;
}

}  // namespace

TEST_CASE("sweep: any file call of the topics fails, and none is half there or lost", "[fault]") {
  // With how many a life makes at least that none of them fails. What partitions call is swept for
  // itself, too.
  const auto [call, least, step] = GENERATE(table<Call, int, int>({
      {Call::make_directories, 18, 1},
      {Call::sync_directory, 30, 1},
      {Call::rename, 25, 1},
      {Call::list, 12, 1},
      {Call::open, 65, 13},
      {Call::read, 210, 29},
      {Call::write, 20, 13},
      {Call::sync, 16, 13},
      {Call::reserve, 15, 13},
  }));
  const auto [error, lasting, then] = GENERATE(from_range(refusals()));
  // What lasts is met by whichever comes next: fewer places are enough.
  for (int k = 1;; k = next(k, lasting ? step + 2 : step)) {
    CAPTURE(static_cast<int>(call), k, error, lasting, static_cast<int>(then));
    Story story(call, k, error, lasting, then);
    story.tell();
    if (story.hit()) continue;
    CHECK(story.calls(call) >= least);
    break;
  }
}

TEST_CASE("sweep: a topic is deleted while its next ring waits for the disk: both rings go",
          "[fault]") {
  RegistryHost host;
  RegistryLife life(host);
  const auto topic = life.create("t", with_log(1));
  TopicSettings larger = topic->settings;
  larger.ring_bytes = 2 * kRing;
  host.files.faults.fail(Call::list, 1, EIO, true);
  std::optional<Error> told;
  life.registry().alter(topic, larger,
                        [&](const std::optional<Error>& refused) { told = refused; });
  life.run_until([&] { return topic->replacement && !topic->replacement->refused.empty(); });
  CHECK(host.kept().size() == 2 * std::size(kTopicMemory));
  bool gone = false;
  life.registry().remove(topic, [] {}, [&] { gone = true; });
  life.run_until([&] { return gone; });
  CHECK(host.kept().empty());
  REQUIRE(told);
  CHECK_THAT(told->what(), Catch::Contains("topic 't': it is being deleted"));
  life.replace_keeper();
}

TEST_CASE("sweep: while a topic's next ring waits for the disk no segment of it is said to go",
          "[fault]") {
  RegistryHost host;
  RegistryLife life(host);
  const auto topic = life.create("t", with_log(1));
  host.files.faults.fail(Call::list, 1, EIO, true);
  life.registry().alter(topic, topic->settings, {});
  life.run_until([&] { return topic->replacement && !topic->replacement->refused.empty(); });
  // Nobody has its log: who is told to remove them does not know it.
  topic->settings.retention_bytes = 1;
  log::SegmentInfo segment;
  segment.file_bytes = 4096;
  topic->served->segments(0).assign({segment, segment, segment});
  Retention retention(life.parts());
  retention.run(life.registry());
  CHECK_FALSE(host.says("segments_retired", "t"));
}

TEST_CASE("sweep: a creation is refused, and so is taking its row back: that is made up for",
          "[fault]") {
  const auto call = GENERATE(test::FailingVfs::Call::write, test::FailingVfs::Call::sync);
  test::FailingVfs vfs;
  RegistryHost host;
  RegistryLife life(host);
  const auto create = [&] { return life.create("t", with_log(2)); };
  int waited = 0;
  for (int k = 1;; ++k) {
    CAPTURE(static_cast<int>(call), k);
    host.files.faults.fail(Call::make_directories, 2, EIO);  // that of the second partition
    vfs.fail(call, k, EIO, true);
    CHECK_THROWS_AS(create(), Error);
    CHECK_THROWS_WITH(life.registry().get("t"), Catch::Contains("does not exist"));
    const bool waits = life.registry().all().contains("t");
    CHECK(life.catalog().topics().size() == (waits ? 1 : 0));
    if (waits) {
      ++waited;
      CHECK_THROWS_WITH(create(), Catch::Contains("'t': is being deleted"));
      life.registry().finish_removals();
      REQUIRE(life.registry().waiting().size() == 1);
      CHECK_THAT(life.registry().waiting().front().text,
                 Catch::Contains("topic 't' is deleted, but stays in the catalog"));
    }
    const bool hit = vfs.failures() > 0;
    vfs.heal();
    host.files.faults.heal();
    life.registry().finish_removals();
    CHECK(life.registry().all().empty());
    CHECK(life.catalog().topics().empty());
    CHECK(host.kept().empty());
    bool gone = false;
    life.registry().remove(create(), [] {}, [&] { gone = true; });
    life.run_until([&] { return gone; });
    CHECK(std::filesystem::is_empty(host.topics()));
    if (!hit) break;
  }
  CHECK(waited > 0);
}

TEST_CASE("sweep: deletions are refused: each is named, and logged when what it waits for changes",
          "[fault]") {
  RegistryHost host;
  RegistryLife life(host);
  int gone = 0;
  const auto waits_for = [&](int error) {
    host.files.faults.fail(Call::rename, 1, error, true);
    for (int tick = 0; tick < 3; ++tick) life.registry().finish_removals();
    const auto waiting = life.registry().waiting();
    REQUIRE(waiting.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(waiting[i].topic == (i == 0 ? "one" : "two"));
      CHECK_THAT(waiting[i].text, Catch::Contains("topic '" + waiting[i].topic + "'") &&
                                      Catch::Contains(std::generic_category().message(error)));
    }
  };
  host.files.faults.fail(Call::rename, 1, EIO, true);
  for (const char* name : {"one", "two"}) {
    bool tried = false;
    life.registry().remove(life.create(name, with_log(1)), [&] { tried = true; }, [&] { ++gone; });
    life.run_until([&] { return tried; });
  }
  const auto logged = [&](std::string_view name) {
    return host.count("topic_deletion_waits", name);
  };
  waits_for(EIO);
  CHECK((logged("one") == 1 && logged("two") == 1));
  waits_for(EACCES);
  CHECK((logged("one") == 2 && logged("two") == 2));
  CHECK(gone == 0);
  host.files.faults.heal();
  life.registry().finish_removals();
  CHECK(gone == 2);
  CHECK(life.registry().waiting().empty());
}

TEST_CASE("sweep: an orderly stop keeps no ring for a deletion that the disk refuses", "[fault]") {
  RegistryHost host;
  RegistryLife life(host);
  const auto topic = life.create("t", with_log(1));
  host.files.faults.fail(Call::rename, 1, EIO, true);
  bool tried = false;
  life.registry().remove(topic, [&] { tried = true; }, [] {});
  life.run_until([&] { return tried; });
  CHECK(life.registry().all().contains("t"));
  life.registry().announce_stop();
  CHECK(life.registry().mark_clean());
}

}  // namespace topic_sweep_test
