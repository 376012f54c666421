// Exclusive producers and what ends them, on the real daemon with real processes.

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "client/bus_state.hpp"
#include "ring/writer.hpp"
#include "ringway/ringway.hpp"
#include "support/daemon_process.hpp"

using namespace ringway;
using ringway::test::Child;
using ringway::test::DaemonProcess;

namespace {

const TopicChoices kSmall{.partitions = 2, .ring_bytes = 64 * 1024};
constexpr ProducerOptions kAlone{.partition = 0, .exclusive = true};
constexpr ProducerOptions kBeside{.partition = 0};

control::Open open_as(layout::Role role, bool exclusive = false) {
  control::Open open;
  open.topic = "t";
  open.role = role;
  open.exclusive = exclusive;
  return open;
}

void publish(Producer& producer, std::string_view payload) {
  const auto [status, offset] = producer.publish(payload);
  REQUIRE(status == Status::ok);
}

/// Everything in partition 0 from its beginning, `count` records of it.
std::vector<std::string> take(Bus& bus, std::size_t count) {
  Consumer consumer = bus.consumer("t", {.from = start()});
  std::vector<std::string> values;
  while (values.size() < count) {
    for (const RecordView& record : consumer.poll(100, std::chrono::seconds(1))) {
      values.emplace_back(record.value());
    }
  }
  return values;
}

Error refusal(Bus& bus, const ProducerOptions& options) {
  try {
    Producer producer = bus.producer("t", options);
  } catch (const Error& error) {
    return error;
  }
  throw std::runtime_error("was not refused");
}

bool names(const Error& error, pid_t pid) {
  return error.rule().find("pid " + std::to_string(pid) + ",") != std::string::npos ||
         error.rule().find("pid " + std::to_string(pid) + " ") != std::string::npos;
}

/// What parent and children share beside the bus.
struct Shared {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> published{0};
  std::atomic<int> ended{0};
};
class SharedPage {
 public:
  SharedPage()
      : at_(::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                   0)) {
    new (at_) Shared;
  }
  SharedPage(const SharedPage&) = delete;
  ~SharedPage() { ::munmap(at_, sizeof(Shared)); }
  Shared* operator->() const { return static_cast<Shared*>(at_); }

 private:
  void* at_;
};

/// How far an owner comes with a claim of 64 bytes in partition 0 before it stands still.
enum class Stands { between_intent_and_claim, before_owned, owned };

constexpr int kFenced = 42;

/// An owner that stands still in mid-claim, until it is killed or gets SIGCONT: then it finishes,
/// or learns that it was fenced.
void stand_in_claim(Child& self, const std::string& socket, Stands where) {
  BusState bus(socket, std::chrono::seconds(20), {});
  const OpenHandle handle =
      bus.open(open_as(layout::Role::producer, true), BusState::Patience::until_timeout);
  const ring::PartitionView view = handle.memory->view(0);
  layout::Slot& slot = handle.slots[0];
  ring::Writer<ring::PartitionView, layout::Slot> writer(view, slot);
  writer.abort(writer.try_claim(64, 1), 1);
  const std::uint64_t word = view.tail().load();
  const layout::Tail tail = view.codec().unpack(word);
  const auto win = [&] {
    view.tail().store(view.codec().pack({false, tail.position + 64, tail.offset_low + 1}));
  };
  slot.length.store(layout::pack_length(64, 1));
  slot.tail.store(word);
  slot.word.store(layout::pack_intent(tail.position, layout::Intent::trying));
  if (where != Stands::between_intent_and_claim) win();
  if (where == Stands::owned) {
    slot.word.store(layout::pack_intent(tail.position, layout::Intent::owned));
  }
  self.reached();
  ::raise(SIGSTOP);
  if (where == Stands::between_intent_and_claim) win();
  slot.word.store(layout::pack_intent(tail.position, layout::Intent::owned));
  view.store_header(tail.position, layout::skip_header(64, 1));
  const ring::Claimed claim{Status::ok, tail.position, tail.position, 64, 1};
  if (writer.commit(claim)) {
    self.reached();
    self.stay();
  }
  while (writer.verdict(claim) == ring::Verdict::pending) std::this_thread::yield();
  const bool fenced = writer.verdict(claim) == ring::Verdict::voided;
  ::_exit(fenced && writer.try_claim(64, 1).status == Status::closed ? kFenced : 1);
}

