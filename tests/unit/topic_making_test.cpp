// While the memory of a topic, or of its next ring, is being made: what is found, refused, counted,
// and what is left when nobody wants it any more.

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <exception>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <semaphore>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "control/topic_settings.hpp"
#include "daemon/memory_maker.hpp"
#include "daemon/requests.hpp"
#include "shm/memory_budget.hpp"
#include "unit/registry_bench.hpp"

namespace topic_making_test {

using namespace ringway;
using namespace ringway::daemon;

namespace {

const TopicSettings kSmall{.ring_bytes = 64 * 1024};

struct Scene {
  /// Its control thread does nothing before it is made to.
  void ask_for(const std::string& name, const TopicSettings& settings = kSmall) {
    life.registry().create(name, settings, {.uid = ::geteuid()},
                           [this](const std::shared_ptr<Topic>&, std::exception_ptr why) {
                             answered.push_back(why ? "refused" : "created");
                           });
  }
  void ask_for_another_ring(const std::shared_ptr<Topic>& topic) {
    TopicSettings larger = topic->settings;
    larger.ring_bytes *= 2;
    life.registry().alter(topic, larger, [this](const std::optional<Error>& why) { told = why; });
  }
  void run_what_is_there() {
    life.await_work();
    while (life.run_one()) {
    }
  }

