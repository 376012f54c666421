#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "control/topic_settings.hpp"
#include "daemon/handles.hpp"
#include "daemon/session.hpp"
#include "layout/board.hpp"
#include "unit/registry_bench.hpp"

namespace topic_replacement_test {

using namespace ringway;
using namespace ringway::daemon;
using test::RegistryHost;
using test::RegistryLife;

namespace {

/// A supervisor ends the topics' rings, because producers stand still in them, and dies before
/// others are there.
void die_behind_the_end(RegistryHost& host, const std::vector<std::string>& names) {
  RegistryLife life(host);
  for (const std::string& name : names) {
    const auto topic = life.registry().get(name);
    life.claim(*topic, 0);
    life.registry().replace_ring(topic, topic->settings, ReplacedBecause::stopped_claim, {});
  }
  life.await_work(names.size());  // their memory is made
  for (std::size_t i = 0; i < names.size(); ++i) life.run_one();
  for (const std::string& name : names) {
    while (life.registry().get(name)->served->view(0).retired().load() !=
           static_cast<std::uint32_t>(layout::Retired::decided)) {
      std::this_thread::yield();
    }
  }
}

}  // namespace

TEST_CASE("replacement: a topic that finds no memory for its next ring keeps no other from its own",
          "[daemon]") {
  constexpr std::uint64_t kSmall = 64 * 1024, kLarge = 32 * kSmall;
  RegistryHost host;
  std::uint64_t used = 0;
  {
    RegistryLife life(host);
    const auto create = [&](const std::string& name, std::uint64_t ring_bytes) {
      life.create(name, {.ring_bytes = ring_bytes,
                         .persist = false,
                         .when_stopped = WhenStopped::fence,
                         .stopped_after_ms = 10});
    };
    create("a large one", kLarge);
    create("another large one", kLarge);
    create("small", kSmall);
    used = life.registry().memory_used();
  }
  die_behind_the_end(host, {"a large one", "another large one", "small"});
  const auto generation = [](RegistryLife& life, const std::string& name) {
    return life.registry().get(name)->served->generation();
  };
  host.memory_limit = used + kLarge;  // what is beside the ring does not fit
  {
    RegistryLife life(host);
    life.run_until([&] { return generation(life, "small") == 2; });
    const auto refused = life.registry().resume_replacements();
    REQUIRE(refused.size() == 2);
    CHECK(refused[0].what == control::TroubleKind::ring_replacement_waits);
    CHECK(refused[0].topic == "a large one");
    CHECK_THAT(refused[0].text, Catch::Contains("topic 'a large one': needs "));
    CHECK_THAT(refused[1].text, Catch::Contains("topic 'another large one': needs "));
    CHECK(generation(life, "a large one") == 1);
  }
  host.memory_limit = 2 * used;
  RegistryLife life(host);
  life.run_until([&] {
    return generation(life, "a large one") == 2 && generation(life, "another large one") == 2;
  });
  CHECK(generation(life, "small") == 2);
}

TEST_CASE("replacement: who is closed right before it blocks nobody in the next ring", "[daemon]") {
  RegistryHost host;
  boost::asio::io_context io;  // outlives the flusher, which may have the session
  RegistryLife life(host);
  const auto topic = life.create("t", {.ring_bytes = 64 * 1024, .persist = false});
  Handles handles(life.parts());
  const auto session = std::make_shared<Session>(io, 1);
  session->process = shm::own_identity();
  session->doorbell = shm::Descriptor(::eventfd(0, EFD_CLOEXEC));
  std::uint64_t stays = 0, closed = 0;
  for (std::uint64_t* const handle : {&stays, &closed}) {
    handles.open(session, topic, {.topic = "t"},
                 [&](const OpenedHandle& opened) { *handle = opened.reply.handle; });
    life.run_until([&] { return *handle != 0; });
  }
  TopicSettings larger = topic->settings;
  larger.ring_bytes *= 2;
  life.registry().alter(topic, larger, {});
  life.await_work();
  REQUIRE(life.run_one());  // its memory is made
  life.await_work();
  REQUIRE(life.run_one());  // the ring has ended
  life.await_work();        // the flusher has let go of it
  bool released = false;
  handles.release(session, closed, [](std::uint32_t) {});
  // Who asks once more is answered no sooner.
  handles.release(session, closed, [&](std::uint32_t) { released = true; });
  CHECK_FALSE(released);
  life.run_until([&] { return released; });
  CHECK_FALSE(session->handles.contains(closed));
  REQUIRE(topic->served->generation() == 2);
  REQUIRE(topic->served->adopted_handles.size() == 1);
  CHECK(topic->served->adopted_handles[0].handle == stays);
  handles.release(session, stays, [&](std::uint32_t) { released = false; });
  life.run_until([&] { return !released; });
}

TEST_CASE("replacement: an orderly stop waits for those that are under way, and none begins",
          "[daemon]") {
  RegistryHost host;
  RegistryLife life(host);
  const auto create = [&](const std::string& name) {
    return life.create(name, {.ring_bytes = 64 * 1024, .persist = false});
  };
  const auto early = create("early"), late = create("late");
  CHECK_FALSE(life.registry().replacing());
  life.registry().alter(early, early->settings, {});
  life.await_work();
  REQUIRE(life.run_one());  // its memory is made
  life.registry().announce_stop();
  CHECK(life.registry().replacing());
  CHECK_THROWS_WITH(life.registry().alter(late, late->settings, {}),
                    Catch::Contains("'late'") && Catch::Contains("stopping"));
  life.run_until([&] { return !life.registry().replacing(); });
  CHECK(early->served->generation() == 2);
  CHECK(early->served->memory().board().state.load() ==
        static_cast<std::uint32_t>(layout::TopicState::stopping));
  CHECK(late->served->generation() == 1);
}

}  // namespace topic_replacement_test
