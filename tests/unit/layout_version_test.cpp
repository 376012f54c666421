#include <catch2/catch.hpp>

#include "daemon/layout_minor.hpp"
#include "daemon/topic_memory.hpp"
#include "layout/version.hpp"
#include "unit/client_fixture.hpp"

namespace layout_version_test {

using namespace ringway;
using layout::kLayoutVersion;

namespace {

const daemon::TopicIdentity kTopic{{1, 2}, "t", 1};

TopicSettings small() {
  TopicSettings settings;
  settings.ring_bytes = 64 * 1024;
  return settings;
}

daemon::TopicMemory made() {
  auto memory = daemon::TopicMemory::create(kTopic, small(), 8);
  memory.publish();
  return memory;
}

daemon::TopicMemory adopted(const daemon::TopicMemory& memory) {
  return daemon::TopicMemory::adopt(kTopic, small(), shm::duplicate(memory.ring_fd()),
                                    shm::duplicate(memory.board_fd()),
                                    shm::duplicate(memory.bell_fd()));
}

std::string refusal(const daemon::TopicMemory& memory) {
  try {
    adopted(memory);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::incompatible);
    return error.what();
  }
  return "was not refused";
}

std::string text(int major, int minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

}  // namespace

TEST_CASE("version: the first board had 1 in four bytes, which is 1.0", "[layout]") {
  const auto memory = made();
  std::uint32_t word = 0;
  std::memcpy(&word, reinterpret_cast<const std::byte*>(&memory.board()) + 8, sizeof word);
  CHECK(word == (std::uint32_t{daemon::kServedMinor} << 16 | kLayoutVersion.major));
  CHECK(offsetof(layout::BoardHeader, major) == 8);
  CHECK(offsetof(layout::BoardHeader, header_bytes) == 12);
}

TEST_CASE("version: a board of another minor version is adopted, and says then who serves it",
          "[layout]") {
  const auto memory = made();
  for (const int minor : {0, 1, 9}) {
    memory.board().minor.store(static_cast<std::uint16_t>(minor));
    memory.board().compatible_flags = 1;
    adopted(memory);
    CHECK(memory.board().minor.load() == daemon::kServedMinor);
  }
}

TEST_CASE("version: who does not know gaps of the log may not use a topic that leaves some",
          "[layout]") {
  TopicSettings settings = small();
  CHECK(daemon::TopicMemory::create(kTopic, settings, 8).board().incompatible_flags == 0);
  settings.when_disk_fails = WhenDiskFails::memory;
  const auto memory = daemon::TopicMemory::create(kTopic, settings, 8);
  CHECK(memory.board().incompatible_flags == layout::kLeavesGaps);
  CHECK(layout::can_use(kLayoutVersion.major, layout::kLeavesGaps));
}

TEST_CASE("version: a board of another major version is refused, both are named", "[layout]") {
  const auto memory = made();
  memory.board().major = kLayoutVersion.major + 1;
  memory.board().minor.store(3);
  const std::string why = refusal(memory);
  CHECK_THAT(why, Catch::Contains(text(kLayoutVersion.major + 1, 3)));
  CHECK_THAT(why, Catch::Contains(text(kLayoutVersion.major, daemon::kServedMinor)));
  CHECK(memory.board().minor.load() == 3);  // nothing of it was touched
}

TEST_CASE("version: a board with an incompatible flag that is not known is refused", "[layout]") {
  const auto memory = made();
  memory.board().incompatible_flags = std::uint64_t{1} << 63;
  CHECK_THAT(refusal(memory), Catch::Contains("0x8000000000000000"));
}

TEST_CASE("version: a client takes any minor version of its major one, and no other", "[client]") {
  test::MiniSupervisor supervisor;
  auto bus = supervisor.connect();
  layout::BoardHeader& board = supervisor.memory().board();
  board.minor.store(7);
  CHECK(bus.producer("t").publish("x").status == Status::ok);
  const auto refusal_of_open = [&]() -> std::string {
    try {
      auto other = supervisor.connect();
      other.producer("t");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::incompatible);
      return error.what();
    }
    return "was not refused";
  };
  board.major = kLayoutVersion.major + 1;
  CHECK_THAT(refusal_of_open(),
             Catch::Contains(text(kLayoutVersion.major + 1, 7)) &&
                 Catch::Contains(text(kLayoutVersion.major, kLayoutVersion.minor)));
  board.major = kLayoutVersion.major;
  board.incompatible_flags = 4;
  CHECK_THAT(refusal_of_open(), Catch::Contains("0x4"));
}

}  // namespace layout_version_test
