#include "daemon/flusher.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "daemon/nonce_source.hpp"
#include "daemon/served_topic.hpp"
#include "ring/bell.hpp"
#include "ring/writer.hpp"
#include "shm/park.hpp"
#include "storage/posix_file_system.hpp"
#include "support/system_call_filter.hpp"
#include "support/temporary_directory.hpp"
#include "unit/ring_fixture.hpp"

namespace flusher_test {

using namespace ringway;
using namespace ringway::daemon;
using layout::Role;
using layout::Slot;

namespace {

/// A topic on real memory files and a real directory, served by a real flusher thread; the test
/// plays the producers. Their slots are declared before it, for its thread reads them until it
/// ends.
struct Served {
  explicit Served(TopicSettings settings) {
    std::filesystem::create_directories(directory / "0");
    const TopicIdentity identity{{1, 2, 3}, "t", 1};
    auto memory = daemon::TopicMemory::create(identity, settings, 8);
    for (std::uint32_t p = 0; p < settings.partitions; ++p) {
      ring::open_ring(memory.view(p), 0, NonceSource());
    }
    memory.publish();
    topic = std::make_shared<ServedTopic>(ServedTopic::Options{identity, settings, 1, directory},
                                          std::move(memory));
  }
  ~Served() {
    flusher.reset();
    topic.reset();
  }
  void serve() {
    flusher = std::make_unique<Flusher>(Flusher::Options{file_system, doorbells, events});
    flusher->add(topic);
  }
  void attach(std::uint64_t handle, Role role, const Slot& slot, bool exclusive = false) {
    std::promise<void> done;
    flusher->attach(topic, {handle, role, 4711, &slot, {}, true, exclusive},
                    [&] { done.set_value(); });
    done.get_future().wait();
  }
  std::future<void> share() {
    const auto done = std::make_shared<std::promise<void>>();
    flusher->share(topic, [done] { done->set_value(); });
    return done->get_future();
  }
  std::uint32_t release(std::uint64_t handle) {
    std::promise<std::uint32_t> done;
    flusher->release(topic, handle, [&](std::uint32_t repaired) { done.set_value(repaired); });
    return done.get_future().get();
  }
  bool drain() {
    std::promise<bool> done;
    flusher->drain(std::chrono::steady_clock::now() + std::chrono::seconds(60),
                   [&](bool complete) { done.set_value(complete); });
    return done.get_future().get();
  }
  layout::BoardPartition& board() { return topic->view(0).board(); }
  void ring() {
    if (topic->memory().bell().sleepers.exchange(0) != 0) ring_doorbell(doorbell.get());
  }
  void await(const std::atomic<std::uint64_t>& mark, std::uint64_t value) {
    while (mark.load() < value) {
      const auto progress = board().progress.load();
      topic->memory().bell(0).progress_waiters.store(1);
      std::atomic_thread_fence(std::memory_order_seq_cst);
      if (mark.load() >= value) return;
      shm::park(board().progress, progress, std::chrono::milliseconds(250));
    }
  }
  ring::Claimed publish(ring::test::PlainWriter& writer, std::string_view payload) {
    for (;;) {
      const ring::Claimed claim = ring::test::publish_record(writer, payload);
      if (claim.status != Status::back_pressured) {
        ring();
        return claim;
      }
      std::this_thread::yield();
    }
  }

