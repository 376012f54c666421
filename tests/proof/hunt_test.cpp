// The supervisor and its keeper, with all their threads, are killed at whatever they do for
// clients and for themselves, and started again.

#include <signal.h>

#include <catch2/catch.hpp>
#include <optional>
#include <thread>

#include "proof/prey.hpp"
#include "proof/stopped_producer.hpp"
#include "proof/violation.hpp"
#include "support/cue.hpp"

namespace ringway::proof {
namespace {

using namespace std::chrono_literals;
using ringway::test::Child;

std::string topic_of(int trial) {
  return "t" + std::to_string(trial);
}

constexpr std::uint32_t kPartitions = 2;
const TopicChoices kSmall{.partitions = kPartitions, .ring_bytes = 64 * 1024};

/// In partition 0 of its topic, none of them waited for.
constexpr std::uint64_t kPublished = 5;

/// What a client was told is published is there, and all of the topic can be used.
void use(const World& world, const std::string& topic, std::uint64_t published) {
  Bus bus = world.bus();
  for (std::uint32_t partition = 0; partition < kPartitions; ++partition) {
    Producer producer = bus.producer(topic, {.partition = partition});
    if (producer.publish("x", {.timeout = kPatience}).status != Status::ok) {
      throw Violation("a topic takes no record");
    }
  }
  Consumer consumer = bus.consumer(topic, {.from = start()});
  for (std::uint64_t seen = 0; seen < published + kPartitions;) {
    const RecordBatch batch = consumer.poll(10, kPatience);
    if (batch.status() == Status::timeout) throw Violation("a committed record is lost");
    seen += batch.size();
  }
}

void create_and_publish(const World& world, int trial) {
  Bus bus = world.bus();
  bus.create_topic(topic_of(trial), kSmall);
  Producer producer = bus.producer(topic_of(trial), {.partition = 0});
  for (std::uint64_t i = 1; i <= kPublished; ++i) {
    if (producer.publish("x").status != Status::ok) throw Violation("a topic takes no record");
    world.client().published = i;
  }
}

void check_created(World& world, int trial, bool told) {
  if (!world.exists(topic_of(trial))) {
    if (told || world.client().published != 0) throw Violation("a created topic is gone");
    return;
  }
  use(world, topic_of(trial), world.client().published);
  world.bus().delete_topic(topic_of(trial));
}

void check_deleted(World& world, int trial, bool told) {
  if (!world.exists(topic_of(trial))) return;
  if (told) throw Violation("a deleted topic is there");
  use(world, topic_of(trial), 0);
  world.bus().delete_topic(topic_of(trial));
}

/// A process that has a claim open on "kept" until it is killed.
class Claimant {
 public:
  explicit Claimant(const World& world)
      : process_([&](Child& self) {
          Bus bus = world.bus();
          Producer producer = bus.producer("kept");
          self.reached();
          cue_.await();
          const Claim claim = producer.claim(100);
          self.reached();
          self.stay();
        }) {
    if (!process_.await()) throw Violation("no producer");
  }

  /// All of them at once: behind the first of their claims the traffic fills the ring, and then
  /// there is no room for another.
  template <class... Others>
  void claim(Others&... others) {
    cue_.give();
    (others.cue_.give(), ...);
    if (!(process_.await() && ... && others.process_.await())) throw Violation("no claim");
  }

