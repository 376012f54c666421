// What is told, and what is kept, of topics whose device refuses. What may be refused everywhere
// else is swept in topic_sweep_test.cpp.

#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include "unit/registry_bench.hpp"

namespace topic_refusal_test {

using namespace ringway;
using namespace ringway::daemon;
using test::Call;

namespace {

constexpr std::uint64_t kRing = 64 * 1024;

struct Scene {
  std::shared_ptr<Topic> create() {
    return life.create("t", {.partitions = 2, .ring_bytes = kRing});
  }
  std::optional<Error> refusal_of_creation() {
    try {
      create();
      return std::nullopt;
    } catch (const Error& told) {
      return told;
    }
  }
  /// As far as the device lets it come.
  void remove(const std::shared_ptr<Topic>& topic) {
    bool tried = false;
    life.registry().remove(topic, [&] { tried = true; }, [&] { gone = true; });
    life.run_until([&] { return tried; });
  }
  std::string what_waits() {
    const auto waiting = life.registry().waiting();
    REQUIRE(waiting.size() == 1);
    return waiting.front().text;
  }
  std::size_t rows() { return life.catalog().topics().size(); }
  void fail(Call call, int nth, bool lasting = false) {
    host.files.faults.fail(call, nth, EIO, lasting);
  }
  void heal() {
    host.files.faults.heal();
    life.registry().finish_removals();
    life.registry().finish_replacements();
    CHECK(life.registry().waiting().empty());
  }

  test::RegistryHost host;
  test::RegistryLife life{host};
  bool gone = false;
};

}  // namespace

TEST_CASE("topics: who asks for one whose deletion waits is not told to use it as it is",
          "[registry]") {
  Scene scene;
  const auto topic = scene.create();
  scene.fail(Call::rename, 1, true);
  scene.remove(topic);
  const std::optional<Error> told = scene.refusal_of_creation();
  REQUIRE(told);
  CHECK(told->code() == ErrorCode::busy);
  CHECK_THAT(told->what(), Catch::Contains("topic 't'") && Catch::Contains("is being deleted"));
  CHECK_THAT(told->fix(), !Catch::Contains("as it is") && Catch::Contains("when it is gone"));
}

TEST_CASE("topics: a creation refused by the device names its topic, whatever was refused",
          "[registry]") {
  const auto call =
      GENERATE(Call::make_directories, Call::sync_directory, Call::list, Call::open, Call::read);
  CAPTURE(static_cast<int>(call));
  Scene scene;
  scene.fail(call, 1, true);
  const std::optional<Error> told = scene.refusal_of_creation();
  // A new log is not looked into: there is nothing to be read.
  CHECK(told.has_value() == (call == Call::make_directories || call == Call::sync_directory));
  if (told) {
    CHECK_THAT(told->what(), Catch::Contains("topic 't'") &&
                                 Catch::Contains(std::generic_category().message(EIO)));
  }
}

TEST_CASE("topics: who is told what the device refused is told what to do about it", "[registry]") {
  Scene scene;
  SECTION("of a creation") {
    scene.fail(Call::make_directories, 1);
    const std::optional<Error> told = scene.refusal_of_creation();
    REQUIRE(told);
    CHECK_THAT(told->fix(), Catch::Contains("--no-persist"));
  }
  SECTION("of a deletion") {
    const auto topic = scene.create();
    scene.fail(Call::rename, 1, true);
    scene.remove(topic);
    CHECK_THAT(scene.what_waits(), Catch::Contains("mend that"));
  }
  SECTION("of another ring") {
    const auto topic = scene.create();
    TopicSettings larger = topic->settings;
    larger.ring_bytes = 2 * kRing;
    scene.fail(Call::list, 1, true);
    scene.life.registry().alter(topic, larger, [](const std::optional<Error>&) {});
    scene.life.run_until([&] { return !scene.life.registry().waiting().empty(); });
    CHECK_THAT(scene.what_waits(), Catch::Contains("mend that"));
  }
  scene.heal();
}

TEST_CASE("topics: a row goes when the loss of power cannot give its files their name back",
          "[registry]") {
  Scene scene;
  SECTION("those of a topic that is deleted") {
    const auto topic = scene.create();
    scene.fail(Call::sync_directory, 1, true);  // the other name is not durable
    scene.remove(topic);
    CHECK_FALSE(scene.gone);
  }
  SECTION("those of a creation that was refused") {
    // Of the calls that it and taking it back make, the last.
    const int last = [] {
      Scene undisturbed;
      undisturbed.fail(Call::make_directories, 2);  // that of the second partition
      REQUIRE(undisturbed.refusal_of_creation());
      CHECK(undisturbed.rows() == 0);
      return undisturbed.host.files.faults.calls(Call::sync_directory);
    }();
    scene.fail(Call::make_directories, 2);
    scene.fail(Call::sync_directory, last, true);
    REQUIRE(scene.refusal_of_creation());
  }
  CHECK(scene.rows() == 1);
  CHECK_THAT(scene.what_waits(), Catch::Contains("stays in the catalog"));
  CHECK_FALSE(std::filesystem::is_empty(scene.host.topics()));
  scene.heal();
  CHECK(scene.rows() == 0);
  CHECK(std::filesystem::is_empty(scene.host.topics()));
}

}  // namespace topic_refusal_test
