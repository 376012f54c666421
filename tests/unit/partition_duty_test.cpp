#include "daemon/partition_duty.hpp"

#include <catch2/catch.hpp>

#include "daemon/nonce_source.hpp"
#include "log/recovery.hpp"
#include "shm/landing.hpp"
#include "support/lost_page.hpp"
#include "support/model_disk.hpp"
#include "unit/ring_fixture.hpp"

using namespace ringway;
using namespace ringway::daemon;
using layout::Hold;
using layout::Role;
using layout::Slot;
using ringway::test::Call;
using ringway::test::ModelDisk;

namespace {

constexpr std::uint64_t kRing = 64 * 1024;
const TopicIdentity kTopic{{9, 9}, "t", 1};

/// One partition with its producer, a model disk, and a clock that moves when told.
struct Bench {
  explicit Bench(std::uint64_t seed, std::uint32_t sync_interval_ms = 5) : disk(seed) {
    TopicSettings settings;
    settings.sync_interval_ms = sync_interval_ms;
    settings.ring_bytes = kRing;
    settings.segment_bytes = 256 * 1024;
    auto memory = TopicMemory::create(kTopic, settings, 8);
    ring::open_ring(memory.view(0), 0, NonceSource());
    memory.publish();
    topic = std::make_shared<ServedTopic>(ServedTopic::Options{kTopic, settings, 1, "t"},
                                          std::move(memory));
    duty = std::make_unique<PartitionDuty>(*topic, 0, disk, disk, events);
    duty->attach({1, Role::producer, 4711, &slot, {}});
    writer.emplace(topic->view(0), slot);
  }

  void round() {
    now += std::chrono::milliseconds(6);  // a batch is due every time
    duty->round(now, [](std::uint64_t, bool) {});
    storage::Completion completion;
    while (disk.reap({&completion, 1}, std::chrono::nanoseconds(0)) == 1) {
      PartitionDuty::complete(completion.token, completion.result);
    }
    const auto& board = topic->view(0).board();
    // G8: no level is ever taken back, and they stay in order.
    REQUIRE(board.durable_offset.load() >= durable);
    REQUIRE(board.written_offset.load() >= board.durable_offset.load());
    REQUIRE(board.committed_offset.load() >= board.written_offset.load());
    durable = board.durable_offset.load();
  }
  /// As many as fit; returns how many.
  int publish(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string payload = std::to_string(published) + std::string(200, '.');
      if (ring::test::publish_record(*writer, payload).status != Status::ok) return i;
      ++published;
    }
    return count;
  }
  Hold hold() { return static_cast<Hold>(topic->view(0).board().hold.load()); }

  /// Everything that recovery and a reader find, or an empty vector and a failed check.
  void check_log_holds_everything() {
    const log::Recovered recovered =
        log::recover(disk, topic->directory(0).string(), log::RecoverMode::inspect);
    CHECK(recovered.damaged.empty());
    CHECK(recovered.end.offset == published);
    std::uint64_t next = 0;
    for (const log::SegmentInfo& info : recovered.segments) {
      const std::string path = topic->directory(0).string() + "/" + info.name;
      log::SegmentReader reader(disk,
                                storage::File(disk, disk.open(path, storage::OpenMode::read)));
      reader.limit_to(info.end);
      log::SegmentWalk walk(reader);
      walk.seek_offset(info.first.offset);
      log::Record record;
      while (walk.next(record) == log::ReadStatus::ok) {
        const std::string_view body(reinterpret_cast<const char*>(record.body.data()),
                                    record.header.payload_bytes);
        REQUIRE(record.at.offset == next);
        REQUIRE(body.substr(0, body.find('.')) == std::to_string(next));
        ++next;
      }
    }
    CHECK(next == published);
  }

  void damage_first_record() {
    std::vector<std::string> names;
    REQUIRE(disk.list(topic->directory(0).string(), names) == 0);
    REQUIRE(names.size() == 1);
    const storage::File file(
        disk, disk.open(topic->directory(0).string() + "/" + names[0], storage::OpenMode::write));
    log::SegmentHeader header;
    REQUIRE(disk.read(file.descriptor(), std::as_writable_bytes(std::span(&header, 1)), 0) ==
            sizeof header);
    REQUIRE(disk.write(file.descriptor(), std::vector(64, std::byte{0xee}), header.data_start) ==
            0);
  }

  ModelDisk disk;
  std::vector<std::string> lines;
  std::function<void()> on_line;
  EventLog events{[this](Severity, std::string_view line) {
    lines.emplace_back(line);
    if (on_line) on_line();
  }};
  Slot slot{};
  std::shared_ptr<ServedTopic> topic;
  std::unique_ptr<PartitionDuty> duty;
  std::optional<ring::test::PlainWriter> writer;
  SteadyTime now{};
  std::uint64_t published = 0;
  std::uint64_t durable = 0;
};

}  // namespace

