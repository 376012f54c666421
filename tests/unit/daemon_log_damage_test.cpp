#include <catch2/catch.hpp>
#include <optional>

#include "daemon/log_damage.hpp"
#include "unit/duty_fixture.hpp"

namespace daemon_log_damage_test {

using namespace ringway;
using namespace ringway::daemon;

namespace {

LogDamage::Range range(LogDamage::Kind kind, std::uint64_t from, std::uint64_t to) {
  return {kind, 0, {from * 64, from}, {to * 64, to}, "x.log", "why"};
}

}  // namespace

TEST_CASE("log damage: however many holes there are, of a missing file consumers are told why",
          "[daemon]") {
  const test::DutyBench bench(1);
  int told = 0;
  const EventLog log([&](const Event&) { ++told; });
  LogDamage damage;
  for (std::uint64_t i = 0; i < 1500; ++i) {
    damage.note(log, *bench.topic, range(LogDamage::Kind::hole, 10 * i, 10 * i + 1));
  }
  CHECK(told == 1000);
  for (std::uint64_t i = 0; i < 1500; ++i) {
    const std::uint64_t from = 20'000 + 10 * i;
    damage.note(log, *bench.topic, range(LogDamage::Kind::missing, from, from + 5));
  }
  CHECK(told == 2500);
  CHECK(damage.end_of_lost_files(0, 34'991) == log::LogPoint{34'995 * 64, 34'995});
  CHECK(damage.end_of_lost_files(0, 34'996) == std::nullopt);
  CHECK(damage.count(*bench.topic) == 2500);
}

TEST_CASE("log damage: files that follow each other are one loss, whose end may move", "[daemon]") {
  const test::DutyBench bench(1);
  int told = 0;
  const EventLog log([&](const Event&) { ++told; });
  LogDamage damage;
  const auto note = [&](LogDamage::Kind kind, std::uint64_t from, std::uint64_t to) {
    damage.note(log, *bench.topic, range(kind, from, to));
  };
  note(LogDamage::Kind::missing, 10, 20);
  note(LogDamage::Kind::unreadable, 20, 25);
  note(LogDamage::Kind::hole, 12, 13);
  note(LogDamage::Kind::missing, 40, 40);  // it had nothing
  CHECK(told == 3);
  CHECK(damage.end_of_lost_files(0, 15)->offset == 25);
  CHECK_FALSE(damage.end_of_lost_files(0, 25));
  CHECK_FALSE(damage.end_of_lost_files(1, 15));
  note(LogDamage::Kind::unreadable, 20, 30);
  CHECK(told == 3);
  CHECK(damage.end_of_lost_files(0, 10)->offset == 30);
  CHECK(damage.has(0, 29));
  CHECK_FALSE(damage.has(0, 30));
  CHECK(damage.lost_file_in(0, 11, 100) == 20);
  CHECK(damage.lost_file_in(0, 0, 10) == std::nullopt);
  CHECK(damage.lost_file_in(1, 0, 100) == std::nullopt);
}

}  // namespace daemon_log_damage_test
