// Records held in place for too long: each holder may keep the ring it holds, up to the topic's
// bytes of such rings; beyond them producers wait, or the holder loses its in-place reading, or its
// life (G4).

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "ringway/ringway.hpp"
#include "support/command_line.hpp"
#include "support/cue.hpp"
#include "support/daemon_process.hpp"
#include "support/records.hpp"

using namespace ringway;
using ringway::test::Child;
using ringway::test::Cue;
using ringway::test::DaemonProcess;
using ringway::test::said;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kRing = 64 * 1024;
constexpr const char* kCopies = "\"reads\": \"copies\"";

/// The `number`-th record of a topic: the number, over and over. Soon made, so that who reads them
/// spends its time at reading.
std::string_view content(std::uint64_t number) {
  static std::uint64_t words[128];
  std::ranges::fill(words, number);
  return {reinterpret_cast<const char*>(words), sizeof words};
}

/// A topic and a producer that knows how many records there are.
struct World {
  explicit World(const TopicChoices& choices) { bus.create_topic("t", choices); }

  Status publish(Timeout timeout = 60s) {
    if (!producer) producer.emplace(bus.producer("t"));
    const Status status = producer->publish(content(published), {.timeout = timeout}).status;
    if (status == Status::ok) ++published;
    return status;
  }
  /// So much that every place of the ring is used again.
  void publish_laps(int laps) {
    for (std::uint64_t bytes = 0; bytes < static_cast<std::uint64_t>(laps) * kRing; bytes += 1000) {
      REQUIRE(to_string(publish()) == "ok");
    }
  }
  /// Until there is no room, and for a while there comes none.
  void publish_until_full(Timeout patience) {
    for (;;) {
      const Status status = publish(patience);
      if (status != Status::ok) {
        REQUIRE(to_string(status) == "timeout");
        return;
      }
      REQUIRE(published < 100'000);
    }
  }
  void publish_until_it_copies() {
    do {
      static_cast<void>(publish(50ms));
    } while (inspected().find(kCopies) == std::string::npos);
  }
  /// Whether it holds a record of the ring in place.
  bool pinned_by(pid_t pid) {
    const auto partition = nlohmann::json::parse(inspected()).at("partitions").at(0);
    return std::ranges::any_of(partition.at("cursors"), [&](const auto& cursor) {
      return cursor.at("pid") == pid && !cursor.at("pin").is_null();
    });
  }
  std::string inspected() { return said("inspect t --output json", daemon.socket()).text; }

  DaemonProcess daemon;
  Bus bus = daemon.connect();
  std::optional<Producer> producer;
  std::uint64_t published = 0;
};

/// A process that reads what comes from now on, and has one record of it in its hands. On its cue
/// it looks whether that is what it was; then it lets go and says so, or reads to the end, says so,
/// and holds what comes next.
struct Holder {
  enum class Ends : unsigned char { by_letting_go, by_reading_on };

  Holder(World& world, Ends ends) {
    child = std::make_unique<Child>([&](Child& self) {
      Bus own = world.daemon.connect();
      Consumer consumer = own.consumer("t", {.from = end()});
      self.reached();
      RecordBatch batch = consumer.poll(1, 60s);
      for (;; batch = consumer.poll(1, 60s)) {
        if (batch.size() != 1) ::_exit(2);
        self.reached();
        cue.await();
        if (world.pinned_by(::getpid())) break;
        consumer.advance();
      }
      std::uint64_t next = batch[0].offset();
      const auto check = [&] {
        for (const RecordView& record : batch) {
          if (record.offset() != next) ::_exit(3);
          if (record.value() != content(next)) ::_exit(4);
          ++next;
        }
      };
      for (;;) {
        self.reached();
        cue.await();
        check();
        if (ends == Ends::by_letting_go) {
          consumer.advance();
          self.reached();
          cue.await();
          ::_exit(42);
        }
        while (!(batch = consumer.poll(50)).empty()) check();
        self.reached();
        batch = consumer.poll(50, 60s);
        if (batch.empty() || !consumer.take_gaps().empty()) ::_exit(5);
      }
    });
    // The first ones it may get from the log: they are durable soon, and then the table need not
    // know of a boundary before them that is still in the ring.
    REQUIRE(child->await());
    for (bool holds = false; !holds; cue.give()) {
      REQUIRE(to_string(world.publish()) == "ok");
      REQUIRE(child->await());
      holds = world.pinned_by(child->pid());
    }
    REQUIRE(child->await());
  }
  std::string pid() const { return std::to_string(child->pid()); }

  Cue cue;
  std::unique_ptr<Child> child;
};

}  // namespace

TEST_CASE("pin: each holder keeps a ring of its own, until there are enough of them", "[pin]") {
  World world({.ring_bytes = kRing, .pin_budget_ms = 50, .retired_bytes_max = 2 * kRing});
  Holder one(world, Holder::Ends::by_letting_go);
  world.publish_laps(3);
  Holder two(world, Holder::Ends::by_letting_go);
  world.publish_laps(3);
  Holder* first = &one;
  SECTION("under one supervisor") {}
  SECTION("also under the next one, which finds them") {
    world.daemon.kill();
    world.daemon.start();
    first = &two;
  }
  Holder three(world, Holder::Ends::by_letting_go);
  // Long enough to be told of it twice.
  world.publish_until_full(2500ms);
  const std::string culprit = "pinned by pid " + three.pid();
  CHECK_THAT(world.producer->why(), Catch::Contains(three.pid()));
  CHECK_THAT(said("status", world.daemon.socket()).text, Catch::Contains(culprit));
  // Whoever lets go gives a ring back, moved or not; what it held until then is what it was.
  first->cue.give();
  REQUIRE(first->child->await());
  world.publish_laps(3);
  for (Holder* holder : {&one, &two, &three}) {
    if (holder != first) {
      holder->cue.give();
      REQUIRE(holder->child->await());
    }
    holder->cue.give();
    CHECK(holder->child->join() == 42);
  }
}