TEST_CASE("duty: a full disk holds producers back, is named, and heals by itself", "[flusher]") {
  Bench bench(1);
  bench.publish(50);
  for (int i = 0; i < 5; ++i) bench.round();
  CHECK(bench.durable == 50);
  bench.disk.capacity = 0;
  bool refused = false;
  for (int i = 0; i < 2000 && !refused; ++i) {
    refused = bench.publish(20) < 20;
    bench.round();
  }
  REQUIRE(refused);
  for (int i = 0; i < 5; ++i) bench.round();
  CHECK(bench.hold() == Hold::disk_full);
  CHECK(bench.durable < bench.published);
  CHECK_THAT(bench.lines.back(), Catch::Contains("log_write_refused"));
  bench.disk.capacity = ~std::uint64_t{0};
  for (int i = 0; i < 200 && bench.durable < bench.published; ++i) bench.round();
  CHECK(bench.durable == bench.published);
  bench.round();
  CHECK(bench.hold() == Hold::none);
  CHECK(bench.publish(20) == 20);
  for (int i = 0; i < 20; ++i) bench.round();
  bench.check_log_holds_everything();
}

TEST_CASE("duty: every file call may fail, once or for a while, and nothing is lost", "[flusher]") {
  const Call call = GENERATE(Call::open, Call::write, Call::sync, Call::reserve, Call::rename,
                             Call::sync_directory, Call::batch_write, Call::batch_sync);
  const int nth = GENERATE(1, 2, 3, 5);
  const bool lasting = GENERATE(false, true);
  const int error = GENERATE(EIO, ENOSPC);
  CAPTURE(static_cast<int>(call), nth, lasting, error);
  Bench bench(static_cast<std::uint64_t>(nth));
  bench.publish(30);
  for (int i = 0; i < 4; ++i) bench.round();
  bench.disk.fail(call, nth, error, lasting);
  for (int i = 0; i < 300; ++i) {  // enough to roll several segments
    bench.publish(40);
    bench.round();
  }
  bench.disk.heal();
  for (int i = 0; i < 300 && bench.durable < bench.published; ++i) bench.round();
  REQUIRE(bench.durable == bench.published);
  bench.check_log_holds_everything();
}

TEST_CASE("duty: space that was durable but not handed back is, after adoption", "[flusher]") {
  Bench bench(1);
  // 256-byte records fill the ring to its last byte: everything durable ends on a page.
  while (ring::test::publish_record(*bench.writer, std::string(224, 'x')).status == Status::ok) {
    ++bench.published;
  }
  REQUIRE(bench.published == kRing / 256);
  for (int i = 0; i < 20 && bench.durable < bench.published; ++i) bench.round();
  REQUIRE(bench.durable == bench.published);
  bench.duty.reset();
  // As if the supervisor had died between the two.
  auto& limit = bench.topic->view(0).limit();
  limit.store(kRing);
  bench.topic->log_start(0) =
      log::recover(bench.disk, bench.topic->directory(0).string(), log::RecoverMode::repair)
          .go_on();
  bench.duty =
      std::make_unique<PartitionDuty>(*bench.topic, 0, bench.disk, bench.disk, bench.events);
  bench.round();
  CHECK(limit.load() > kRing);
}

TEST_CASE("duty: a ring with a page punched out is quarantined, and the supervisor lives",
          "[flusher]") {
  shm::install_landing();
  Bench bench(1);
  bench.publish(5);
  for (int i = 0; i < 5; ++i) bench.round();
  REQUIRE(bench.durable == 5);
  std::byte* const second_page = bench.topic->view(0).at(test::kPageBytes);
  SECTION("of its records") {
    bench.publish(30);
    test::lose_pages_at(second_page, 1);
  }
  SECTION("of its tails") {
    // They begin a page of their own.
    test::lose_pages_at(reinterpret_cast<std::byte*>(&bench.topic->view(0).tail()), 1);
  }
  for (int i = 0; i < 50; ++i) bench.round();
  CHECK(bench.hold() == Hold::quarantined);
  CHECK_THAT(bench.lines.back(), Catch::Contains("punched out"));
}

