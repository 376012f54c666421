#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "daemon/event_log.hpp"
#include "daemon/ring_start.hpp"
#include "daemon/slot_runs.hpp"

using namespace ringway;
using namespace ringway::daemon;

TEST_CASE("event log: a hostile value cannot forge a line or a key", "[daemon]") {
  std::string written;
  const EventLog log([&](Severity, std::string_view line) { written = line; });
  log.info("client", {{"name", "a\nevent=x"}, {"user", "bob"}, {"n", 7}, {"empty", ""}});
  CHECK(written == "event=client name=\"a\\x0aevent=x\" user=bob n=7 empty=\"\"");
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

TEST_CASE("ring start: without a log a lost ring costs a stride of offsets", "[daemon]") {
  TopicSettings settings;
  settings.persist = false;
  CHECK(ring_start(settings, {.base_offset = 0}, std::nullopt).offset == std::uint64_t{1} << 40);
  CHECK(ring_start(settings, {.base_offset = std::uint64_t{1} << 40}, std::nullopt).offset ==
        std::uint64_t{2} << 40);
}
