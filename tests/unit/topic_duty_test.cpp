#include "daemon/topic_duty.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <iterator>
#include <list>
#include <string>
#include <vector>

#include "daemon/log_flush.hpp"
#include "daemon/nonce_source.hpp"
#include "shm/landing.hpp"
#include "support/lost_page.hpp"
#include "support/model_disk.hpp"
#include "unit/ring_fixture.hpp"

namespace topic_duty_test {

using namespace ringway;
using namespace ringway::daemon;
using ring::test::PlainWriter;
using ring::test::publish_record;

namespace {

constexpr std::uint32_t kPartitions = 3;
const TopicIdentity kTopic{{9, 9}, "t", 1};

/// A topic of three partitions with a producer, on a model disk.
struct Scene {
  explicit Scene(bool reached = false, TopicSettings settings = {}) {
    settings.partitions = kPartitions;
    settings.ring_bytes = 64 * 1024;
    settings.segment_bytes = 256 * 1024;
    settings.when_stopped = WhenStopped::fence;
    settings.stopped_after_ms = 10;
    auto memory = daemon::TopicMemory::create(kTopic, settings, 8);
    for (std::uint32_t p = 0; p < kPartitions; ++p) {
      ring::open_ring(memory.view(p), 0, NonceSource());
    }
    memory.publish();
    topic = std::make_shared<ServedTopic>(ServedTopic::Options{kTopic, settings, 1, "t"},
                                          std::move(memory));
    duty = std::make_unique<TopicDuty>(topic, disk, disk, events);
    duty->attach({1, layout::Role::producer, 4711, slots, {}, reached});
    for (std::uint32_t p = 0; p < kPartitions; ++p) writers.emplace_back(topic->view(p), slots[p]);
  }

  std::uint64_t committed(std::uint32_t p) {
    return topic->view(p).board().committed_offset.load();
  }
  void complete() {
    storage::Completion done;
    while (disk.reap({&done, 1}, std::chrono::nanoseconds(0)) == 1) {
      LogFlush::complete(done.token, done.result);
    }
  }
  void publish() {
    for (PlainWriter& writer : writers) REQUIRE(publish_record(writer, "x").status == Status::ok);
  }