/// Sees whether somebody was asked to share, without producing.
class Watch {
 public:
  explicit Watch(const std::string& socket)
      : bus_(socket, std::chrono::seconds(20), {}),
        handle_(bus_.open(open_as(layout::Role::consumer), BusState::Patience::until_timeout)) {}
  void until_sharing_is_wanted() const {
    while (handle_.memory->board(0).share_wanted.load() == 0) std::this_thread::yield();
  }

 private:
  BusState bus_;
  OpenHandle handle_;
};

}  // namespace

TEST_CASE("exclusive: another producer comes in beside an owner that claims nothing",
          "[exclusive]") {
  DaemonProcess daemon;
  Bus first = daemon.connect(), second = daemon.connect();
  first.create_topic("t", kSmall);
  Producer owner = first.producer("t", kAlone);
  CHECK(owner.exclusive());
  publish(owner, "alone");
  Producer other = second.producer("t", kBeside);
  CHECK_FALSE(owner.exclusive());
  CHECK_FALSE(other.exclusive());
  publish(other, "beside");
  publish(owner, "swapped");
  publish(other, "beside again");
  CHECK(take(first, 4) == std::vector<std::string>{"alone", "beside", "swapped", "beside again"});
}

TEST_CASE("exclusive: at full traffic nothing is lost, doubled or reordered by the change",
          "[exclusive]") {
  const bool supervisor_is_restarted = GENERATE(false, true);
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  const SharedPage shared;
  const auto produce = [&](Child& self, int p, bool exclusive) {
    const struct Ended {
      const SharedPage& page;
      ~Ended() { page->ended.fetch_add(1); }
    } ended{shared};
    Bus own = daemon.connect();
    Producer producer = own.producer("t", exclusive ? kAlone : kBeside);
    if (producer.exclusive() != exclusive) throw std::runtime_error("not as asked for\n");
    self.reached();
    std::uint64_t i = 0;
    while (!shared->stop.load() || i == 0) {
      const std::string payload = std::to_string(p) + ":" + std::to_string(i++);
      if (producer.publish(payload).status != Status::ok) throw std::runtime_error("refused\n");
    }
    if (producer.exclusive()) throw std::runtime_error("still exclusive\n");
    shared->published.fetch_add(i);
  };
  Child owner([&](Child& self) { produce(self, 0, true); });
  REQUIRE(owner.await());
  std::unique_ptr<Child> second;
  Consumer consumer = bus.consumer("t", {.from = start()});
  std::uint64_t next[2] = {0, 0};
  std::uint64_t offset = 0;
  const auto seen = [&] { return next[0] + next[1]; };
  // Who holds records in place must not wait for the producers: it polls until they have ended.
  while (shared->ended.load() < 2 || seen() < shared->published.load()) {
    for (const RecordView& record : consumer.poll(1000, std::chrono::milliseconds(100))) {
      const std::string value(record.value());
      const int p = value[0] - '0';
      REQUIRE(record.offset() == offset++);
      REQUIRE(value.substr(2) == std::to_string(next[p]));
      ++next[p];
    }
    if (next[0] > 5'000 && !second) {
      if (supervisor_is_restarted) {
        daemon.kill();
        daemon.start();
      }
      second = std::make_unique<Child>([&](Child& self) { produce(self, 1, false); });
      REQUIRE(second->await());
    }
    if (next[1] > 5'000) shared->stop = true;
    if (shared->ended.load() > 0) shared->stop = true;  // the other one fails, too
  }
  CHECK(owner.join() == 0);
  CHECK(second->join() == 0);
  CHECK(seen() == shared->published.load());
}

TEST_CASE("exclusive: an owner killed anywhere in a claim leaves nothing in the next one's way",
          "[exclusive]") {
  const Stands where =
      GENERATE(Stands::between_intent_and_claim, Stands::before_owned, Stands::owned);
  const bool waits_already = GENERATE(false, true);
  const bool supervisor_dies_too = GENERATE(false, true);
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  Child owner([&](Child& self) { stand_in_claim(self, daemon.socket(), where); });
  REQUIRE(owner.await());
  std::future<Producer> opened;
  const auto open = [&] {
    opened = std::async(std::launch::async, [&] { return bus.producer("t", kBeside); });
  };
  if (waits_already) {
    const Watch watch(daemon.socket());
    open();
    watch.until_sharing_is_wanted();
  }
  if (supervisor_dies_too) daemon.kill();
  owner.kill();
  if (supervisor_dies_too) daemon.start();
  if (!waits_already) open();
  Producer other = opened.get();
  const auto [status, offset] = other.publish("behind");
  REQUIRE(status == Status::ok);
  CHECK(offset == (where == Stands::between_intent_and_claim ? 1 : 2));
  CHECK(take(bus, 1)[0] == "behind");
}

TEST_CASE("exclusive: whoever waits for an owner that stands still is told its pid",
          "[exclusive]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  Child owner([&](Child& self) {
    stand_in_claim(self, daemon.socket(), Stands::between_intent_and_claim);
  });
  REQUIRE(owner.await());
  Bus hasty = Bus::connect({.socket = daemon.socket(), .timeout = std::chrono::milliseconds(600)});
  const Error busy = refusal(hasty, kBeside);
  CHECK(busy.code() == ErrorCode::busy);
  CHECK(names(busy, owner.pid()));
  // It claims as it meant to, and others come in behind that.
  auto opened = std::async(std::launch::async, [&] { return bus.producer("t", kBeside); });
  ::kill(owner.pid(), SIGCONT);
  REQUIRE(owner.await());
  Producer other = opened.get();
  const auto [status, offset] = other.publish("behind");
  REQUIRE(status == Status::ok);
  CHECK(offset == 2);
  CHECK(take(bus, 1)[0] == "behind");
}

