#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/partition_cursor.hpp"
#include "daemon/commit_follower.hpp"
#include "shm/memory_file.hpp"
#include "shm/region.hpp"
#include "unit/ring_fixture.hpp"

namespace ringway::client_wrap_test {
namespace {

constexpr std::uint64_t kBytes = 64 * 1024;

/// One ring in real memory, that is written through a mapping of one kind and read through one of
/// the other.
struct TwoMappings {
  explicit TwoMappings(shm::Wrap written, shm::Wrap read)
      : writable(file.get(), shm::Access::read_write, 0, kBytes, written),
        readable(file.get(), shm::Access::read_only, 0, kBytes, read) {
    ring::open_ring(view(writable), 0, [this] { return nonce += 0x1234567; });
  }
  ring::PartitionView view(const shm::DataArea& area) {
    return {*board, *tail, area.data(), kBytes,
            area.wrap() == shm::Wrap::single ? ring::Mapping::single : ring::Mapping::mirrored};
  }

  shm::Descriptor file = shm::create_memory_file("ringway.test", kBytes);
  shm::DataArea writable, readable;
  std::unique_ptr<layout::BoardPartition> board = std::make_unique<layout::BoardPartition>();
  std::unique_ptr<layout::PartitionTail> tail = std::make_unique<layout::PartitionTail>();
  std::uint64_t nonce = 42;
};

/// Records of sizes that end everywhere around the ring's end, five laps of them. Returns how many
/// lay across it.
int go_round(TwoMappings& memory) {
  layout::Slot writer_slot{}, reader_slot{};
  ring::test::PlainWriter writer(memory.view(memory.writable), writer_slot);
  daemon::CommitFollower follower(memory.view(memory.writable), {0, 0});
  PartitionCursor cursor(0, memory.view(memory.readable), reader_slot,
                         layout::TopicMode::memory_block, nullptr);
  cursor.go_to({Status::ok, 0});
  RecordList records(8);
  std::vector<Gap> gaps;
  int across = 0;
  for (std::uint64_t number = 0; follower.committed().position < 5 * kBytes; ++number) {
    const std::string payload(1'000 + number * 37 % 3'000, static_cast<char>('a' + number % 26));
    const ring::Claimed claim = ring::test::publish_record(writer, payload);
    REQUIRE(claim.status == Status::ok);
    across += claim.position % kBytes + claim.bytes > kBytes ? 1 : 0;
    follower.follow(kBytes, [](const auto&, const auto&) {});
    records.clear();
    PartitionCursor::Harvest harvest{records, 8, gaps};
    REQUIRE(cursor.collect(harvest) == Status::ok);
    REQUIRE(records.size() == 1);
    REQUIRE(records[0].offset() == number);
    REQUIRE(records[0].value() == payload);
    ring::publish_limit(
        memory.view(memory.writable), follower.committed(), 1,
        [&](std::size_t) { return reader_slot.pin.load(); },
        [&] { return memory.nonce += 0x1234567; });
  }
  CHECK(gaps.empty());
  return across;
}

}  // namespace

TEST_CASE("wrap: what a mirrored producer wrote across the end reads whole where it is mapped once",
          "[client]") {
  TwoMappings memory(shm::Wrap::mirrored, shm::Wrap::single);
  CHECK(go_round(memory) > 0);
}

TEST_CASE("wrap: a producer that maps the ring once writes nothing across its end", "[client]") {
  TwoMappings memory(shm::Wrap::single, shm::Wrap::mirrored);
  CHECK(go_round(memory) == 0);
}

}  // namespace ringway::client_wrap_test