  test::ModelDisk disk{1};
  EventLog events{[](const Event&) {}};
  layout::Slot slots[kPartitions]{};
  std::shared_ptr<ServedTopic> topic;
  std::unique_ptr<TopicDuty> duty;
  std::list<PlainWriter> writers;
};

}  // namespace

TEST_CASE("topic duty: a round out of time goes on behind where it stopped", "[flusher]") {
  Scene scene;
  scene.publish();
  const auto now = std::chrono::steady_clock::now();
  for (std::uint32_t looked = 1; looked <= kPartitions; ++looked) {
    const auto due = scene.duty->round(now, now);
    CHECK(scene.duty->round_is_over() == (looked == kPartitions));
    if (looked < kPartitions) CHECK(due == now);
    for (std::uint32_t p = 0; p < kPartitions; ++p) CHECK(scene.committed(p) == (p < looked));
  }
}

TEST_CASE("topic duty: a round with time looks at all, and sleeps until something is due",
          "[flusher]") {
  Scene scene;
  scene.publish();
  const auto now = std::chrono::steady_clock::now();
  CHECK(scene.duty->round(now, now + std::chrono::hours(1)) > now);
  CHECK(scene.duty->round_is_over());
  for (std::uint32_t p = 0; p < kPartitions; ++p) CHECK(scene.committed(p) == 1);
}

TEST_CASE("topic duty: without a log rounds come as often as pieces that can be jumped over",
          "[flusher]") {
  using std::chrono::microseconds;
  Scene scene(false, {.persist = false});
  SteadyTime now = std::chrono::steady_clock::now();
  const auto pause_behind = [&](int records, microseconds since) {
    for (int i = 0; i < records; ++i) {
      REQUIRE(publish_record(scene.writers.front(), std::string(224, 'x')).status == Status::ok);
    }
    now += since;
    return scene.duty->round(now, now + std::chrono::hours(1)) - now;
  };
  pause_behind(0, microseconds(0));
  CHECK(pause_behind(1, microseconds(1000)) == microseconds(1000));
  CHECK(pause_behind(32, microseconds(300)) == microseconds(200));  // an eighth of the ring
  // Sooner than can be slept: as soon as that may be, or at once where it is too late for a jump.
  CHECK(pause_behind(24, microseconds(50)) == microseconds(100));
  CHECK(pause_behind(40, microseconds(50)) == microseconds(0));
}

TEST_CASE("topic duty: while only a pin holds producers up it is looked at seldom, log or not",
          "[flusher]") {
  const bool persist = GENERATE(false, true);
  CAPTURE(persist);
  Scene scene(false, {.persist = persist});
  layout::Slot reads[kPartitions]{};
  for (layout::Slot& slot : reads) slot.pin = 0;
  scene.duty->attach({2, layout::Role::consumer, 4712, reads, {}});
  while (publish_record(scene.writers.front(), std::string(1000, 'x')).status == Status::ok) {
  }
  auto now = std::chrono::steady_clock::now();
  SteadyTime due = now;
  for (int i = 0; i < 200; ++i, now += std::chrono::milliseconds(1)) {
    due = scene.duty->round(now, now + std::chrono::hours(1));
    scene.complete();
    CHECK_FALSE(scene.duty->lull(now));
  }
  CHECK(scene.topic->view(0).board().hold.load() ==
        static_cast<std::uint32_t>(persist ? layout::Hold::pinned : layout::Hold::slow_consumer));
  CHECK(due - now >= std::chrono::milliseconds(9));
}

namespace {

/// Rounds until the topic is about to sleep, with what the device does meanwhile.
void until_lulled(Scene& scene, SteadyTime& now) {
  for (int i = 0; i < 1000; ++i, now += std::chrono::milliseconds(5)) {
    scene.duty->round(now, now + std::chrono::hours(1));
    scene.complete();
    if (scene.duty->lull(now)) return;
  }
  FAIL("it never sleeps");
}

void until_asleep(Scene& scene, SteadyTime& now) {
  until_lulled(scene, now);
  scene.duty->look_again(now);
  REQUIRE_FALSE(scene.duty->awake());
}

constexpr int kNoRound = -1;

/// How many looks for time's sake alone pass before one is a round, which is done.
int looks_until_round(Scene& scene, SteadyTime& now) {
  for (int looks = 0; looks < 1000; ++looks, now += std::chrono::milliseconds(250)) {
    scene.duty->rouse(now, true);
    if (scene.duty->awake()) {
      until_asleep(scene, now);
      return looks;
    }
  }
  return kNoRound;
}

/// What was under way when it fell asleep is seen to its end by the first looks.
void until_at_rest(Scene& scene, SteadyTime& now) {
  if (scene.duty->awake()) until_asleep(scene, now);
  for (int i = 0; i < 5 && looks_until_round(scene, now) == 0; ++i) {
  }
}

bool quarantined(const Scene& scene, std::uint32_t p) {
  return scene.topic->view(p).board().hold.load() ==
         static_cast<std::uint32_t>(layout::Hold::quarantined);
}

/// A record where the next one would be, that nobody claimed.
void stamp_unclaimed(const Scene& scene, std::uint32_t p) {
  const ring::PartitionView view = scene.topic->view(p);
  const std::uint64_t position = view.codec().unpack(view.tail().load()).position;
  ring::test::fill(view, position, "x");
  view.stamp(position).store(ring::current_stamp(view, position));
}

}  // namespace

TEST_CASE("topic duty: one that sleeps has rounds soon, and none while nothing comes",
          "[flusher]") {
  Scene scene(false, {.sync = GENERATE(SyncPolicy::every_batch, SyncPolicy::never)});
  scene.publish();
  auto now = std::chrono::steady_clock::now();
  until_at_rest(scene, now);
  CHECK(looks_until_round(scene, now) == kNoRound);
  for (std::uint32_t p = 0; p < kPartitions; ++p) CHECK(scene.committed(p) == 1);
}

TEST_CASE("topic duty: what is claimed while it rests, rung or not, is seen by the next look",
          "[flusher]") {
  Scene scene;
  scene.publish();
  auto now = std::chrono::steady_clock::now();
  until_at_rest(scene, now);
  SECTION("a record, and the bell says that it was not rung") {
    REQUIRE(publish_record(scene.writers.back(), "x").status == Status::ok);
    CHECK(looks_until_round(scene, now) == 0);
    CHECK(scene.committed(kPartitions - 1) == 2);
  }
  SECTION("a claim that stands open has a round each time") {
    REQUIRE(scene.writers.front().try_claim(64, 1).status == Status::ok);
    for (int i = 0; i < 20; ++i) CHECK(looks_until_round(scene, now) == 0);
  }
  SECTION("a claim is as old as the last look at most") {
    for (int i = 0; i < 9; ++i) scene.duty->rouse(now += std::chrono::milliseconds(250), true);
    CHECK_FALSE(scene.duty->awake());
    const auto claimed = scene.writers.front().try_claim(64, 1);
    REQUIRE(claimed.status == Status::ok);
    layout::Slot& slot = scene.slots[0];
    CHECK(layout::intent_position(slot.word.load()) == claimed.position);
    now += std::chrono::milliseconds(5);
    scene.duty->rouse(now, true);
    REQUIRE(scene.duty->awake());
    scene.duty->round(now, now + std::chrono::hours(1));
    CHECK_FALSE(scene.duty->trouble(now));  // it is due after 10 ms
    now += std::chrono::milliseconds(10);
    scene.duty->round(now, now + std::chrono::hours(1));
    CHECK(scene.duty->trouble(now));
  }
  SECTION("a tail put back or closed") {
    auto& tail = scene.topic->view(1).tail();
    tail.store(GENERATE(std::uint64_t{0}, layout::TailCodec::kClosed));
    CHECK(looks_until_round(scene, now) == 0);
  }
}

TEST_CASE("topic duty: what nobody claimed at rest is seen within ten looks", "[flusher]") {
  shm::install_landing();
  Scene scene;
  scene.publish();
  auto now = std::chrono::steady_clock::now();
  until_at_rest(scene, now);
  const auto p = GENERATE(range(0u, kPartitions));
  SECTION("a stamp") {
    stamp_unclaimed(scene, p);
  }
  SECTION("a page that is gone") {
    test::lose_pages_at(const_cast<std::byte*>(scene.topic->view(p).at(0)), 1);
  }
  const int looks = looks_until_round(scene, now);
  CHECK(looks != kNoRound);
  CHECK(looks < 10);
  CHECK(quarantined(scene, p));
  // It says so for as long as it rests, and again.
  until_at_rest(scene, now);
  CHECK(looks_until_round(scene, now) == kNoRound);
  CHECK(quarantined(scene, p));
}

TEST_CASE("topic duty: an orderly stop and a ring's end find partitions at rest", "[flusher]") {
  Scene scene;
  scene.publish();
  auto now = std::chrono::steady_clock::now();
  until_at_rest(scene, now);
  std::optional<RingEnded> outcome;
  const bool stop = GENERATE(false, true);
  if (stop) {
    scene.duty->drain();
  } else {
    scene.duty->end_ring(now, {.patience = std::chrono::seconds(3)},
                         [&](const RingEnded& ended) { outcome = ended; });
  }
  for (int i = 0; i < 10; ++i, now += std::chrono::milliseconds(10)) {
    scene.duty->round(now, now + std::chrono::hours(1));
    scene.complete();
  }
  if (stop) CHECK(scene.duty->drained());
  if (!stop) CHECK((outcome && outcome->ended));
  for (PlainWriter& writer : scene.writers) {
    CHECK(publish_record(writer, "x").status != Status::ok);
  }
}

TEST_CASE("topic duty: a partition at rest costs no rounds while another one works", "[flusher]") {
  Scene scene;
  scene.publish();
  auto now = std::chrono::steady_clock::now();
  until_at_rest(scene, now);
  const auto work = [&](int rounds) {
    for (; rounds > 0; --rounds, now += std::chrono::milliseconds(1)) {
      REQUIRE(publish_record(scene.writers.front(), "x").status == Status::ok);
      scene.duty->rouse(now, false);
      if (!scene.duty->awake()) scene.duty->rouse(now, true);
      scene.duty->round(now, now + std::chrono::hours(1));
      scene.complete();
      CHECK_FALSE(scene.duty->lull(now));
    }
  };
  work(5);
  SECTION("so a stamp that nobody claimed waits for a closer look") {
    stamp_unclaimed(scene, 1);
    work(50);
    CHECK_FALSE(quarantined(scene, 1));
    for (int i = 0; i < 10; ++i) scene.duty->rouse(now, true);
    work(1);
    CHECK(quarantined(scene, 1));
  }
  SECTION("what is claimed there has its round as soon as in others") {
    REQUIRE(publish_record(scene.writers.back(), "x").status == Status::ok);
    work(1);
    CHECK(scene.committed(kPartitions - 1) == 2);
    work(50);
    CHECK(scene.topic->view(kPartitions - 1).board().durable_offset.load() == 2);
  }
  SECTION("its file is closed by a closer look, and that of the other one stays open") {
    REQUIRE(publish_record(scene.writers.back(), "x").status == Status::ok);
    work(50);
    CHECK(scene.disk.open_files() == 2);
    for (int i = 0; i < 10; ++i) scene.duty->rouse(now, true);
    CHECK(scene.disk.open_files() == 1);
  }
  SECTION("all files are closed when the topic sleeps") {
    REQUIRE(publish_record(scene.writers.back(), "x").status == Status::ok);
    work(50);
    until_asleep(scene, now);
    CHECK(scene.disk.open_files() == 0);
  }
  SECTION("and it rests again") {
    REQUIRE(publish_record(scene.writers.back(), "x").status == Status::ok);
    work(50);
    stamp_unclaimed(scene, kPartitions - 1);
    work(50);
    CHECK_FALSE(quarantined(scene, kPartitions - 1));
  }
  SECTION("a claim that comes just before it falls asleep keeps it awake") {
    now += std::chrono::milliseconds(50);
    scene.duty->round(now, now + std::chrono::hours(1));
    scene.complete();
    until_lulled(scene, now);
    REQUIRE(publish_record(scene.writers.back(), "x").status == Status::ok);
    scene.duty->look_again(now);
    CHECK(scene.duty->awake());
    scene.duty->round(now, now + std::chrono::hours(1));
    CHECK(scene.committed(kPartitions - 1) == 2);
  }
}

TEST_CASE("topic duty: a released claim is repaired before anything waits for the device",
          "[flusher]") {
  Scene scene;
  const auto claimed = scene.writers.back().try_claim(64, 1);
  REQUIRE(claimed.status == Status::ok);
  scene.disk.fail(test::Call::open, 1, EIO, true);
  std::optional<std::uint32_t> repaired;
  scene.duty->release(1, [&](std::uint32_t count) { repaired = count; });
  CHECK(repaired == 1);
  CHECK(scene.disk.failures() == 0);  // nothing was opened
  layout::RecordHeader header;
  CHECK(ring::peek(scene.topic->view(kPartitions - 1), claimed.position, header) ==
        ring::Found::record);
}

TEST_CASE("topic duty: a ring's end is taken back where the device refuses, and claims go on",
          "[flusher]") {
  const bool claimed = GENERATE(false, true);  // one that is due to be taken away
  const bool waits = GENERATE(false, true);
  CAPTURE(claimed, waits);
  Scene scene(true);
  auto now = std::chrono::steady_clock::now();
  const auto pass = [&](int rounds) {
    for (; rounds > 0; --rounds, now += std::chrono::milliseconds(100)) {
      scene.duty->round(now, now + std::chrono::hours(1));
      scene.complete();
    }
  };
  scene.publish();
  scene.disk.fail(test::Call::batch_write, 1, EIO, true);
  pass(5);
  if (claimed) REQUIRE(scene.writers.back().try_claim(64, 1).status == Status::ok);
  std::optional<RingEnded> outcome;
  const auto begun = now;
  scene.duty->end_ring(now,
                       {.patience = std::chrono::seconds(3),
                        .fence_after = std::chrono::milliseconds(200),
                        .waits_for_device = waits},
                       [&](const RingEnded& ended) { outcome = ended; });
  while (!outcome && now - begun < std::chrono::seconds(20)) pass(1);
  CHECK(outcome.has_value() == !waits);
  if (waits) {
    scene.disk.heal();
    pass(20);
    REQUIRE(outcome);
    CHECK(outcome->ended);
    return;
  }
  CHECK_FALSE(outcome->ended);
  CHECK(publish_record(scene.writers.front(), "x").status == Status::ok);
  scene.disk.heal();
  pass(20);
  CHECK(scene.topic->view(0).board().durable_offset.load() == 2);
}

TEST_CASE("topic duty: trouble that lasts in one partition hides none in another", "[flusher]") {
  Scene scene;
  scene.publish();
  for (const int p : {0, 2}) {
    REQUIRE(std::next(scene.writers.begin(), p)->try_claim(64, 1).status == Status::ok);
  }
  auto now = std::chrono::steady_clock::now();
  std::vector<std::uint32_t> told;
  for (int second = 0; second < 5; ++second, now += std::chrono::seconds(1)) {
    scene.duty->round(now, now + std::chrono::seconds(1));
    if (const auto trouble = scene.duty->trouble(now)) told.push_back(trouble->partition);
  }
  CHECK(std::ranges::count(told, 0u) == 2);
  CHECK(std::ranges::count(told, 2u) == 2);
}

}  // namespace topic_duty_test