TEST_CASE("exclusive: an owner that owns its claim is not waited for", "[exclusive]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  Bus first = daemon.connect();
  Producer owner = first.producer("t", kAlone);
  Claim claim = owner.claim(3);
  Producer other = bus.producer("t", kBeside);
  publish(other, "behind");
  std::memcpy(claim.payload().data(), "old", 3);
  REQUIRE(claim.commit().status == Status::ok);
  CHECK(take(bus, 2) == std::vector<std::string>{"old", "behind"});
}

TEST_CASE("exclusive: refused while others produce, naming one, and not a moment longer",
          "[exclusive]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  {
    Child other([&](Child& self) {
      Bus own = daemon.connect();
      Producer producer = own.producer("t");
      self.reached();
      self.stay();
    });
    REQUIRE(other.await());
    const Error busy = refusal(bus, kAlone);
    CHECK(busy.code() == ErrorCode::busy);
    CHECK(names(busy, other.pid()));
    other.kill();
    CHECK(bus.producer("t", kAlone).exclusive());  // whoever noticed the death first
  }
  for (int i = 0; i < 50; ++i) {  // what was just closed may be settled yet
    {
      Producer closed = bus.producer("t", i % 2 == 0 ? kBeside : kAlone);
    }
    Producer owner = bus.producer("t", kAlone);
    REQUIRE(owner.exclusive());
    publish(owner, std::to_string(i));
  }
}

TEST_CASE("exclusive: an owner stays one when the supervisor is replaced", "[exclusive]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  Child holder([&](Child& self) {
    Bus own = daemon.connect();
    Producer owner = own.producer("t", kAlone);
    if (owner.publish("alone").status != Status::ok) throw std::runtime_error("refused\n");
    self.reached();
    self.stay();
  });
  REQUIRE(holder.await());
  daemon.kill();
  daemon.start();
  CHECK(names(refusal(bus, kAlone), holder.pid()));
  Producer other = bus.producer("t", kBeside);
  publish(other, "beside");
  daemon.kill();  // and what it has become
  daemon.start();
  Producer third = bus.producer("t", kBeside);
  publish(third, "third");
  CHECK(take(bus, 3) == std::vector<std::string>{"alone", "beside", "third"});
}

TEST_CASE("exclusive: an orderly stop is clean beside an idle owner, which goes on as one",
          "[exclusive]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  Producer owner = bus.producer("t", kAlone);
  publish(owner, "before");
  CHECK(daemon.stop() == 0);
  CHECK(owner.try_publish("refused").status == Status::back_pressured);
  daemon.start();
  publish(owner, "after");
  CHECK(owner.exclusive());
  CHECK(take(bus, 2) == std::vector<std::string>{"before", "after"});
}