  test::RegistryHost host;
  test::RegistryLife life{host};
  std::vector<std::string> answered;
  std::optional<Error> told;
};

/// Whether this process has that memory file open.
bool is_open(const std::string& name) {
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const auto file = std::filesystem::read_symlink(entry.path(), gone);
    if (file.string().find(name) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE(
    "making: until a topic's memory is made nobody finds it, and its name and memory are taken",
    "[registry]") {
  Scene scene;
  TopicRegistry& registry = scene.life.registry();
  scene.host.config.topics_max = 1;
  scene.ask_for("t");
  CHECK_THROWS_WITH(registry.get("t"), Catch::Contains("does not exist"));
  CHECK_THROWS_WITH(scene.ask_for("t"), Catch::Contains("'t': is being made at this moment"));
  CHECK_THROWS_WITH(scene.ask_for("u"), Catch::Contains("limits.topics"));
  CHECK(registry.memory_used() ==
        TopicMemory::bytes(kSmall, scene.host.config.handles_per_topic_max));
  CHECK_FALSE(registry.await_creation("u", [] {}));
  CHECK(registry.await_creation("t", [&] { scene.answered.emplace_back("who waited"); }));
  scene.life.run_until([&] { return scene.answered.size() == 2; });
  CHECK(scene.answered == std::vector<std::string>{"created", "who waited"});
  CHECK(registry.get("t")->served->memory().bytes() == registry.memory_used());
  CHECK_FALSE(registry.await_creation("t", [] {}));
}

TEST_CASE("making: who waits for a topic that is refused is called, and may ask for it himself",
          "[registry]") {
  Scene scene;
  scene.host.files.faults.fail(test::Call::make_directories, 1, EIO);
  scene.ask_for("t");
  CHECK(scene.life.registry().await_creation("t", [&] { scene.ask_for("t"); }));
  scene.life.run_until([&] { return scene.answered.size() == 2; });
  CHECK(scene.answered == std::vector<std::string>{"refused", "created"});
}

TEST_CASE(
    "making: a stop gives up what waits for its memory, made or not, and leaves nothing of it",
    "[registry]") {
  const bool made = GENERATE(false, true);
  CAPTURE(made);
  Scene scene;
  const auto topic = scene.life.create("t", kSmall);
  const std::set<std::string> kept = scene.host.kept();
  SECTION("a topic") {
    TopicSettings settings = kSmall;
    if (!made) settings.ring_bytes = 256 * 1024 * 1024;
    scene.ask_for("never", settings);
    if (made) scene.life.await_work();
    scene.life.registry().announce_stop();
    while (scene.life.run_one()) {
    }
    CHECK(scene.answered.empty());
    CHECK(scene.life.catalog().topics().size() == 1);
  }
  SECTION("another ring") {
    scene.ask_for_another_ring(topic);
    if (made) scene.life.await_work();
    scene.life.registry().announce_stop();
    while (scene.life.run_one()) {
    }
    REQUIRE(scene.told);
    CHECK_THAT(scene.told->what(), Catch::Contains("the bus is stopping"));
    CHECK(topic->served->generation() == 1);
    CHECK_FALSE(topic->replacement);
  }
  CHECK(scene.host.kept() == kept);
}

TEST_CASE("making: what is ordered when it stops holds nothing back", "[registry]") {
  auto maker = std::make_shared<MemoryMaker>();
  const std::weak_ptr<MemoryMaker> is_there = maker;
  // Its thread comes to the order only once it is to stop: then it takes nothing to free any more.
  maker->answer([asked = maker.get()] {
    for (bool stopping = false; !stopping;) {
      const auto last = std::make_shared<int>();
      asked->let_go(last);
      stopping = last.use_count() == 1;
    }
  });
  maker->make({.name = "t"}, kSmall, 1, [maker](MemoryMaker::Outcome) {});
  maker->stop();
  maker.reset();
  CHECK(is_there.expired());
}

TEST_CASE("making: a topic is deleted while its next ring's memory is made: both rings go",
          "[registry]") {
  Scene scene;
  const auto topic = scene.life.create("t", kSmall);
  scene.ask_for_another_ring(topic);
  bool gone = false;
  scene.life.registry().remove(topic, [] {}, [&] { gone = true; });
  scene.life.run_until([&] { return gone && scene.told; });
  CHECK_THAT(scene.told->what(), Catch::Contains("is being deleted"));
  scene.life.run_until([&] { return scene.life.registry().memory_used() == 0; });
  CHECK(scene.host.kept().empty());
}

TEST_CASE("making: neither control thread nor flusher waits until a topic's memory is free",
          "[registry]") {
  Scene scene;
  auto topic = scene.life.create("t", kSmall);
  std::promise<std::thread::id> freed_by, flusher;
  scene.life.parts().flusher.share(topic->served,
                                   [&] { flusher.set_value(std::this_thread::get_id()); });
  const auto end = [&](const int*) { freed_by.set_value(std::this_thread::get_id()); };
  static const int kAnything = 0;
  topic->served->adopted_handles.push_back(
      {.keep_alive = std::shared_ptr<const int>(&kAnything, end)});
  bool gone = false;
  scene.life.registry().remove(topic, [] {}, [&] { gone = true; });
  scene.life.run_until([&] { return gone; });
  topic = nullptr;
  const std::thread::id by = freed_by.get_future().get();
  CHECK(by != std::this_thread::get_id());
  CHECK(by != flusher.get_future().get());
}

TEST_CASE("making: nor until that of a ring is free that nobody wants any more", "[registry]") {
  Scene scene;
  std::promise<void> frees, go_on;
  const auto end = [&](const int*) {
    frees.set_value();
    go_on.get_future().wait();
  };
  static const int kAnything = 0;
  auto busy = scene.life.create("busy", kSmall);
  auto last = busy->served;
  last->adopted_handles.push_back({.keep_alive = std::shared_ptr<const int>(&kAnything, end)});
  bool gone = false;
  scene.life.registry().remove(busy, [] {}, [&] { gone = true; });
  scene.life.run_until([&] { return gone; });
  busy = nullptr;
  const auto topic = scene.life.create("t", kSmall);
  scene.ask_for_another_ring(topic);
  scene.life.await_work();  // its memory is made
  scene.life.registry().remove(topic, [] {}, [] {});
  last = nullptr;
  frees.get_future().wait();  // by whoever frees memory, who has enough to do by now
  REQUIRE(scene.life.run_one());
  REQUIRE(scene.told);
  const std::string ring = memory_name(topic->row.uuid, 2, shm::MemoryKind::ring);
  CHECK(is_open(ring));
  go_on.set_value();
  scene.life.run_until([&] { return !is_open(ring); });
}

TEST_CASE(
    "making: retention that is altered meanwhile leaves alone what else the next ring was asked "
    "for with",
    "[registry]") {
  test::RegistryHost host;
  boost::asio::io_context io;
  test::RegistryLife life(host);
  Doorbells doorbells;
  Handles handles(life.parts());
  SessionTable sessions(io, life.parts(), handles, doorbells);
  ProducerAdmission admission(io, life.parts(), sessions);
  Requests requests(life.parts(), life.registry(), sessions, handles, admission, {});
  const auto session = std::make_shared<Session>(io, 1);
  session->credentials.uid = ::geteuid();
  int done = 0;
  const auto alter = [&](const TopicChoices& choices) {
    requests.dispatch(session, control::AlterTopic{.name = "t", .settings = choices},
                      {.reply = [&](const auto&, const auto&) { ++done; },
                       .refuse = [](const Error& why) { FAIL(why.what()); },
                       .wanted = [] { return true; }});
  };
  const auto topic = life.create("t", kSmall);
  alter({.ring_bytes = 2 * kSmall.ring_bytes, .retention_bytes = 1024 * 1024});
  alter({.retention_age_ms = 60'000});
  CHECK(done == 1);
  CHECK(topic->settings.retention_bytes == 0);
  CHECK(topic->settings.retention_age_ms == 60'000);
  life.run_until([&] { return done == 2; });
  CHECK(topic->settings.ring_bytes == 2 * kSmall.ring_bytes);
  CHECK(topic->settings.retention_bytes == 1024 * 1024);
  CHECK(topic->settings.retention_age_ms == 60'000);
  CHECK(life.catalog().topics().at(0).settings == control::to_json(topic->settings).dump());
}

TEST_CASE("making: a maker that was stopped stands in nobody's way", "[daemon]") {
  MemoryMaker maker;
  int answers = 0;
  maker.answer([&] { ++answers; });
  maker.stop();  // whether or not it came round before
  maker.answer([&] { ++answers; });
  CHECK(answers == 2);
}

TEST_CASE("making: a small topic does not wait for a large one", "[daemon]") {
  MemoryMaker maker;
  const std::uint64_t large = 512 * 1024 * 1024;
  std::counting_semaphore<2> done(0);
  bool large_is_made = false, large_was_made = true;
  maker.make({.uuid = {1}, .name = "large"}, {.ring_bytes = large}, 8, [&](const auto& outcome) {
    large_is_made = std::holds_alternative<TopicMemoryInMaking>(outcome);
    done.release();
  });
  maker.make({.uuid = {2}, .name = "small"}, kSmall, 8, [&](const auto& outcome) {
    REQUIRE(std::holds_alternative<TopicMemoryInMaking>(outcome));
    large_was_made = large_is_made;
    done.release();
  });
  done.acquire();
  CHECK_FALSE(large_was_made);
  done.acquire();
  CHECK(large_is_made);
}

TEST_CASE("making: memory that is promised to one is not promised to another", "[daemon]") {
  const std::uint64_t available = shm::memory_budget().available_bytes;
  MemoryMaker maker;
  std::counting_semaphore<1> refused(0);
  std::optional<Error> why;
  // Of the first not much is there when the second is asked for.
  const TopicSettings most{.ring_bytes = available / 5 * 3 / 4096 * 4096};
  maker.make({.uuid = {1}, .name = "first"}, most, 8, [](const auto&) {});
  maker.make({.uuid = {2}, .name = "second"}, most, 8, [&](const auto& outcome) {
    if (const auto* error = std::get_if<Error>(&outcome)) why = *error;
    refused.release();
  });
  refused.acquire();
  maker.stop();
  REQUIRE(why);
  CHECK(why->code() == ErrorCode::limit);
  CHECK_THAT(why->what(), Catch::Contains("shared memory cannot be reserved"));
}

}  // namespace topic_making_test