  storage::PosixFileSystem file_system;
  test::TemporaryDirectory temporary;
  std::filesystem::path directory = temporary.path();
  EventLog events{[](const Event&) {}};
  Doorbells doorbells;
  shm::Descriptor doorbell = doorbells.make();
  std::shared_ptr<ServedTopic> topic;
  std::unique_ptr<Flusher> flusher;
};

TopicSettings small() {
  TopicSettings settings;
  settings.ring_bytes = 64 * 1024;
  settings.segment_bytes = 256 * 1024;
  return settings;
}

/// 20,000 records of 64 bytes: 30 laps of the ring, 8 segments.
void carry_many_rings(SyncPolicy sync) {
  TopicSettings settings = small();
  settings.sync = sync;
  Slot slot{};
  Served served(settings);
  served.serve();
  served.attach(1, Role::producer, slot);
  ring::test::PlainWriter writer(served.topic->view(0), slot);
  constexpr std::uint64_t kRecords = 20'000;
  for (std::uint64_t i = 0; i < kRecords; ++i) {
    REQUIRE(served.publish(writer, std::string(64, 'x')).offset == i);
  }
  served.await(served.board().durable_offset, kRecords);
  CHECK(served.board().committed_offset.load() == kRecords);
  CHECK(served.board().written_offset.load() == kRecords);
  CHECK(served.topic->segments(0).snapshot().size() > 5);
  CHECK(served.drain());
  CHECK(ring::test::publish_record(writer, "late").status == Status::closed);
}

}  // namespace

TEST_CASE("flusher: carries many rings' worth of records to durable and rolls segments",
          "[flusher]") {
  carry_many_rings(GENERATE(SyncPolicy::every_batch, SyncPolicy::interval));
}

TEST_CASE("flusher: with sync = never it goes on behind its first full segment", "[flusher]") {
  carry_many_rings(SyncPolicy::never);
}

TEST_CASE("flusher: a dead producer's claim is finished while others go on", "[flusher]") {
  Slot dead{}, live{};
  Served served(small());
  served.serve();
  served.attach(1, Role::producer, dead);
  served.attach(2, Role::producer, live);
  ring::test::PlainWriter victim(served.topic->view(0), dead), other(served.topic->view(0), live);
  served.publish(other, "before");
  REQUIRE(victim.try_claim(96, 1).status == Status::ok);
  served.publish(other, "behind");
  CHECK(served.release(1) == 1);
  served.await(served.board().committed_offset, 3);
  CHECK(served.board().repairs.load() == 1);
  served.await(served.board().durable_offset, 3);
  CHECK(served.board().hole[0].offset.load() == 1);
  CHECK(served.release(2) == 0);
}

TEST_CASE("flusher: a pin holds the ring back and its holder is named", "[flusher]") {
  Slot producer{}, consumer{};
  Served served(small());
  served.serve();
  consumer.pin.store(0);
  served.attach(1, Role::producer, producer);
  served.attach(2, Role::consumer, consumer);
  ring::test::PlainWriter writer(served.topic->view(0), producer);
  std::uint64_t count = 0;
  while (ring::test::publish_record(writer, std::string(1000, 'x')).status == Status::ok) {
    ++count;
    served.ring();
  }
  CHECK(count >= 60);
  served.await(served.board().durable_offset, count);
  while (served.board().hold.load() != static_cast<std::uint32_t>(layout::Hold::pinned)) {
    std::this_thread::yield();
  }
  CHECK(served.board().hold_pid.load() == 4711);
  CHECK(served.board().limit.load() == 64 * 1024);
  consumer.pin.store(layout::kNoPin);
  served.publish(writer, "goes on");
}

TEST_CASE("flusher: without persistence an overwriting ring never blocks its producer",
          "[flusher]") {
  TopicSettings settings = small();
  settings.persist = false;
  settings.when_full = WhenFull::overwrite;
  Slot producer{}, consumer{};
  Served served(settings);
  served.serve();
  consumer.pin.store(0);
  served.attach(1, Role::producer, producer);
  served.attach(2, Role::consumer, consumer);
  ring::test::PlainWriter writer(served.topic->view(0), producer);
  for (int i = 0; i < 10'000; ++i) served.publish(writer, std::string(64, 'x'));
  served.await(served.board().committed_offset, 10'000);
  CHECK(served.board().first_offset.load() > 9'000);
  CHECK(served.drain());
}

TEST_CASE("flusher: a record that cannot be followed quarantines its partition", "[flusher]") {
  Slot slot{};
  Served served(small());
  served.serve();
  served.attach(1, Role::producer, slot);
  ring::test::PlainWriter writer(served.topic->view(0), slot);
  const auto claim = writer.try_claim(64, 1);
  layout::RecordHeader nonsense{};
  nonsense.kind = 99;
  writer.view().store_header(claim.position, nonsense);
  writer.commit(claim);
  served.ring();
  while (served.board().hold.load() != static_cast<std::uint32_t>(layout::Hold::quarantined)) {
    std::this_thread::yield();
  }
  CHECK(ring::test::publish_record(writer, "late").status == Status::closed);
}

namespace {

struct ExclusiveSlot : Slot {
  ExclusiveSlot() : Slot{} { mode.store(static_cast<std::uint32_t>(layout::ClaimMode::exclusive)); }
};

/// A claim of one record of 64 bytes, step by step.
struct SlowClaim {
  SlowClaim(const ring::PartitionView& of, Slot& claimant)
      : view(of), slot(claimant), word(view.tail().load()), begin(view.codec().unpack(word)) {}

  void intend() {
    slot.length.store(layout::pack_length(64, 1));
    slot.tail.store(word);
    slot.word.store(layout::pack_intent(begin.position, layout::Intent::trying));
  }
  void win() {
    view.tail().store(view.codec().pack({false, begin.position + 64, begin.offset_low + 1}));
    slot.word.store(layout::pack_intent(begin.position, layout::Intent::owned));
  }
  void commit() {
    ring::test::fill(view, begin.position, "slow");
    view.stamp(begin.position).store(ring::current_stamp(view, begin.position));
    slot.word.store(0);
  }

  ring::PartitionView view;
  Slot& slot;
  std::uint64_t word;
  layout::Tail begin;
};

}  // namespace

TEST_CASE("flusher: an exclusive producer that claims nothing shares at once", "[flusher]") {
  ExclusiveSlot slot;
  Slot beside{};
  ExclusiveSlot next;
  Served served(small());
  served.serve();
  served.attach(1, Role::producer, slot, true);
  ring::test::PlainWriter owner(served.topic->view(0), slot);
  served.publish(owner, "alone");
  CHECK(owner.exclusive());
  served.share().wait();
  CHECK_FALSE(owner.exclusive());
  served.attach(2, Role::producer, beside);
  ring::test::PlainWriter other(served.topic->view(0), beside);
  CHECK(served.publish(other, "beside").offset == 1);
  CHECK(served.publish(owner, "swapped").offset == 2);

  // Whoever comes when all are gone has the topic for itself again.
  served.release(1);
  served.release(2);
  served.attach(3, Role::producer, next, true);
  CHECK(ring::test::PlainWriter(served.topic->view(0), next).exclusive());
}

TEST_CASE("flusher: nobody shares with an owner between intent and claim, until it is dead",
          "[flusher]") {
  ExclusiveSlot slot;
  Served served(small());
  served.serve();
  served.attach(1, Role::producer, slot, true);
  SlowClaim claim(served.topic->view(0), slot);
  claim.intend();
  auto shared = served.share();
  CHECK(shared.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout);
  SECTION("it goes on") {
    claim.win();
    shared.wait();
    claim.commit();
    CHECK(served.release(1) == 0);
  }
  SECTION("it dies without its claim") {
    CHECK(served.release(1) == 0);
    shared.wait();
  }
  SECTION("it dies with its claim") {
    served.topic->view(0).tail().store(
        claim.view.codec().pack({false, claim.begin.position + 64, claim.begin.offset_low + 1}));
    CHECK(served.release(1) == 1);
    shared.wait();
  }
}

TEST_CASE("flusher: an orderly stop is clean beside an exclusive producer", "[flusher]") {
  ExclusiveSlot slot;
  Served served(small());
  served.serve();
  served.attach(1, Role::producer, slot, true);
  ring::test::PlainWriter owner(served.topic->view(0), slot);
  served.publish(owner, "one");
  SECTION("that claims nothing") {
    CHECK(served.drain());
    CHECK(served.board().durable_offset.load() == 1);
  }
  SECTION("that stands between intent and claim: its tail is closed behind that") {
    SlowClaim claim(served.topic->view(0), slot);
    claim.intend();
    auto drained = std::async(std::launch::async, [&] { return served.drain(); });
    CHECK(drained.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout);
    claim.win();
    claim.commit();
    CHECK(drained.get());
    CHECK(served.board().durable_offset.load() == 2);
  }
  CHECK(ring::test::publish_record(owner, "late").status == Status::closed);
}

namespace {

/// Tells when a topic makes its first file, in the flusher's thread.
class ToldFileSystem final : public storage::PosixFileSystem {
 public:
  std::function<void(const std::string& directory)> makes;
  int make_directories(const std::string& path) noexcept override {
    makes(path);
    return PosixFileSystem::make_directories(path);
  }
};

/// One of several topics with a producer each.
struct Neighbour {
  Neighbour(std::uint8_t number, const std::filesystem::path& directory) {
    TopicSettings settings = small();
    settings.sync = SyncPolicy::every_batch;
    const TopicIdentity identity{{number}, "t" + std::to_string(number), 1};
    auto memory = daemon::TopicMemory::create(identity, settings, 8);
    ring::open_ring(memory.view(0), 0, NonceSource());
    memory.publish();
    topic = std::make_shared<ServedTopic>(ServedTopic::Options{identity, settings, 1, directory},
                                          std::move(memory));
    writer.emplace(topic->view(0), slot);
  }
  bool sleeps() const {
    return (topic->memory().bell().sleepers.load() & layout::kSupervisorSleeps) != 0;
  }
  void publish() { CHECK(ring::test::publish_record(*writer, "x").status == Status::ok); }
  bool committed() const { return topic->view(0).board().committed_offset.load() != 0; }

  Slot slot{};
  std::shared_ptr<ServedTopic> topic;
  std::optional<ring::test::PlainWriter> writer;
};

}  // namespace

TEST_CASE("flusher: a topic that slept hears its producers while others leave no time to sleep",
          "[flusher]") {
  ToldFileSystem file_system;
  const test::TemporaryDirectory directory;
  const EventLog events{[](const Event&) {}};
  Doorbells doorbells;
  const shm::Descriptor doorbell = doorbells.make();
  // Wherever a round begins, one that sleeps lies behind each that is busy.
  std::list<Neighbour> sleepers, busy;
  for (std::uint8_t i = 0; i < 4; ++i) {
    (i % 2 == 0 ? busy : sleepers).emplace_back(i, directory / std::to_string(i));
  }
  const auto ring = [&](std::list<Neighbour>& topics) {
    for (Neighbour& one : topics) one.publish();
    for (Neighbour& one : topics) one.topic->memory().bell().sleepers.exchange(0);
    ring_doorbell(doorbell.get());
  };
  std::atomic<int> busy_ones = 0, heard = 0;
  file_system.makes = [&](const std::string& path) {
    if (path != directory / "0/0" && path != directory / "2/0") return;
    if (++busy_ones == 1) {
      ring(sleepers);
      const auto slice = std::chrono::steady_clock::now() + std::chrono::milliseconds(3);
      while (std::chrono::steady_clock::now() < slice) {
      }
    } else {
      heard = static_cast<int>(std::ranges::count_if(sleepers, &Neighbour::committed));
    }
  };
  Flusher flusher({file_system, doorbells, events});
  for (auto a = busy.begin(), b = sleepers.begin(); a != busy.end(); ++a, ++b) {
    flusher.add(a->topic);
    flusher.add(b->topic);
  }
  const auto wait_until = [](auto&& reached) {
    while (!reached()) std::this_thread::yield();
  };
  for (auto* topics : {&busy, &sleepers}) {
    wait_until([&] { return std::ranges::all_of(*topics, &Neighbour::sleeps); });
  }
  ring(busy);
  wait_until(
      [&] { return busy_ones == 2 && std::ranges::all_of(sleepers, &Neighbour::committed); });
  CHECK(heard > 0);
}

TEST_CASE("flusher: a write that is done is synced, and told, without a pause", "[flusher]") {
  using Clock = std::chrono::steady_clock;
  constexpr auto kPause = std::chrono::milliseconds(1);  // between two rounds
  TopicSettings settings = small();
  settings.sync = SyncPolicy::every_batch;
  Slot slot{};
  Served served(settings);
  served.serve();
  served.attach(1, Role::producer, slot);
  ring::test::PlainWriter writer(served.topic->view(0), slot);
  const shm::Descriptor file(
      ::open((served.directory / "bare").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const std::string bytes(8192, 'x');
  // The shortest of many: a pause is never shorter, however busy the machine is.
  auto told = Clock::duration::max(), bare = Clock::duration::max();
  for (std::uint64_t i = 0; i < 300; ++i) {
    auto from = Clock::now();
    REQUIRE(served.publish(writer, "x").offset == i);
    served.topic->memory().bell(0).sync_wanted.store(1);
    ring_doorbell(served.doorbell.get());
    served.await(served.board().durable_offset, i + 1);
    told = std::min(told, Clock::now() - from);
    from = Clock::now();
    REQUIRE(::pwrite(file.get(), bytes.data(), bytes.size(), 0) == 8192);
    REQUIRE(::fdatasync(file.get()) == 0);
    bare = std::min(bare, Clock::now() - from);
  }
  CHECK(told < bare + kPause);
}

TEST_CASE("flusher: an io_uring that the kernel refuses is named in the log", "[flusher]") {
  const pid_t child = ::fork();
  if (child == 0) {
    using namespace test::filter;
    apply({unless(SYS_io_uring_setup, 1), verdict(SECCOMP_RET_ERRNO | EPERM), allow()});
    storage::PosixFileSystem file_system;
    Doorbells doorbells;
    std::string said;
    const EventLog events{[&](const Event& event) { said += line_of(event); }};
    const Flusher flusher({file_system, doorbells, events});
    const bool named = said.find("io_uring_refused") != said.npos &&
                       said.find("Operation not permitted") != said.npos &&
                       said.find("seccomp") != said.npos;
    ::_exit(flusher.engine_name() != "pwrite" ? 1 : named ? 0 : 2);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace flusher_test
