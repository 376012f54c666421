#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "daemon/doorbells.hpp"
#include "daemon/event_log.hpp"
#include "daemon/named_cursors.hpp"
#include "daemon/partition_runs.hpp"
#include "daemon/pin_policy.hpp"
#include "daemon/ring_start.hpp"
#include "daemon/segment_search.hpp"
#include "daemon/short_list.hpp"
#include "daemon/slot_runs.hpp"
#include "ringway/error.hpp"

namespace daemon_policy_test {

using namespace ringway;
using namespace ringway::daemon;

TEST_CASE("event log: a hostile value cannot forge a line or a key", "[daemon]") {
  std::string written;
  const EventLog log([&](const Event& event) { written = line_of(event); });
  log.info("serving", {{"name", "a\nevent=x"}, {"user", "bob"}, {"n", 7}, {"empty", ""}});
  CHECK(written == "event=serving name=\"a\\x0aevent=x\" user=bob n=7 empty=\"\"");
  log.info("serving", {{"name", "gr\xc3\xbcn"}, {"version", "\xc2\x9b\"2J\xff"}});
  CHECK(written == "event=serving name=gr\xc3\xbcn version=\"\\xc2\\x9b\\\"2J\\xff\"");
}

TEST_CASE("slots: a run is given once, and again when it was given back", "[daemon]") {
  SlotRuns runs(10);
  CHECK(runs.take(4) == 0);
  CHECK(runs.take(4) == 4);
  CHECK(runs.take(4) == std::nullopt);
  CHECK(runs.take(2) == 8);
  runs.give(4, 4);
  CHECK_FALSE(runs.take_at(3, 2));
  CHECK_FALSE(runs.take_at(8, 4));
  CHECK(runs.take_at(5, 3));
  CHECK(runs.take(1) == 4);
  for (std::uint32_t slot = 0; slot < 10; ++slot) runs.give(slot, 1);
  CHECK(runs.empty());
}

TEST_CASE("partition runs: however many there are, the text stays short", "[daemon]") {
  const auto text = [](std::uint32_t first, std::uint32_t end, std::uint32_t step) {
    PartitionRuns runs;
    for (std::uint32_t p = first; p < end; p += step) runs.add(p);
    return runs.text();
  };
  CHECK(text(3, 4, 1) == "partition 3");
  CHECK(text(0, 10'000, 1) == "partitions 0 to 9999");
  CHECK(text(0, 16, 2) == "partitions 0, 2, 4, 6, 8, 10, 12, 14");
  CHECK(text(1, 10'000, 2) == "partitions 1, 3, 5, 7, 9, 11, 13, 15 and others, 5000 in all");
}

TEST_CASE("short list: its beginning, within its bytes, and how many there are more", "[daemon]") {
  ShortList list(40);
  for (int i = 0; i < 10; ++i) list.add({{"pid", 1000 + i}});  // 12 bytes and a comma
  CHECK(list.entries().size() == 3);
  CHECK(list.left_out() == 7);
  list.add(1);  // there would be room, but not in order
  CHECK(list.left_out() == 8);
  ShortList bytes(10);
  bytes.add("\xff\xff\xff\xff");  // as the reply has it: U+FFFD each
  CHECK(bytes.left_out() == 1);
}

TEST_CASE("ring start: after an orderly stop offsets go on exactly", "[daemon]") {
  TopicSettings settings;
  const PartitionRow row{.base_offset = 10,
                         .base_position = 4096,
                         .clean = true,
                         .clean_offset = 77,
                         .clean_position = 10'000};
  const auto start = ring_start(settings, row, log::LogPoint{10'000, 77});
  CHECK(start.offset == 77);
  CHECK(start.position == 12'288);
  settings.persist = false;
  CHECK(ring_start(settings, row, std::nullopt).offset == 77);
  CHECK(ring_start(settings, row, std::nullopt).position == 0);
}

TEST_CASE("ring start: a lost ring's offsets are jumped over", "[daemon]") {
  TopicSettings settings;
  settings.ring_bytes = 64 * 1024;
  const PartitionRow row{.base_offset = 10, .base_position = 4096};
  const auto behind_log = ring_start(settings, row, log::LogPoint{100'000, 500});
  CHECK(behind_log.offset == 500 + 2048 + 1);
  CHECK(behind_log.position == 167'936);
  CHECK(behind_log.position >= 100'000 + settings.ring_bytes);
  CHECK(behind_log.position % 4096 == 0);

  // Nothing was written yet, or the log is gone: the ring's own start counts.
  CHECK(ring_start(settings, row, std::nullopt).offset == 10 + 2048 + 1);
  CHECK(ring_start(settings, row, log::LogPoint{0, 0}).offset == 10 + 2048 + 1);

  settings.sync = SyncPolicy::never;
  CHECK(ring_start(settings, row, log::LogPoint{100'000, 500}).offset ==
        500 + 2048 + 1 + (std::uint64_t{1} << 32));
}

TEST_CASE(
    "ring start: where memory may have left the log behind, all that a ring can give is jumped",
    "[daemon]") {
  TopicSettings settings;
  settings.when_disk_fails = WhenDiskFails::memory;
  const std::uint64_t bytes =
      GENERATE(std::uint64_t{64} << 10, std::uint64_t{16} << 20, std::uint64_t{4} << 30);
  settings.ring_bytes = bytes;
  const PartitionRow row{.base_offset = 1000, .base_position = 4096};
  const log::LogPoint start = ring_start(settings, row, log::LogPoint{100'000, 1500});
  // A record takes a unit at least, and no claim ends behind this.
  CHECK(start.offset > 1000 + layout::TailCodec(bytes).position_end() / layout::kUnitBytes);
  // Nothing that was left out was ever on disk.
  CHECK(start.position == layout::round_up_to_page(100'000 + bytes));
  PartitionRow clean = row;
  clean.clean = true;
  clean.clean_offset = 1700;
  CHECK(ring_start(settings, clean, log::LogPoint{100'000, 1500}).offset == 1700);
}

TEST_CASE("ring start: without a log a lost ring costs a stride of offsets", "[daemon]") {
  TopicSettings settings;
  settings.persist = false;
  CHECK(ring_start(settings, {.base_offset = 0}, std::nullopt).offset == std::uint64_t{1} << 40);
  CHECK(ring_start(settings, {.base_offset = std::uint64_t{1} << 40}, std::nullopt).offset ==
        std::uint64_t{2} << 40);
}

namespace {

log::SegmentInfo segment(std::uint64_t first, std::uint64_t end, std::int64_t running_max) {
  log::SegmentInfo info;
  info.name = std::to_string(first);
  info.first = {first * 100, first};
  info.end = {end * 100, end};
  info.running_max = running_max;
  return info;
}

}  // namespace

TEST_CASE("segment search: offsets, gaps and times lead to the segment to read", "[daemon]") {
  using control::AtOffset, control::AtPosition, control::AtTime;
  // A gap lies between 20 and 30.
  const std::vector segments{segment(10, 20, 1000), segment(30, 40, 2000), segment(40, 45, 3000)};
  CHECK(find_segment(segments, AtOffset{10}) == 0);
  CHECK(find_segment(segments, AtOffset{19}) == 0);
  CHECK(find_segment(segments, AtOffset{20}) == 1);
  CHECK(find_segment(segments, AtOffset{25}) == 1);
  CHECK(find_segment(segments, AtOffset{44}) == 2);
  CHECK(find_segment(segments, AtOffset{45}) == std::nullopt);
  CHECK(find_segment(segments, AtPosition{3999}) == 1);
  CHECK(find_segment(segments, AtPosition{4500}) == std::nullopt);
  CHECK(find_segment(segments, AtOffset{9}) == 0);  // retention took it: it goes on there
  CHECK(find_segment(segments, AtTime{1}) == 0);
  CHECK(find_segment(segments, AtTime{1001}) == 1);
  CHECK(find_segment(segments, AtTime{9999}) == 2);
  CHECK(find_segment({}, AtOffset{0}) == std::nullopt);
  CHECK(find_segment({}, AtTime{0}) == std::nullopt);
}

TEST_CASE("named cursors: one holder at a time, freed by letting go", "[daemon]") {
  NamedCursors cursors(shm::random_uuid(), 1, {});
  std::vector<CursorRow> changed;
  cursors.hold("c", true, {.handle = 1, .pid = 77, .slots = nullptr});
  CHECK(changed.empty());  // no position yet
  try {
    cursors.hold("c", true, {.handle = 2, .pid = 78, .slots = nullptr});
    FAIL("was given twice");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::busy);
    CHECK(error.rule().find("pid 77") != std::string::npos);
  }
  CHECK_THROWS_AS(cursors.demand_free("c"), Error);
  cursors.let_go("c", 2);  // not its holder
  CHECK(cursors.find("c") != nullptr);
  cursors.let_go("c", 1);
  CHECK(cursors.find("c") == nullptr);  // it never had a position
}

TEST_CASE("named cursors: positions come from the holder, hostile ones are not believed",
          "[daemon]") {
  const shm::Uuid topic = shm::random_uuid();
  NamedCursors cursors(topic, 2, {{topic, "c", 0, 5, true}});
  std::vector<layout::Slot> slots(2);
  slots[0].committed = 7;
  slots[1].committed = layout::kNoOffset;
  slots[1].offset = 3;
  std::vector<CursorRow> changed;
  cursors.hold("c", true, {.handle = 1, .pid = 1, .slots = slots.data()});
  REQUIRE(changed.empty());
  const auto committed = [](std::uint32_t, std::uint64_t offset) { return offset <= 100; };
  cursors.collect(committed, changed);
  REQUIRE(changed.size() == 1);
  CHECK(changed[0].offset == 7);
  CHECK(cursors.protection(0).offset == 7);
  CHECK(cursors.protection(1).offset == 3);  // nothing committed: what it is about to read
  cursors.saved();
  slots[0].committed = 101;
  changed.clear();
  cursors.collect(committed, changed);
  CHECK(changed.empty());
  CHECK(cursors.find("c")->offsets[0] == 7);
}

TEST_CASE("named cursors: protection changes at once, and only when it is asked for", "[daemon]") {
  const shm::Uuid topic = shm::random_uuid();
  NamedCursors cursors(topic, 2, {{topic, "c", 1, 5, false}});
  CHECK(cursors.protection(1).offset == ~std::uint64_t{0});
  std::vector<CursorRow> changed;
  std::uint64_t handle = 0;
  const auto open = [&](std::optional<bool> protects) {
    changed.clear();
    cursors.hold("c", protects, {.handle = ++handle, .pid = 1, .slots = nullptr});
    cursors.collect([](std::uint32_t, std::uint64_t offset) { return offset <= 100; }, changed);
    cursors.saved();
    cursors.let_go("c", handle);
  };
  open(true);
  REQUIRE(changed.size() == 1);
  CHECK(changed[0].partition == 1);
  CHECK(changed[0].offset == 5);
  CHECK(changed[0].protects);
  CHECK(cursors.protection(1).offset == 5);
  open(std::nullopt);  // somebody who has no opinion
  CHECK(changed.empty());
  CHECK(cursors.protection(1).offset == 5);
  open(false);
  REQUIRE(changed.size() == 1);
  CHECK_FALSE(changed[0].protects);
}

TEST_CASE("named cursors: a position stays to be saved until it was", "[daemon]") {
  const shm::Uuid topic = shm::random_uuid();
  NamedCursors cursors(topic, 1, {});
  std::vector<layout::Slot> slots(1);
  slots[0].committed = 7;
  const auto collected = [&] {
    std::vector<CursorRow> changed;
    cursors.collect([](std::uint32_t, std::uint64_t offset) { return offset <= 100; }, changed);
    return changed;
  };
  cursors.hold("c", false, {.handle = 1, .pid = 1, .slots = slots.data()});
  REQUIRE(collected().size() == 1);
  slots[0].committed = 8;
  REQUIRE(collected().size() == 1);
  cursors.let_go("c", 1);
  REQUIRE(collected().size() == 1);
  CHECK(collected()[0].offset == 8);
  SECTION("saved, it is forgotten") {
    cursors.saved();
    CHECK(collected().empty());
  }
  SECTION("one that was removed does not come back") {
    cursors.remove("c");
    CHECK(collected().empty());
  }
}

TEST_CASE("pin policy: rings are left to consumers up to the topic's bytes", "[daemon]") {
  TopicSettings settings{.partitions = 2, .ring_bytes = 64 * 1024};
  constexpr std::uint64_t kRings = 128 * 1024;
  const auto replaced_beside = [&](std::uint64_t retired_bytes) {
    return answer(settings, {.retired_bytes = retired_bytes}) == PinAnswer::replace;
  };
  CHECK(replaced_beside(0));
  CHECK(replaced_beside(3 * kRings));
  CHECK_FALSE(replaced_beside(3 * kRings + 1));
  CHECK_FALSE(replaced_beside(9 * kRings));
  settings.retired_bytes_max = kRings;
  CHECK(replaced_beside(0));
  CHECK_FALSE(replaced_beside(kRings));
  settings.retired_bytes_max = kRings - 1;
  CHECK_FALSE(replaced_beside(0));
  settings.retired_bytes_max = ~std::uint64_t{0};
  CHECK(replaced_beside(~std::uint64_t{0} - kRings));
  // What the topic allows helps nobody where there is no memory.
  CHECK(answer(settings, {.refused = true}) == PinAnswer::wait);
}

TEST_CASE("pin policy: beyond them each does what it says, to whom it says", "[daemon]") {
  TopicSettings settings{.retired_bytes_max = 1};
  const auto answers = [&](WhenPinned when_pinned, const LongPin& pin) {
    settings.when_pinned = when_pinned;
    return answer(settings, pin);
  };
  CHECK(answers(WhenPinned::wait, {.alone = true}) == PinAnswer::wait);
  CHECK(answers(WhenPinned::copy, {.alone = true}) == PinAnswer::copy);
  CHECK(answers(WhenPinned::copy, {.alone = false}) == PinAnswer::copy);
  CHECK(answers(WhenPinned::copy, {.copies = true, .alone = true}) == PinAnswer::wait);
  CHECK(answers(WhenPinned::kill, {.alone = true, .stands = true}) == PinAnswer::kill);
  CHECK(answers(WhenPinned::kill, {.alone = false, .stands = true}) == PinAnswer::wait);
  CHECK(answers(WhenPinned::kill, {.alone = true, .stands = false}) == PinAnswer::wait);
  CHECK(answers(WhenPinned::kill, {.copies = true, .alone = true, .stands = true}) ==
        PinAnswer::kill);
}

TEST_CASE("doorbells: one that its holder filled and made blocking harms nobody else", "[daemon]") {
  Doorbells doorbells;
  const shm::Descriptor hostile = doorbells.make();
  const shm::Descriptor honest = doorbells.make();
  const auto rung = [&] {
    pollfd wait{doorbells.fd(), POLLIN, 0};
    return ::poll(&wait, 1, 0) == 1;
  };
  CHECK_FALSE(rung());
  REQUIRE(::fcntl(hostile.get(), F_SETFL, 0) == 0);
  const std::uint64_t full = ~std::uint64_t{0} - 1;
  REQUIRE(::write(hostile.get(), &full, sizeof full) == sizeof full);
  CHECK(rung());
  doorbells.answer();
  CHECK_FALSE(rung());
  ring_doorbell(honest.get());
  CHECK(rung());
  doorbells.answer();
  ring_doorbell(honest.get());  // nobody read it in between
  CHECK(rung());
}

}  // namespace daemon_policy_test