TEST_CASE("pin: an idle handle that has not moved along keeps nobody from another ring", "[pin]") {
  // Of rings that are held, one at a time.
  World world({.ring_bytes = kRing, .pin_budget_ms = 50, .retired_bytes_max = kRing});
  const Producer idle = world.bus.producer("t");
  for (int i = 0; i < 2; ++i) {
    Holder holder(world, Holder::Ends::by_letting_go);
    world.publish_laps(2);
    holder.cue.give();
    REQUIRE(holder.child->await());
    holder.cue.give();
    CHECK(holder.child->join() == 42);
  }
}

TEST_CASE("pin: who is given copies reads on whole, and nobody waits for it again", "[pin]") {
  World world({.ring_bytes = kRing,
               .pin_budget_ms = 50,
               .retired_bytes_max = 1,
               .when_pinned = WhenPinned::copy});
  Holder holder(world, Holder::Ends::by_reading_on);
  CHECK_THAT(world.inspected(), Catch::Contains("\"reads\": \"in place\""));
  world.publish_until_it_copies();
  // What it holds by then is not taken from it.
  world.publish_until_full(500ms);
  CHECK_THAT(said("status --output json", world.daemon.socket()).text,
             Catch::Contains("\"copying\"") && Catch::Contains(holder.pid()));
  const auto goes_round = [&](int times) {
    for (int i = 0; i < times; ++i) {
      holder.cue.give();
      REQUIRE(holder.child->await());
      REQUIRE(to_string(world.publish()) == "ok");
      REQUIRE(holder.child->await());
      world.publish_laps(2);
    }
  };
  goes_round(5);
  // The next supervisor knows, and so does the next ring.
  world.daemon.kill();
  world.daemon.start();
  goes_round(3);
  world.bus.alter_topic("t", {.ring_bytes = kRing});
  goes_round(3);
  world.daemon.kill();
  world.daemon.start();
  goes_round(3);
  CHECK_THAT(world.inspected(), Catch::Contains(kCopies));
}

TEST_CASE("pin: copies are whole while a producer overtakes who takes them", "[pin]") {
  World world({.ring_bytes = kRing,
               .pin_budget_ms = 50,
               .retired_bytes_max = 1,
               .when_pinned = WhenPinned::copy});
  REQUIRE(to_string(world.publish()) == "ok");
  constexpr std::uint64_t kRecords = 100'000;
  Cue cue;
  Child child([&](Child& self) {
    Bus own = world.daemon.connect();
    Consumer consumer = own.consumer("t", {.from = start()});
    if (consumer.poll(1, 60s).size() != 1) ::_exit(2);
    self.reached();
    cue.await();
    std::uint64_t next = 1;
    while (next < kRecords) {
      const RecordBatch batch = consumer.poll(60, 60s);
      if (batch.empty() || batch.status() != Status::ok) ::_exit(3);
      for (const RecordView& record : batch) {
        if (record.offset() != next) ::_exit(4);
        if (record.value() != content(next)) ::_exit(5);
        ++next;
      }
    }
    ::_exit(consumer.take_gaps().empty() ? 42 : 6);
  });
  REQUIRE(child.await());
  world.publish_until_it_copies();
  cue.give();
  // Stopped wherever it is, again and again, while all that it may be reading is written over.
  while (world.published + 300 < kRecords) {
    for (int i = 0; i < 100; ++i) REQUIRE(to_string(world.publish()) == "ok");
    ::kill(child.pid(), SIGSTOP);
    world.publish_laps(2);
    ::kill(child.pid(), SIGCONT);
  }
  while (world.published < kRecords) REQUIRE(to_string(world.publish()) == "ok");
  CHECK(child.join() == 42);
}

TEST_CASE("pin: the policy `kill` ends who holds too long, and producers go on", "[pin]") {
  World world({.ring_bytes = kRing,
               .pin_budget_ms = 50,
               .retired_bytes_max = kRing,
               .when_pinned = WhenPinned::kill});
  Holder spared(world, Holder::Ends::by_letting_go);
  world.publish_laps(3);
  Holder killed(world, Holder::Ends::by_letting_go);
  world.publish_laps(3);
  CHECK(killed.child->join() == -1);  // a signal's work
  CHECK_THAT(said("status", world.daemon.socket()).text,
             Catch::Contains("Killed by policy") && !Catch::Contains(" 0 consumers"));
  spared.cue.give();
  REQUIRE(spared.child->await());
  spared.cue.give();
  CHECK(spared.child->join() == 42);
}

TEST_CASE("pin: by default the holder is waited for, and its bytes stand", "[pin]") {
  World world({.ring_bytes = kRing, .pin_budget_ms = 50, .retired_bytes_max = 1});
  Holder holder(world, Holder::Ends::by_letting_go);
  world.publish_until_full(2500ms);
  CHECK_THAT(world.producer->why(), Catch::Contains(holder.pid()));
  CHECK_THAT(world.inspected(), !Catch::Contains("copies"));
  holder.cue.give();
  REQUIRE(holder.child->await());
  world.publish_laps(2);
  holder.cue.give();
  CHECK(holder.child->join() == 42);
}