 private:
  test::Cue cue_;
  Child process_;
};

/// Another one each time.
std::uint64_t ring_bytes(int trial) {
  return std::uint64_t{64 * 1024} << (trial % 2);
}

void alter(const World& world, int trial) {
  world.bus().alter_topic("kept", {.ring_bytes = ring_bytes(trial)});
}

/// The supervisor, this one or the next, serves.
void await_service(const World& world, int) {
  for (;;) {
    try {
      return static_cast<void>(world.exists("kept"));
    } catch (const Error&) {
      std::this_thread::sleep_for(1ms);
    }
  }
}

/// For who must not fail because the ring is being replaced at that moment.
void let_be_fenced(const World& world, const std::string& topic) {
  for (;;) {
    try {
      return world.bus().alter_topic(topic, {.when_stopped = WhenStopped::fence});
    } catch (const Error& error) {
      if (error.code() != ErrorCode::busy) throw;
      std::this_thread::sleep_for(1ms);
    }
  }
}

void check_altered(World& world, int trial, bool told) {
  if (told && world.bus().settings("kept").ring_bytes != ring_bytes(trial)) {
    throw Violation("a ring that was replaced has its old size");
  }
}

}  // namespace

TEST_CASE("hunt: a topic's creation is whole or has not happened", "[proof]") {
  hunt({.name = "topic create", .act = create_and_publish, .check = check_created});
}

TEST_CASE("hunt: a topic's deletion is whole or has not happened", "[proof]") {
  hunt({.name = "topic delete",
        .prepare = [](World& world,
                      int trial) { world.bus().create_topic(topic_of(trial), kSmall); },
        .act = [](const World& world, int trial) { world.bus().delete_topic(topic_of(trial)); },
        .check = check_deleted});
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

TEST_CASE("hunt: a ring is replaced under traffic", "[proof]") {
  hunt({.name = "ring replacement", .act = alter, .check = check_altered});
}

TEST_CASE("hunt: a ring is replaced whose producer stands still in mid-claim", "[proof]") {
  std::optional<StoppedProducer> stopped;
  hunt({.name = "ring replacement, a producer stopped",
        .prepare =
            [&](World& world, int trial) {
              // By its settings after a while, or by somebody who alters them.
              world.bus().create_topic(
                  topic_of(trial),
                  {.ring_bytes = 64 * 1024,
                   .when_stopped = trial % 2 == 0 ? WhenStopped::fence : WhenStopped::wait,
                   .stopped_after_ms = 30});
              stopped.emplace(world.daemon.socket(), topic_of(trial));
            },
        .act =
            [&](const World& world, int trial) {
              if (trial % 2 != 0) {
                world.bus().alter_topic(topic_of(trial), {.when_stopped = WhenStopped::fence});
              }
              stopped->await_what_stands_behind();
            },
        .check =
            [&](World& world, int trial, bool told) {
              if (world.bus().settings(topic_of(trial)).when_stopped == WhenStopped::wait) {
                let_be_fenced(world, topic_of(trial));
              }
              if (trial % 3 == 0) {
                stopped->kill();
              } else {
                stopped->go_on();
              }
              stopped->check(told);
              stopped.reset();
              world.bus().delete_topic(topic_of(trial));
            }});
}

TEST_CASE("hunt: an orderly stop may end anywhere", "[proof]") {
  hunt({.name = "orderly stop",
        .act = [](const World& world, int) { ::kill(world.daemon.pid(), SIGTERM); },
        .span = Prey::Span::last_act});
}

TEST_CASE("hunt: a supervisor may die while it adopts what another has left", "[proof]") {
  // Two have a claim open: one dies while nobody serves, one when it is over.
  std::optional<Claimant> first, second;
  hunt({.name = "adoption at restart",
        .prepare =
            [&](World& world, int) {
              first.emplace(world);
              second.emplace(world);
              first->claim(*second);
            },
        .meanwhile = [&] { first.reset(); },
        .act = await_service,
        .check = [&](auto&&...) { second.reset(); },
        .span = Prey::Span::life});
}

TEST_CASE("hunt: a supervisor may die while it replaces the keeper", "[proof]") {
  // Who dies last must be known to whoever has the ring.
  std::optional<Claimant> claimant;
  hunt({.name = "keeper take-over",
        .prepare =
            [&](World& world, int) {
              claimant.emplace(world);
              claimant->claim();
            },
        .act =
            [](const World& world, int) {
              const pid_t keeper = world.daemon.keeper();
              world.daemon.kill_keeper();
              world.await_another_keeper(keeper);
            },
        .check = [&](auto&&...) { claimant.reset(); },
        .memory_may_be_lost = true});
}

TEST_CASE("hunt: a keeper may die while topics are made", "[proof]") {
  hunt({.name = "topic create, keeper killed",
        .act = create_and_publish,
        .check = check_created,
        .victim = Prey::Victim::keeper});
}

TEST_CASE("hunt: a keeper may die while a ring is replaced", "[proof]") {
  hunt({.name = "ring replacement, keeper killed",
        .act = alter,
        .check = check_altered,
        .victim = Prey::Victim::keeper});
}

}  // namespace ringway::proof
