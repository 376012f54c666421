// The whole supervisor, with all its threads, is killed at boundaries of what it does for its
// clients and for itself, and started again. A seed chooses the boundaries (RINGWAY_TEST_SEED);
// with RINGWAY_TEST_LONG there are more.

#include "proof/hunt.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <random>
#include <set>
#include <thread>

#include "proof/shared_with_children.hpp"
#include "ringway/ringway.hpp"
#include "support/daemon_process.hpp"

namespace ringway::proof {
namespace {

using namespace std::chrono_literals;
using ringway::test::Child;
using ringway::test::DaemonProcess;

constexpr int kIdleMs = 100;
constexpr std::uint64_t kStepsMax = 2000;
constexpr auto kPatience = 60s;

/// A bus with a topic "kept" on it, and what clients were told about it.
class World {
 public:
  World() {
    bus().create_topic("kept", {.partitions = 1, .ring_bytes = 64 * 1024});
    publish();
    kept_by_keeper_ = keepers_descriptors();
  }

  Bus bus() const { return daemon.connect(); }

  /// The value that is published next; nobody knows yet whether it will be there.
  void choose_value() { maybe_.insert(std::to_string(++last_)); }
  /// Publishes it, until it is durable.
  void publish_value() const {
    Bus own = bus();
    Producer producer = own.producer("kept");
    const auto [status, offset] = producer.publish(std::to_string(last_));
    if (status != Status::ok || producer.wait(offset, Level::durable, kPatience) != Status::ok) {
      throw std::runtime_error("not published");
    }
  }
  void was_told_of_value() {
    maybe_.erase(std::to_string(last_));
    told_.insert(std::to_string(last_));
  }
  void publish() {
    choose_value();
    publish_value();
    was_told_of_value();
  }

  void commit_cursor() const {
    Bus own = bus();
    Consumer consumer = own.consumer("kept", {.from = start(), .cursor = "c"});
    static_cast<void>(consumer.poll(1, kPatience));
    if (consumer.commit() != Status::ok) throw std::runtime_error("not committed");
    client_->committed = consumer.position(0);
  }

  /// What must be true of any restarted bus.
  void check() {
    publish();  // the next record of another producer
    Bus own = bus();
    std::set<std::string> left = told_;
    std::uint64_t before = 0;
    std::uint64_t next_offset = 0;
    const std::string last = std::to_string(last_);
    Consumer consumer = own.consumer("kept", {.from = start()});
    for (std::string value; value != last;) {
      const RecordBatch batch = consumer.poll(1000, kPatience);
      // Where a ring was lost with its keeper there is a gap to be passed, perhaps nothing else.
      if (batch.status() == Status::timeout) FAIL("the records end before " << last);
      for (const RecordView& record : batch) {
        value = std::string(record.value());
        INFO("record " << value << " at " << record.offset());
        CHECK(record.offset() >= next_offset);
        next_offset = record.offset() + 1;
        CHECK(std::stoull(value) > before);  // in order, none twice
        before = std::stoull(value);
        CHECK((left.erase(value) == 1 || maybe_.contains(value)));
      }
    }
    CHECK(left.empty());
    Consumer resumed = own.consumer("kept", {.from = start(), .cursor = "c"});
    CHECK(resumed.position(0) >= client_->committed);
  }

  /// After all clients and all other topics are gone.
  void check_nothing_is_left() {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (keepers_descriptors() > kept_by_keeper_) {
      if (std::chrono::steady_clock::now() > until) {
        FAIL("the keeper holds " << keepers_descriptors() << " descriptors, not "
                                 << kept_by_keeper_);
      }
      std::this_thread::sleep_for(5ms);
    }
  }

  bool exists(const std::string& topic) const {
    for (const TopicSummary& summary : bus().topics()) {
      if (summary.name == topic) return true;
    }
    return false;
  }

  DaemonProcess daemon;

  /// What a client's process says.
  struct Client {
    std::atomic<bool> done;
    std::atomic<std::uint64_t> committed;
  };
  Client& client() const { return *client_; }

 private:
  std::size_t keepers_descriptors() const {
    std::error_code ignored;
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(
             "/proc/" + std::to_string(daemon.keeper()) + "/fd", ignored)) {
      ++count;
    }
    return count;
  }

