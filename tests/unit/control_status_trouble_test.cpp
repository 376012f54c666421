#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "control/status_trouble.hpp"
#include "control/wire.hpp"
#include "layout/board.hpp"

namespace control_status_trouble_test {

using namespace ringway;
using namespace ringway::control;

namespace {

/// As the status report of a supervisor brings it.
StatusTrouble over_the_wire(const StatusTrouble& trouble) {
  const nlohmann::json report{{"troubles", {to_json(trouble)}}, {"degraded", {trouble.text}}};
  const auto told = troubles_in(nlohmann::json::parse(text_of(report)));
  REQUIRE(told.size() == 1);
  return told.front();
}

}  // namespace

TEST_CASE("troubles: each kind survives the wire under a name of its own", "[control]") {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(kLastTroubleKind); ++i) {
    const auto kind = static_cast<TroubleKind>(i);
    CHECK(names.emplace(to_string(kind)).second);
    CHECK(over_the_wire({.what = kind, .text = "x"}).what == kind);
  }
  CHECK(to_string(static_cast<TroubleKind>(static_cast<int>(kLastTroubleKind) + 1)) == "unknown");
}

TEST_CASE("troubles: every field survives the wire, and what says nothing is not sent",
          "[control]") {
  const StatusTrouble full{.what = TroubleKind::segment_damaged,
                           .topic = "größe 'a'",
                           .partitions = {0, 9'999},
                           .partition_count = 2,
                           .pid = UINT32_MAX,
                           .path = "00.log",
                           .reason = "its header does not verify",
                           .text = "in words"};
  CHECK(over_the_wire(full) == full);
  const StatusTrouble bare{.what = TroubleKind::disk_short, .text = "in words"};
  CHECK(over_the_wire(bare) == bare);
  CHECK(to_json(bare) == nlohmann::json{{"what", "disk_short"}, {"text", "in words"}});
}

TEST_CASE("troubles: of many partitions the first are told, and how many there are", "[control]") {
  StatusTrouble many{.what = TroubleKind::disk_full, .topic = "t", .partition_count = 10'000};
  for (std::uint32_t p = 0; p < many.partition_count; ++p) many.partitions.push_back(p);
  const StatusTrouble told = over_the_wire(many);
  CHECK(told.partitions.size() == StatusTrouble::kPartitionsTold);
  CHECK(told.partitions.back() == StatusTrouble::kPartitionsTold - 1);
  CHECK(told.partition_count == 10'000);
}

TEST_CASE("troubles: whatever holds partitions and needs attention has a kind", "[control]") {
  for (std::uint32_t i = 0; i <= static_cast<std::uint32_t>(layout::Hold::memory_only); ++i) {
    const auto hold = static_cast<layout::Hold>(i);
    INFO(to_string(hold));
    CHECK((trouble_kind_of(to_string(hold)) != TroubleKind::unknown) == needs_attention(hold));
  }
}

TEST_CASE("troubles: supervisors of other versions are understood as far as it goes", "[control]") {
  SECTION("an older one has words") {
    const auto told = troubles_in({{"degraded", {"topic 'a' partition 0: disk_full"}}});
    REQUIRE(told.size() == 1);
    CHECK(told[0] == StatusTrouble{.text = "topic 'a' partition 0: disk_full"});
  }
  SECTION("a newer one has other kinds, fields and types") {
    const auto told = troubles_in({{"degraded", {"x", "y", "z"}},
                                   {"troubles",
                                    {{{"what", "brand_new"}, {"text", "x"}, {"more", 1}},
                                     {{"what", 7}, {"pid", -1}, {"topic", nullptr},
                                      {"partitions", {1, "2", 1ULL << 40}}, {"text", "y"}},
                                     "z"}}});
    REQUIRE(told.size() == 3);
    CHECK(told[0] == StatusTrouble{.text = "x"});
    CHECK(told[1] == StatusTrouble{.partitions = {1}, .text = "y"});
    CHECK(told[2] == StatusTrouble{.text = "z"});
  }
  SECTION("nothing is said") {
    CHECK(troubles_in({}).empty());
    CHECK(troubles_in({{"troubles", 7}}).empty());
    CHECK(troubles_in({{"troubles", nlohmann::json::array()}, {"degraded", {"x"}}}).empty());
  }
}

}  // namespace control_status_trouble_test