TEST_CASE("duty: a claim that nobody made quarantines its partition, an honest one does not",
          "[flusher]") {
  Bench bench(1);
  bench.publish(5);
  for (int i = 0; i < 5; ++i) bench.round();
  SECTION("forged") {
    const auto view = bench.topic->view(0);
    const layout::Tail tail = view.codec().unpack(view.tail().load());
    view.tail().store(view.codec().pack({false, tail.position + 64, tail.offset_low + 1}));
    for (int i = 0; i < 200; ++i) bench.round();  // 1.2 s
    CHECK(bench.hold() == Hold::quarantined);
    CHECK(bench.duty->drained());
    // The next supervisor keeps it so.
    bench.topic->log_start(0) =
        log::recover(bench.disk, bench.topic->directory(0).string(), log::RecoverMode::repair)
            .go_on();
    bench.duty =
        std::make_unique<PartitionDuty>(*bench.topic, 0, bench.disk, bench.disk, bench.events);
    bench.round();
    CHECK(bench.hold() == Hold::quarantined);
    CHECK(bench.publish(1) == 0);
  }
  SECTION("honest, of a producer that stands still") {
    const ring::Claimed claimed = bench.writer->try_claim(64, 1);
    for (int i = 0; i < 1000; ++i) bench.round();
    CHECK(bench.hold() == Hold::stopped_claim);
    bench.writer->abort(claimed, 1);
    for (int i = 0; i < 5; ++i) bench.round();
    CHECK(bench.hold() == Hold::none);
  }
}

TEST_CASE("duty: a tail that was put back behind committed records is quarantined", "[flusher]") {
  Bench bench(1);
  bench.publish(50);
  for (int i = 0; i < 5; ++i) bench.round();
  REQUIRE(bench.hold() == Hold::none);
  const auto view = bench.topic->view(0);
  const layout::Tail tail = view.codec().unpack(view.tail().load());
  SECTION("by a record") {
    view.tail().store(view.codec().pack({false, tail.position - 32, tail.offset_low}));
  }
  SECTION("by everything, as a hole that was filled again") {
    view.tail().store(0);
  }
  bench.round();
  CHECK(bench.hold() == Hold::quarantined);
  CHECK_THAT(bench.lines.back(), Catch::Contains("put back"));
  CHECK(bench.publish(1) == 0);
  for (int i = 0; i < 5; ++i) bench.round();
  CHECK(bench.duty->drained());
  // Nor does it help to open it again.
  view.tail().store(view.codec().pack(tail));
  bench.round();
  CHECK(view.codec().unpack(view.tail().load()).closed);
}

TEST_CASE("duty: a slow claim that ends while it is looked at is no forgery", "[flusher]") {
  Bench bench(1, 1100);
  bench.publish(5);
  const ring::Claimed claimed = bench.writer->try_claim(64, 1);
  // The first batch is due when the claim has stood for long: that it is refused is said after the
  // stamps were looked at and before the slots are.
  bench.disk.capacity = 0;
  bench.on_line = [&] { bench.writer->abort(claimed, 1); };
  for (int i = 0; i < 200; ++i) bench.round();
  REQUIRE_FALSE(bench.lines.empty());
  CHECK(bench.hold() == Hold::disk_full);
}

TEST_CASE("duty: a dead producer's spoiled slot is given up in the end", "[flusher]") {
  Bench bench(1);
  bench.publish(5);
  for (int i = 0; i < 5; ++i) bench.round();
  const auto claimed = bench.writer->try_claim(64, 1);
  REQUIRE(claimed.status == Status::ok);
  // It says that it only tried, and a length that ends nowhere.
  bench.slot.length.store(layout::pack_length(32, 1));
  bench.slot.word.store(layout::pack_intent(claimed.position, layout::Intent::trying));
  REQUIRE_FALSE(bench.duty->release(1));
  bool settled = false;
  for (int i = 0; i < 1100 && !settled; ++i) {
    bench.now += std::chrono::milliseconds(1);
    bench.duty->round(bench.now, [&](std::uint64_t, bool repaired) { settled = !repaired; });
  }
  CHECK(settled);
}

TEST_CASE("duty: a quiet log says in its file how far it is durable", "[flusher]") {
  Bench bench(1);
  bench.publish(5);
  for (int i = 0; i < 20 && bench.durable < 5; ++i) bench.round();
  for (int i = 0; i < 20 && !bench.duty->quiet(); ++i) bench.round();
  REQUIRE(bench.duty->quiet());
  REQUIRE(bench.durable == 5);
  bench.damage_first_record();
  const log::Recovered recovered =
      log::recover(bench.disk, bench.topic->directory(0).string(), log::RecoverMode::inspect);
  // Damage below what is known to be durable is no torn tail: nothing is cut off there.
  CHECK_FALSE(recovered.torn);
  CHECK(recovered.end.offset == 5);
}