TEST_CASE("exclusive: a supervisor without membarrier waits for the owner's next claim",
          "[exclusive]") {
  DaemonProcess daemon;
  Bus first = daemon.connect();
  first.create_topic("t", kSmall);
  Producer owner = first.producer("t", kAlone);
  publish(owner, "alone");
  daemon.kill();
  ::setenv("RINGWAY_WITHOUT", "membarrier", 1);
  daemon.start();
  ::unsetenv("RINGWAY_WITHOUT");
  Bus hasty = Bus::connect({.socket = daemon.socket(), .timeout = std::chrono::milliseconds(600)});
  CHECK(refusal(hasty, kBeside).code() == ErrorCode::busy);
  Bus second = daemon.connect();
  auto opened = std::async(std::launch::async, [&] { return second.producer("t", kBeside); });
  publish(owner, "shared");
  Producer other = opened.get();
  publish(other, "beside");
  CHECK(take(first, 3) == std::vector<std::string>{"alone", "shared", "beside"});
}

TEST_CASE("exclusive: without membarrier it claims as others do, and lets them in at once",
          "[exclusive]") {
  ::setenv("RINGWAY_WITHOUT", "membarrier", 1);
  DaemonProcess daemon;
  ::unsetenv("RINGWAY_WITHOUT");
  Bus first = daemon.connect(), second = daemon.connect();
  first.create_topic("t", kSmall);
  Producer owner = first.producer("t", kAlone);
  CHECK_FALSE(owner.exclusive());
  CHECK(refusal(second, kAlone).code() == ErrorCode::busy);
  Producer other = second.producer("t", kBeside);
  publish(other, "beside");
  publish(owner, "owner");
  CHECK(take(first, 2) == std::vector<std::string>{"beside", "owner"});
}

