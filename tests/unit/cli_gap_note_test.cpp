#include <catch2/catch.hpp>

#include "tools/gap_note.hpp"

namespace cli_gap_note_test {

using namespace ringway;
using cli::gap_note;

TEST_CASE("gap note: only what is older than all that is kept fell to retention", "[cli]") {
  const Gap gap{.partition = 2, .from = 10, .to = 20, .reason = Status::not_found};
  CHECK(gap_note("t", gap, 20) == "t partition 2: offsets 10 to 19 are missing: not kept any more");
  CHECK_THAT(gap_note("t", gap, 0), Catch::Contains("lost from memory"));
  CHECK_THAT(gap_note("t", gap, 10), Catch::Contains("lost from memory"));
  const Gap on_disk{.partition = 2, .from = 10, .to = 11, .reason = Status::corrupt};
  CHECK(gap_note("t", on_disk, 20) == "t partition 2: offset 10 is missing: lost on disk");
}

}  // namespace cli_gap_note_test
