#include <catch2/catch.hpp>

#include "layout/bell.hpp"
#include "layout/board.hpp"
#include "layout/record.hpp"
#include "layout/ring.hpp"
#include "layout/session.hpp"

namespace layout_test {

using namespace ringway::layout;

TEST_CASE("tail: a word keeps closed, position and the offset's low bits", "[layout]") {
  const TailCodec codec(64 * 1024);
  const Tail tail{true, 0x123456780, 0xabc};
  const Tail back = codec.unpack(codec.pack(tail));
  CHECK(back.closed);
  CHECK(back.position == tail.position);
  CHECK(back.offset_low == tail.offset_low);
  CHECK(codec.offset_mask() == 4095);  // 2048 units: k = 12
}

TEST_CASE("tail: the full offset is found across a wrap of the low bits", "[layout]") {
  const TailCodec codec(64 * 1024);
  CHECK(codec.full_offset(5, 4090) == 4096 + 5);
  CHECK(codec.full_offset(4090, 4090) == 4090);
  CHECK(codec.full_offset(4089, 4090) == 4096 + 4089);
}

TEST_CASE("record: a header read from hostile memory is bounded", "[layout]") {
  RecordHeader header{};
  CHECK_FALSE(plausible(header, 4096));  // kind 0
  header.kind = static_cast<std::uint8_t>(RecordKind::data);
  CHECK(plausible(header, 32));
  header.payload_bytes = 0xffffffff;
  CHECK_FALSE(plausible(header, 1 << 20));
  header = skip_header(96, 3);
  CHECK(record_bytes(header) == 96);
  CHECK(record_offsets(header) == 3);
  CHECK(plausible(header, 96));
  header.producer = 4;  // more offsets than units
  CHECK_FALSE(plausible(header, 96));
}

TEST_CASE("intent: the word keeps position and state, the fourth state is idle", "[layout]") {
  const auto word = pack_intent(96, Intent::owned);
  CHECK(intent_position(word) == 96);
  CHECK(intent_state(word) == Intent::owned);
  CHECK(intent_state(word | 3) == Intent::idle);
  CHECK(length_bytes(pack_length(4096, 7)) == 4096);
  CHECK(length_offsets(pack_length(4096, 7)) == 7);
}

TEST_CASE("told: neighbours share a word, and a run of offsets has those of all of them",
          "[layout]") {
  CHECK(told_word(0) == 0);
  CHECK(told_word(7) == 0);
  CHECK(told_word(8) == 1);
  CHECK(told_word(127) == 15);
  CHECK(told_word(128) == 0);
  CHECK(told_words(5, 5) == 0);
  CHECK(told_words(9, 8) == 0);
  for (const std::uint64_t from : {0, 3, 8, 100, 120, 127, 1000}) {
    for (std::uint64_t to = from + 1; to < from + 300; ++to) {
      std::uint32_t expected = 0;
      for (std::uint64_t offset = from; offset < to; ++offset) {
        expected |= 1U << told_word(offset);
      }
      CHECK(told_words(from, to) == expected);
    }
  }
}

TEST_CASE("regions: sizes are whole pages and partitions do not overlap", "[layout]") {
  for (std::uint32_t partitions : {1u, 4u, 33u, 10'000u}) {
    CHECK(ring_data_offset(partitions, kRingBytesMin, 0) % kPageBytes == 0);
    CHECK(ring_data_offset(partitions, kRingBytesMin, 0) >=
          kPageBytes + partitions * sizeof(PartitionTail));
    CHECK(board_file_bytes(partitions, 256) % kPageBytes == 0);
    CHECK(bell_file_bytes(partitions) >= kPageBytes + partitions * sizeof(BellPartition));
  }
  CHECK(session_file_bytes(kSlotsPerChunk) == 64 * 1024);
}

}  // namespace layout_test
