// Clients are killed at what they do with supervisor and ring; all others go on.

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <string>

#include "proof/prey.hpp"
#include "proof/violation.hpp"

namespace ringway::proof {
namespace {

constexpr std::uint64_t kRingBytes = 64 * 1024;
/// Of a batch.
constexpr std::uint64_t kTogether = 3;
/// Single record, claim, batch.
constexpr std::uint64_t kRound = 2 + kTogether;
/// Before, while and after the ring is replaced.
constexpr std::uint64_t kEach = 50;
constexpr std::string_view kEnd = "end";

std::string topic_of(int trial) {
  return "c" + std::to_string(trial);
}

void must_be_ok(Status status, const char* what) {
  if (status != Status::ok) throw Violation(fmt::format("{}: {}", what, to_string(status)));
}

/// Numbered records, in every way that there is. They are told one by one.
void publish_round(World::Client& told, Producer& producer) {
  std::uint64_t next = told.published;
  const auto text = [&] { return std::to_string(++next); };
  const auto done = [&](Status status) {
    must_be_ok(status, "a live producer was told");
    told.published = next;
  };
  done(producer.publish(text()).status);
  const std::string claimed = text();
  Claim claim = producer.claim(claimed.size());
  must_be_ok(claim.status(), "a live producer gets no claim");
  std::memcpy(claim.payload().data(), claimed.data(), claimed.size());
  done(claim.commit().status);
  producer.claim(claimed.size()).abort();
  Batch batch = producer.claim_batch(kTogether, 20);
  must_be_ok(batch.status(), "a live producer gets no batch");
  for (std::uint64_t i = 0; i < kTogether; ++i) batch.append_copy(text());
  done(batch.commit().status);
}

/// Those that are in the topic before kEnd, which another producer puts there. @throws Violation
/// when they are not 1, 2, …
std::uint64_t count_numbered(const World& world, const std::string& topic) {
  Bus bus = world.bus();
  must_be_ok(bus.producer(topic).publish(kEnd).status, "another producer was told");
  Consumer consumer = bus.consumer(topic, {.from = start()});
  for (std::uint64_t count = 0;;) {
    const RecordBatch batch = consumer.poll(1000, kPatience);
    must_be_ok(batch.status(), "another consumer was told");
    for (const RecordView& record : batch) {
      if (record.value() == kEnd) return count;
      if (record.value() != std::to_string(++count)) {
        throw Violation(fmt::format("'{}' is there in place of {}", record.value(), count));
      }
    }
  }
}

void create(World& world, int trial) {
  // Nobody may get past a dead one's pin by another ring.
  world.bus().create_topic(topic_of(trial), {.ring_bytes = kRingBytes, .pin_budget_ms = 0});
}

void replace_ring(World& world, int trial) {
  Bus bus = world.bus();
  bus.alter_topic(topic_of(trial), {.ring_bytes = 2 * kRingBytes});
  if (bus.settings(topic_of(trial)).ring_bytes != 2 * kRingBytes) {
    throw Violation("a ring that was replaced has its old size");
  }
}

Prey::Act produces(const World& world, int trial) {
  auto bus = std::make_shared<Bus>(world.bus());
  auto producer = std::make_shared<Producer>(bus->producer(topic_of(trial)));
  publish_round(world.client(), *producer);
  return [&world, bus, producer] {
    while (!world.client().others_done) publish_round(world.client(), *producer);
    publish_round(world.client(), *producer);
  };
}

void check_produced(World& world, int trial, bool) {
  const std::uint64_t told = world.client().published;
  const std::uint64_t untold = count_numbered(world, topic_of(trial)) - told;
  // What it was at when it died is there or not, and a batch is whole.
  if (untold != 0 && untold != (told % kRound == 2 ? kTogether : 1)) {
    throw Violation(fmt::format("behind {} records that were told are {}", told,
                                static_cast<std::int64_t>(untold)));
  }
  world.bus().delete_topic(topic_of(trial));
}

class Numbers {
 public:
  Numbers(const World& world, int trial)
      : bus_(world.bus()), producer_(bus_.producer(topic_of(trial))) {}
  void publish(std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t number = from; number < to; ++number) {
      must_be_ok(producer_.publish(std::to_string(number)).status, "another producer was told");
    }
  }

 private:
  Bus bus_;
  Producer producer_;
};

void create_and_fill(World& world, int trial) {
  create(world, trial);
  Numbers(world, trial).publish(1, 1 + kEach);
}

Prey::Act consumes(const World& world, int trial) {
  auto bus = std::make_shared<Bus>(world.bus());
  auto consumer = std::make_shared<Consumer>(bus->consumer(topic_of(trial), {.from = start()}));
  auto read = [bus, consumer, last = std::uint64_t{0}]() mutable {
    const RecordBatch batch = consumer->poll(7, kPatience);
    must_be_ok(batch.status(), "a live consumer was told");
    for (const RecordView& record : batch) {
      if (record.value() != std::to_string(++last)) {
        throw Violation(
            fmt::format("a live consumer saw '{}' in place of {}", record.value(), last));
      }
    }
    return last;
  };
  read();  // and holds records in place when the act begins
  return [read]() mutable {
    while (read() < 3 * kEach) {
    }
  };
}

void publish_and_replace(World& world, int trial) {
  Numbers numbers(world, trial);
  numbers.publish(1 + kEach, 1 + 2 * kEach);
  replace_ring(world, trial);
  numbers.publish(1 + 2 * kEach, 1 + 3 * kEach);
}

/// Nothing that a dead consumer held is in anybody's way.
void check_consumed(World& world, int trial, bool) {
  if (count_numbered(world, topic_of(trial)) != 3 * kEach) throw Violation("records are lost");
  Bus bus = world.bus();
  Producer producer = bus.producer(topic_of(trial));
  const std::string text(1024, 'x');
  for (std::uint64_t bytes = 0; bytes < 4 * kRingBytes; bytes += text.size()) {
    must_be_ok(producer.publish(text, {.timeout = kPatience}).status,
               "behind a dead consumer a producer was told");
  }
  bus.delete_topic(topic_of(trial));
}

}  // namespace

TEST_CASE("hunt: a client may die while it attaches, publishes to durable, detaches", "[proof]") {
  hunt({.name = "attach, flush, detach, client killed",
        .prepare = [](World& world, int) { world.choose_value(); },
        .act = [](const World& world, int) { world.publish_value(); },
        .check =
            [](World& world, int, bool told) {
              if (told) world.was_told_of_value();
            },
        .victim = Prey::Victim::client});
}

TEST_CASE("hunt: a client may die while it commits a cursor's position", "[proof]") {
  hunt({.name = "cursor commit, client killed",
        .act = [](const World& world, int) { world.commit_cursor(); },
        .victim = Prey::Victim::client});
}

TEST_CASE("hunt: a producer may die while its ring is replaced", "[proof]") {
  hunt({.name = "ring replacement, producer killed",
        .prepare = create,
        .settle_in = produces,
        .beside =
            [](World& world, int trial) {
              replace_ring(world, trial);
              world.client().others_done = true;
            },
        .check = check_produced,
        .victim = Prey::Victim::client});
}

TEST_CASE("hunt: a consumer may die while its ring is replaced", "[proof]") {
  hunt({.name = "ring replacement, consumer killed",
        .prepare = create_and_fill,
        .settle_in = consumes,
        .beside = publish_and_replace,
        .check = check_consumed,
        .victim = Prey::Victim::client});
}

}  // namespace ringway::proof
