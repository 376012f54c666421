// While a ring of some GiB is made the others notice nothing of it (G6), and whoever leaves in the
// middle of it leaves nothing behind.

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "process/raw_client.hpp"
#include "ringway/ringway.hpp"
#include "shm/memory_budget.hpp"
#include "support/daemon_process.hpp"
#include "support/records.hpp"
#include "support/skip.hpp"

using namespace ringway;
using ringway::test::Child;
using ringway::test::DaemonProcess;
using ringway::test::publish;
using ringway::test::RawClient;
using ringway::test::take;

namespace {

constexpr std::uint64_t kLargeBytes = std::uint64_t{2} << 30;
constexpr TopicChoices kLarge{.partitions = 1, .ring_bytes = kLargeBytes};
constexpr TopicChoices kModest{.partitions = 1, .ring_bytes = 64 * 1024};

bool memory_is_short() {
  return shm::memory_budget().available_bytes < 2 * kLargeBytes;
}
constexpr auto kShort = "needs 4 GiB of memory that nobody else wants";

struct Scene {
  Scene() { bus.create_topic("t", kModest); }

  /// Until the memory of what a child asks for counts, which is before it is there.
  void await_making() const {
    RawClient client(daemon.socket());
    while (client.call(control::GetStatus{}).report["memory"]["used"] < kLargeBytes) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  bool has_large() {
    const auto topics = bus.topics();
    return std::ranges::any_of(topics, [](const auto& topic) { return topic.name == "large"; }) ||
           bus.settings("t").ring_bytes == kLargeBytes;
  }

  DaemonProcess daemon{RINGWAYD, "[limits]\nmemory = \"8GiB\"\n"};
  Bus bus = daemon.connect();
};

}  // namespace

TEST_CASE("making: before a large ring is there clients are answered, a dead one is repaired",
          "[making]") {
  if (memory_is_short()) SKIP_TEST(kShort);
  const bool another_ring = GENERATE(false, true);
  CAPTURE(another_ring);
  Scene scene;
  scene.bus.create_topic("other", kModest);
  Consumer consumer = scene.bus.consumer("other", {.from = start()});
  Producer producer = scene.bus.producer("other");
  Child victim([&](Child& self) {
    Bus own = scene.daemon.connect();
    Producer dying = own.producer("other");
    const Claim claim = dying.claim(100);
    self.reached();
    self.stay();
  });
  REQUIRE(victim.await());
  publish(producer, "behind");
  Child asker([&](Child&) {
    Bus own = scene.daemon.connect();
    another_ring ? own.alter_topic("t", {.ring_bytes = kLargeBytes})
                 : own.create_topic("large", kLarge);
  });
  scene.await_making();
  CHECK_FALSE(scene.has_large());
  victim.kill();
  CHECK(take(consumer, 1)[0] == "behind");
  CHECK_FALSE(scene.has_large());
  CHECK(asker.join() == 0);
  CHECK(scene.has_large());
}

TEST_CASE("making: who asked for a large topic dies: it is made, and who names it meanwhile waits",
          "[making]") {
  if (memory_is_short()) SKIP_TEST(kShort);
  Scene scene;
  Child asker([&](Child&) { scene.daemon.connect().create_topic("large", kLarge); });
  scene.await_making();
  asker.kill();
  CHECK_FALSE(scene.has_large());
  SECTION("and is told that it exists") {
    RawClient second(scene.daemon.socket());
    const Error told = second.refusal(control::CreateTopic{.name = "large", .settings = kLarge});
    CHECK(told.code() == ErrorCode::exists);
    CHECK_THAT(told.what(), Catch::Contains("topic 'large': exists already"));
    Producer producer = scene.bus.producer("large");
    publish(producer, "used");
  }
  SECTION("and deletes it") {
    scene.bus.delete_topic("large");
    CHECK_FALSE(scene.has_large());
    RawClient client(scene.daemon.socket());
    CHECK(client.call(control::GetStatus{}).report["memory"]["used"] < kLargeBytes);
  }
}

TEST_CASE("making: the supervisor ends while a large ring is made: the next knows nothing of it",
          "[making]") {
  if (memory_is_short()) SKIP_TEST(kShort);
  const bool another_ring = GENERATE(false, true);
  const bool orderly = GENERATE(false, true);
  CAPTURE(another_ring, orderly);
  Scene scene;
  Producer producer = scene.bus.producer("t");
  publish(producer, "before");
  Child asker([&](Child&) {
    Bus own = scene.daemon.connect();
    another_ring ? own.alter_topic("t", {.ring_bytes = kLargeBytes})
                 : own.create_topic("large", kLarge);
  });
  scene.await_making();
  CHECK_FALSE(scene.has_large());
  asker.kill();  // it would ask again
  if (orderly) {
    CHECK(scene.daemon.stop() == 0);
  } else {
    scene.daemon.kill();
  }
  scene.daemon.start();
  CHECK_FALSE(scene.has_large());
  publish(producer, "behind");
  Consumer consumer = scene.bus.consumer("t", {.from = start()});
  CHECK(take(consumer, 2) == std::vector<std::string>{"before", "behind"});
  RawClient client(scene.daemon.socket());
  CHECK(client.call(control::GetStatus{}).report["memory"]["used"] < kLargeBytes);
}
