#include "daemon/without_topic.hpp"

#include <fcntl.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "daemon/topic_memory.hpp"
#include "daemon/topic_registry.hpp"
#include "ringway/error.hpp"
#include "support/temporary_directory.hpp"

namespace without_topic_test {

using namespace ringway;
using namespace ringway::daemon;
using layout::TopicState;

namespace {

namespace fs = std::filesystem;

enum class Board { begun, whole };

/// What a store has of a topic, and a catalog.
struct Scene {
  void keep(std::uint64_t generation, Board board = Board::whole,
            TopicState state = TopicState::serving) {
    TopicSettings settings;
    settings.ring_bytes = 64 * 1024;
    const auto memory = TopicMemory::create({uuid, "orders", generation}, settings, 4);
    memory.board().state.store(static_cast<std::uint32_t>(state));
    if (board == Board::whole) memory.publish();
    const int fds[] = {memory.ring_fd(), memory.board_fd(), memory.bell_fd()};
    for (std::size_t i = 0; i < std::size(fds); ++i) {
      const std::string name = memory_name(uuid, generation, kTopicMemory[i]);
      kept.emplace(name, KeptDescriptor{name, {}, shm::duplicate(fds[i])});
    }
  }
  void know(std::uint64_t generation) {
    TopicRow& row = rows.emplace_back();
    row.uuid = uuid;
    row.generation = generation;
  }
  std::vector<std::uint64_t> reported() {
    std::vector<std::uint64_t> generations;
    for (const RingWithoutTopic& ring : rings_without_topic(kept, rows)) {
      CHECK(ring.topic == "orders");
      CHECK(ring.uuid == uuid);
      generations.push_back(ring.generation);
    }
    return generations;
  }

  shm::Uuid uuid = shm::random_uuid();
  std::map<std::string, KeptDescriptor> kept;
  std::vector<TopicRow> rows;
};

using Generations = std::vector<std::uint64_t>;

void write(const fs::path& file) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << "a record";
}

/// What the refusal says, and how it is mended; nothing: it is none.
std::vector<std::string> refusal(const fs::path& topics, const Scene& scene, int holder) {
  try {
    demand_nothing_left("catalog.db", topics, scene.kept, holder);
  } catch (const Error& error) {
    CHECK(error.thing() == "catalog.db");
    return {error.rule(), error.fix()};
  }
  return {};
}

}  // namespace

TEST_CASE("without topic: a ring that clients had is reported when the catalog does not have it",
          "[daemon]") {
  Scene scene;
  scene.keep(3, Board::whole, GENERATE(TopicState::serving, TopicState::stopping));
  CHECK(scene.reported() == Generations{3});
  scene.know(3);
  CHECK(scene.reported().empty());
}

TEST_CASE("without topic: what a crash leaves of a creation or a deletion is not reported",
          "[daemon]") {
  Scene scene;
  SECTION("a board that was never whole") { scene.keep(1, Board::begun); }
  SECTION("one that says it is over") {
    scene.keep(1, Board::whole, GENERATE(TopicState::deleted, TopicState::replaced));
  }
  SECTION("a ring whose board did not come any more") {
    scene.keep(1);
    scene.kept.erase(memory_name(scene.uuid, 1, shm::MemoryKind::board));
  }
  CHECK(scene.reported().empty());
}

TEST_CASE("without topic: of a topic that is known, only a ring newer than the catalog is reported",
          "[daemon]") {
  Scene scene;
  scene.know(5);
  scene.keep(4);  // replaced, and not dropped yet
  CHECK(scene.reported().empty());
  scene.keep(6);
  CHECK(scene.reported() == Generations{6});
  scene.keep(5);  // which 6 was to follow
  CHECK(scene.reported().empty());
}

TEST_CASE("without topic: a kept descriptor that is no board is none, whatever its name says",
          "[daemon]") {
  Scene scene;
  scene.keep(1);
  auto& board = scene.kept.at(memory_name(scene.uuid, 1, shm::MemoryKind::board));
  board.descriptor = shm::Descriptor(::open("/dev/null", O_RDWR | O_CLOEXEC));
  CHECK(scene.reported().empty());
}

TEST_CASE("without topic: a directory with files is reported when the catalog does not have it",
          "[daemon]") {
  const test::TemporaryDirectory directory;
  const fs::path topics = directory.path();
  Scene scene;
  const fs::path log = topics / shm::to_string(scene.uuid);
  CHECK(logs_without_topic(topics / "not there", {}).empty());

  fs::create_directories(log / "0");  // as one that was being made
  write(log / "0/00000000000000000000.log.new");
  write(topics / (shm::to_string(shm::random_uuid()) + ".deleted/0/00000000000000000000.log"));
  write(topics / "aside/0/00000000000000000000.log");
  CHECK(logs_without_topic(topics, {}).empty());

  const std::string file = GENERATE("0/00000000000000000007.log",
                                    "12/00000000000000000000.log.damaged-0",
                                    "0/cut-20261130T092413Z/what-was-cut.txt");
  write(log / file);
  CHECK(logs_without_topic(topics, {}) == std::vector{log});
  scene.know(1);
  CHECK(logs_without_topic(topics, scene.rows).empty());
}

TEST_CASE("without topic: a catalog is begun only where there is nothing that it ought to know",
          "[daemon]") {
  const test::TemporaryDirectory topics;
  Scene scene;
  scene.keep(1, Board::begun);
  CHECK(refusal(topics.path(), scene, 7).empty());
  const auto has = [](const std::string& text) { return Catch::Contains(text); };

  const fs::path log = fs::path(topics.path()) / shm::to_string(scene.uuid);
  write(log / "0/00000000000000000000.log");
  auto said = refusal(topics.path(), scene, 7);
  REQUIRE(said.size() == 2);
  CHECK_THAT(said[0], has("the logs of 1 topic are left in " + topics.path()) && !has("rings"));
  CHECK_THAT(said[1], has("backup, with no catalog.db-wal and -shm beside it, or move " +
                          topics.path() + " aside to start without") &&
                          !has("end pid"));

  scene.kept.clear();
  scene.keep(1);
  said = refusal(topics.path(), scene, 7);
  REQUIRE(said.size() == 2);
  CHECK_THAT(said[0], has("and pid 7 holds the living rings of 1 topic ('orders')"));
  CHECK_THAT(said[1], has(" aside and end pid 7, which lets go of the rings to start without"));

  fs::remove_all(log);
  said = refusal(topics.path(), scene, 0);
  REQUIRE(said.size() == 2);
  CHECK_THAT(said[0], has("but the service manager holds") && !has("logs"));
  CHECK_THAT(said[1], has("or stop the service and its socket, which") && !has("aside"));
}

}  // namespace without_topic_test
