// When a producer stands aside for another one that claims in the same partition.

#include <catch2/catch.hpp>
#include <functional>
#include <utility>

#include "unit/ring_fixture.hpp"

namespace ring_aside_test {

using namespace ringway;
using namespace ringway::ring;
using namespace ringway::ring::test;

namespace {

constexpr int kRun = 32;    // claims that are a stream
constexpr int kShare = 64;  // of what others claim meanwhile

/// A partition in which others claim at the moment when a claim of the writer is under way. It
/// counts how often the writer tells its core that it waits.
struct Crowd : PartitionView {
  explicit Crowd(const PartitionView& view) : PartitionView(view) {}
  void ask_for(std::uint64_t) const noexcept {
    if (meanwhile) std::exchange(meanwhile, nullptr)();
  }
  static void relax() noexcept { ++relaxed; }

  static inline std::function<void()> meanwhile;
  static inline int relaxed;
};

/// One who claims, and a rival.
struct Contest {
  Contest() {
    Crowd::meanwhile = nullptr;
    Crowd::relaxed = 0;
  }

  void rival_claims(int times = 1) {
    for (int i = 0; i < times; ++i) CHECK(publish_record(rival, "").status == Status::ok);
    // All of it is handed back at once.
    const std::uint64_t tail = ring.tail_position();
    ring.publish({tail, tail / layout::kUnitBytes});
  }
  void claim() {
    const Claimed claim = writer.try_claim(layout::record_bytes(0, 0, 0), 1);
    REQUIRE(claim.status == Status::ok);
    fill(ring.view(), claim.position, "");
    writer.commit(claim);
  }
  void claim(int times) {
    for (int i = 0; i < times; ++i) claim();
  }
  /// A claim that is lost `times` over and won then. Whether it stood aside on the way.
  bool stands_aside(int times = 1) {
    const int before = Crowd::relaxed;
    lose(times);
    claim();
    return Crowd::relaxed != before;
  }

  PlainRing ring;
  layout::Slot first{}, second{};
  Writer<Crowd, layout::Slot> writer{Crowd(ring.view()), first};
  PlainWriter rival{ring.view(), second};

 private:
  void lose(int times) {
    if (times == 0) return;
    Crowd::meanwhile = [this, times] {
      rival_claims();
      lose(times - 1);
    };
  }
};

}  // namespace

TEST_CASE("aside: who loses a claim behind a run that it won, and no sooner", "[ring]") {
  Contest contest;
  contest.claim(kRun - 1);
  CHECK_FALSE(contest.stands_aside());  // has won as many as it takes by then
  CHECK(contest.stands_aside());
}

TEST_CASE("aside: claims that were lost meanwhile do not end a run", "[ring]") {
  Contest contest;
  for (int i = 0; i < kRun; ++i) {
    CAPTURE(i);
    CHECK_FALSE(contest.stands_aside());
  }
  CHECK(contest.stands_aside());
}

TEST_CASE("aside: once for a run", "[ring]") {
  Contest contest;
  for (int i = 0; i < 3; ++i) {
    contest.claim(kRun);
    CHECK(contest.stands_aside());  // and won the first of the next run
    contest.claim(kRun - 2);
    CHECK_FALSE(contest.stands_aside());
    CHECK(contest.stands_aside());
  }
}

TEST_CASE("aside: it ends, and the claim is won, however often it is lost", "[ring]") {
  Contest contest;
  contest.claim(kRun);
  CHECK(contest.stands_aside());
  const int once = Crowd::relaxed;
  contest.claim(kRun);
  CHECK(contest.stands_aside(1'000));
  CHECK(Crowd::relaxed == 2 * once);
}

TEST_CASE("aside: who has won nothing since, or nobody to lose to, goes on", "[ring]") {
  Contest contest;
  CHECK_FALSE(contest.stands_aside(1'000));
  contest.claim(10 * kRun);
  CHECK(Crowd::relaxed == 0);
}

TEST_CASE("aside: who claims now and then beside a stream does not", "[ring]") {
  for (const bool seldom : {false, true}) {
    CAPTURE(seldom);
    Contest contest;
    const auto begins = contest.ring.tail_position();
    for (int i = 0; i < kRun; ++i) {
      contest.rival_claims(kShare - 1);
      contest.claim();
    }
    if (seldom) contest.rival_claims();
    const auto claimed = contest.ring.tail_position() - begins;
    REQUIRE(claimed / layout::record_bytes(0, 0, 0) ==
            std::uint64_t{kRun} * kShare + (seldom ? 1 : 0));
    CHECK(contest.stands_aside() != seldom);
    contest.claim(kRun);  // of a stream now, and what was before counts no more
    CHECK(contest.stands_aside());
  }
}

}  // namespace ring_aside_test
