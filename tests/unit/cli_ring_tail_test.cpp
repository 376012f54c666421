#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "ring_fixture.hpp"
#include "tools/ring_tail.hpp"

namespace cli_ring_tail_test {

using namespace ringway;
using ring::test::PlainRing;
using ring::test::PlainWriter;
using ring::test::publish_record;

namespace {

std::vector<std::string> values(const std::vector<cli::RingRecord>& records) {
  std::vector<std::string> values;
  for (const cli::RingRecord& record : records) values.emplace_back(record.view(0).value());
  return values;
}

using Values = std::vector<std::string>;

}  // namespace

TEST_CASE("ring tail: the last committed records, oldest first", "[cli]") {
  PlainRing plain;
  layout::Slot slot{};
  PlainWriter writer(plain.view(), slot);
  CHECK(cli::last_records(plain.view(), 3).empty());
  for (const char* value : {"a", "", "c", "d"}) CHECK(publish_record(writer, value).offset < 4);
  CHECK(values(cli::last_records(plain.view(), 3)) == Values{"", "c", "d"});
  CHECK(values(cli::last_records(plain.view(), 100)) == Values{"a", "", "c", "d"});
  CHECK(cli::last_records(plain.view(), 0).empty());
  CHECK(cli::last_records(plain.view(), 1).at(0).view(7).offset() == 3);
}

TEST_CASE("ring tail: skips are walked over, and nothing behind an open claim is shown", "[cli]") {
  PlainRing plain;
  layout::Slot slot{};
  layout::Slot open_slot{};
  PlainWriter writer(plain.view(), slot);
  PlainWriter stuck(plain.view(), open_slot);
  publish_record(writer, "before");
  const ring::Claimed aborted = writer.try_claim(64, 2);
  writer.abort(aborted, 2);
  publish_record(writer, "behind the skip");
  CHECK(stuck.try_claim(64, 1).status == Status::ok);
  publish_record(writer, "behind the open claim");
  CHECK(values(cli::last_records(plain.view(), 2)) == Values{"before", "behind the skip"});
  CHECK(cli::last_records(plain.view(), 1).at(0).place.offset == 3);
}

TEST_CASE("ring tail: in the second lap only what is still there is shown", "[cli]") {
  PlainRing plain;
  layout::Slot slot{};
  PlainWriter writer(plain.view(), slot);
  const std::string value(1000, 'x');
  ring::Place end{0, 0};
  const auto follow = [&] {
    static_cast<void>(ring::walk(
        plain.view(), end, plain.board->announced.load(std::memory_order::relaxed),
        [&](const ring::Place& at, const layout::RecordHeader&) {
          auto& entry =
              plain.board->boundary[at.position / (PlainRing::kBytes / 16) % layout::kNonces];
          if (entry.position.load() < at.position / 4096 * 4096) {
            entry.position = at.position;
            entry.offset = at.offset;
          }
        }));
    plain.board->committed_position = end.position;
    plain.board->committed_offset = end.offset;
  };
  for (int i = 0; i < 200; ++i) {
    while (publish_record(writer, value + std::to_string(i)).status != Status::ok) {
      follow();
      plain.publish(end);
    }
  }
  follow();
  const auto last = cli::last_records(plain.view(), 5);
  CHECK(values(last).back() == value + "199");
  CHECK(last.size() == 5);
  const auto all = cli::last_records(plain.view(), 1000);
  CHECK(all.size() > 5);
  CHECK(all.size() < 64);
  for (std::size_t i = 1; i < all.size(); ++i) {
    CHECK(all[i].place.offset == all[i - 1].place.offset + 1);
  }
}

}  // namespace cli_ring_tail_test