  std::uint64_t last_ = 0;
  std::set<std::string> told_, maybe_;
  SharedWithChildren<Client> client_;
  std::size_t kept_by_keeper_ = 0;
};

struct Prey {
  std::string name;
  std::function<void(World&, int trial)> prepare = [](auto&&...) {};
  /// A client's, in a process of its own; throws when it is not told of success.
  std::function<void(const World&, int trial)> act;
  std::function<void(World&, int trial, bool told)> check = [](auto&&...) {};
  bool from_its_start = false;  ///< the supervisor is launched for it
};

std::uint64_t seed() {
  const char* const given = std::getenv("RINGWAY_TEST_SEED");
  return given == nullptr ? std::random_device()() : std::strtoull(given, nullptr, 10);
}

/// Kills the supervisor at the k-th boundary from now and some instructions behind, or when the
/// client is done and nothing happens any more; returns how many boundaries it came to.
std::uint64_t pursue(const World& world, std::uint64_t k, std::uint64_t steps,
                     std::atomic<bool>& held) {
  Hunt hunt(world.daemon.pid());
  held = true;
  while (hunt.boundaries() < k) {
    const auto went = hunt.to_boundary(kIdleMs);
    if (went == Hunt::Went::ended || (went == Hunt::Went::idle && world.client().done)) break;
  }
  if (hunt.boundaries() == k) hunt.step(steps);
  hunt.kill();
  return hunt.boundaries();
}

std::uint64_t kill_once(World& world, const Prey& prey, int trial, std::uint64_t k,
                        std::uint64_t steps) {
  INFO(prey.name << ", killed at boundary " << k << " and " << steps << " instructions");
  prey.prepare(world, trial);
  if (prey.from_its_start) {
    world.daemon.kill();
    world.daemon.launch();
  }
  world.client().done = false;
  std::atomic<bool> held = false;
  std::uint64_t came = 0;
  // A thread of its own waits for nobody else's children.
  std::thread hunter([&] { came = pursue(world, k, steps, held); });
  while (!held) std::this_thread::sleep_for(100us);
  Child client([&](Child&) {
    const auto say_done = [&] { world.client().done = true; };
    try {
      prey.act(world, trial);
    } catch (...) {
      say_done();
      ::_exit(1);
    }
    say_done();
  });
  hunter.join();
  world.daemon.kill();
  world.daemon.start();
  const bool told = client.join() == 0;
  prey.check(world, trial, told);
  world.check();
  world.check_nothing_is_left();
  return came;
}

void hunt(const Prey& prey) {
  const std::uint64_t chosen = seed();
  std::mt19937_64 random(chosen);
  const int trials = std::getenv("RINGWAY_TEST_LONG") ? 400 : 16;
  World world;
  const std::uint64_t all = kill_once(world, prey, 0, ~std::uint64_t{0}, 0);
  INFO("seed " << chosen << ", " << all << " boundaries");
  REQUIRE(all > 3);
  for (int trial = 1; trial <= trials; ++trial) {
    // Half of them exactly at a boundary.
    const std::uint64_t steps = trial % 2 == 0 ? 0 : random() % kStepsMax;
    kill_once(world, prey, trial, 1 + random() % all, steps);
  }
  fmt::print("{:<32} {:>6} boundaries {:>6} kills, seed {}\n", prey.name, all, trials + 1, chosen);
  std::fflush(stdout);
}

std::string topic_of(int trial) {
  return "t" + std::to_string(trial);
}

const TopicChoices kSmall{.partitions = 2, .ring_bytes = 64 * 1024};

void use(World& world, const std::string& topic) {
  Bus bus = world.bus();
  Producer producer = bus.producer(topic);
  CHECK(producer.publish("x").status == Status::ok);
  Consumer consumer = bus.consumer(topic, {.from = start()});
  CHECK(consumer.poll(1, kPatience).size() == 1);
}

}  // namespace

TEST_CASE("hunt: a topic's creation is whole or has not happened", "[proof]") {
  hunt({.name = "topic create",
        .act = [](const World& world,
                  int trial) { world.bus().create_topic(topic_of(trial), kSmall); },
        .check =
            [](World& world, int trial, bool told) {
              const bool there = world.exists(topic_of(trial));
              CHECK((there || !told));
              if (!there) return;
              use(world, topic_of(trial));
              world.bus().delete_topic(topic_of(trial));
            }});
}

TEST_CASE("hunt: a topic's deletion is whole or has not happened", "[proof]") {
  hunt({.name = "topic delete",
        .prepare = [](World& world,
                      int trial) { world.bus().create_topic(topic_of(trial), kSmall); },
        .act = [](const World& world, int trial) { world.bus().delete_topic(topic_of(trial)); },
        .check =
            [](World& world, int trial, bool told) {
              const bool there = world.exists(topic_of(trial));
              CHECK_FALSE((there && told));
              if (!there) return;
              use(world, topic_of(trial));
              world.bus().delete_topic(topic_of(trial));
            }});
}

TEST_CASE("hunt: attach, publish to durable, detach", "[proof]") {
  hunt({.name = "attach, flush, detach",
        .prepare = [](World& world, int) { world.choose_value(); },
        .act = [](const World& world, int) { world.publish_value(); },
        .check =
            [](World& world, int, bool told) {
              if (told) world.was_told_of_value();
            }});
}

TEST_CASE("hunt: a cursor's position that was committed is kept", "[proof]") {
  hunt({.name = "cursor commit", .act = [](const World& world, int) { world.commit_cursor(); }});
}

TEST_CASE("hunt: an orderly stop may end anywhere", "[proof]") {
  hunt({.name = "orderly stop",
        .act = [](const World& world, int) { ::kill(world.daemon.pid(), SIGTERM); }});
}

TEST_CASE("hunt: a supervisor may die while it adopts what another has left", "[proof]") {
  hunt({.name = "adoption at restart",
        .act = [](const World& world, int) { static_cast<void>(world.exists("kept")); },
        .from_its_start = true});
}

TEST_CASE("hunt: a supervisor may die while it replaces the keeper", "[proof]") {
  hunt({.name = "keeper take-over",
        .act = [](const World& world, int) { world.daemon.kill_keeper(); }});
}

}  // namespace ringway::proof