TEST_CASE("exclusive: an owner keeps the topic to itself through other rings at full traffic",
          "[exclusive]") {
  const bool another_one_comes = GENERATE(false, true);
  constexpr std::uint64_t kRecords = 100'000;
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  const auto produce = [&](Child& self, int p, const ProducerOptions& options) {
    Bus own = daemon.connect();
    Producer producer = own.producer("t", options);
    self.reached();
    for (std::uint64_t i = 0; i < kRecords; ++i) {
      const std::string payload = std::to_string(p) + ":" + std::to_string(i);
      const Status status = producer.publish(payload, {.partition = i % 2}).status;
      if (status != Status::ok) throw std::runtime_error(std::string(to_string(status)) + "\n");
    }
    // Whoever is not exclusive while a ring is being replaced is so again in the next one.
    for (int i = 0; options.exclusive && !another_one_comes && !producer.exclusive(); ++i) {
      if (i == 1000) throw std::runtime_error("exclusive no more\n");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      static_cast<void>(producer.publish("end", {.partition = 0}));
    }
    if (another_one_comes && producer.exclusive()) throw std::runtime_error("exclusive still\n");
  };
  Child owner([&](Child& self) { produce(self, 0, {.exclusive = true}); });
  REQUIRE(owner.await());
  std::unique_ptr<Child> second;
  Consumer consumer = bus.consumer("t", {.from = start()});
  std::atomic<bool> done{false};
  int altered = 0;
  std::thread operator_thread([&] {
    Bus own = daemon.connect();
    while (!done) {
      own.alter_topic("t", {.ring_bytes = altered % 2 == 0 ? 256 * 1024 : 64 * 1024});
      ++altered;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  std::uint64_t next[2][2] = {{0, 1}, {0, 1}}, expected[2] = {0, 0};
  std::uint64_t seen = 0, wrong = 0;
  int silent = 0;
  const std::uint64_t all = (another_one_comes ? 2 : 1) * kRecords;
  while (seen < all && silent < 20) {
    const RecordBatch batch = consumer.poll(1000, std::chrono::seconds(1));
    silent = batch.empty() ? silent + 1 : 0;
    for (const RecordView& record : batch) {
      const std::string value(record.value());
      if (value == "end") continue;
      const int p = value[0] - '0';
      const std::uint32_t partition = record.partition();
      wrong += record.offset() != expected[partition]++;
      wrong += value.substr(2) != std::to_string(next[p][partition]);
      next[p][partition] += 2;
      ++seen;
    }
    if (another_one_comes && !second && seen > kRecords / 4) {
      second = std::make_unique<Child>([&](Child& self) { produce(self, 1, {}); });
      REQUIRE(second->await());
    }
  }
  done = true;
  operator_thread.join();
  CHECK(seen == all);
  CHECK(wrong == 0);
  CHECK(altered > 0);
  CHECK(consumer.take_gaps().empty());
  CHECK(owner.join() == 0);
  if (second) CHECK(second->join() == 0);
  std::printf("%d rings under %llu records\n", altered, static_cast<unsigned long long>(seen));
}

TEST_CASE("exclusive: an owner that stands still anywhere in a claim is fenced, and told",
          "[exclusive]") {
  const Stands where =
      GENERATE(Stands::between_intent_and_claim, Stands::before_owned, Stands::owned);
  const bool by_hand = GENERATE(false, true);
  const bool supervisor_dies = GENERATE(false, true);
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  TopicChoices choices = kSmall;
  choices.when_stopped = WhenStopped::fence;
  choices.stopped_after_ms = 50;
  bus.create_topic("t", choices);
  Child owner([&](Child& self) { stand_in_claim(self, daemon.socket(), where); });
  REQUIRE(owner.await());
  if (by_hand) bus.alter_topic("t", {.ring_bytes = 128 * 1024});
  auto opened = std::async(std::launch::async, [&] { return bus.producer("t", kBeside); });
  if (supervisor_dies) {
    std::this_thread::sleep_for(std::chrono::milliseconds(60));  // on its way, or not yet
    daemon.kill();
    daemon.start();
  }
  Producer other = opened.get();
  const auto [status, offset] = other.publish("behind");
  REQUIRE(status == Status::ok);
  CHECK(take(bus, 1)[0] == "behind");
  CHECK(offset == 2);  // the claim that was taken away has used up its offset
  ::kill(owner.pid(), SIGCONT);
  CHECK(owner.join() == kFenced);
  publish(other, "and on");
  CHECK(take(bus, 2) == std::vector<std::string>{"behind", "and on"});
}

TEST_CASE("exclusive: an owner that stands still is killed where that is the policy",
          "[exclusive]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  TopicChoices choices = kSmall;
  choices.when_stopped = WhenStopped::kill;
  choices.stopped_after_ms = 50;
  bus.create_topic("t", choices);
  Child owner([&](Child& self) {
    stand_in_claim(self, daemon.socket(), Stands::between_intent_and_claim);
  });
  REQUIRE(owner.await());
  Producer other = bus.producer("t", kBeside);
  publish(other, "behind");
  CHECK(owner.join() == -1);  // a signal's work
}

TEST_CASE("exclusive: without such a policy it keeps its ring, and goes on when it wakes up",
          "[exclusive]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  Child owner([&](Child& self) {
    stand_in_claim(self, daemon.socket(), Stands::between_intent_and_claim);
  });
  REQUIRE(owner.await());
  try {
    bus.alter_topic("t", {.ring_bytes = 128 * 1024});
    FAIL("altered");
  } catch (const Error& busy) {
    CHECK(busy.code() == ErrorCode::busy);
    CHECK(names(busy, owner.pid()));
  }
  ::kill(owner.pid(), SIGCONT);
  REQUIRE(owner.await());
  bus.alter_topic("t", {.ring_bytes = 128 * 1024});
  Producer other = bus.producer("t", kBeside);
  CHECK(other.publish("behind").offset.value == 2);
}

TEST_CASE("exclusive: orderly stops at an owner's full traffic are clean", "[exclusive]") {
  constexpr int kStops = 5;
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  const SharedPage shared;
  Child owner([&](Child& self) {
    Bus own = daemon.connect();
    Producer producer = own.producer("t", {.exclusive = true});
    self.reached();
    std::uint64_t i = 0;
    for (; !shared->stop.load(); ++i) {
      const Status status = producer.publish(std::to_string(i), {.partition = 0}).status;
      if (status != Status::ok) throw std::runtime_error(std::string(to_string(status)) + "\n");
      shared->published = i + 1;
    }
    if (!producer.exclusive()) throw std::runtime_error("exclusive no more\n");
  });
  REQUIRE(owner.await());
  for (int i = 0; i < kStops; ++i) {
    const std::uint64_t before = shared->published;
    while (shared->published < before + 1000) std::this_thread::yield();
    CHECK(daemon.stop() == 0);
    daemon.start();
  }
  shared->stop = true;
  CHECK(owner.join() == 0);
  const std::vector<std::string> values = take(bus, shared->published);
  std::uint64_t wrong = 0;
  for (std::size_t i = 0; i < values.size(); ++i) wrong += values[i] != std::to_string(i);
  CHECK(wrong == 0);
}
