// Small records through a small ring, between real processes, until every way of reading was used.

#include <fmt/format.h>
#include <poll.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <ringway/bus.hpp>

#include "stress/bus_roles.hpp"
#include "stress/memory_sampler.hpp"
#include "tools/stage/private_bus.hpp"

namespace ringway::stress {
namespace {

using cli::Channel;
using cli::Child;
using cli::PrivateBus;

constexpr std::int64_t kGrowthKibMax = 5 * 1024;

/// A child, what it told last, and its memory.
struct Actor {
  Child child;
  std::uint64_t work;  // records it is to handle
  Report report{};
  MemorySampler memory{};
};

/// The processes of one run, watched by the test.
class Cast {
 public:
  Actor& spawn(const std::string& name, std::uint64_t work,
               const std::function<void(Channel&)>& role) {
    return actors_.emplace_back(Actor{Child(name, role), work});
  }

  /// Takes what they tell, and every 250 ms a sample of their memory.
  void listen() {
    std::vector<pollfd> waiting;
    for (Actor& actor : actors_) {
      waiting.push_back({actor.report.done ? -1 : actor.child.channel().fd(), POLLIN, 0});
    }
    ::poll(waiting.data(), waiting.size(), 50);
    const auto now = std::chrono::steady_clock::now();
    const bool due = now - sampled_ >= std::chrono::milliseconds(250);
    if (due) sampled_ = now;
    for (Actor& actor : actors_) {
      if (actor.report.done) continue;
      if (due) actor.memory.sample(actor.child.pid(), actor.report.records > actor.work / 10);
      while (!actor.report.done) {
        const auto report = actor.child.channel().receive<Report>();
        if (!report) break;
        actor.report = *report;
      }
    }
    if (due && watch_) watch_();
  }

  /// Called with each sample of the others.
  void watch(std::function<void()> also) { watch_ = std::move(also); }

 private:
  std::list<Actor> actors_;
  std::chrono::steady_clock::time_point sampled_{};
  std::function<void()> watch_;
};

void say(const Actor& actor) {
  std::printf(
      "%-12s %11llu records %8.2f s %6.2f M/s, at most %lld KiB, grew %lld KiB (%d samples)\n",
      actor.child.name().c_str(), static_cast<unsigned long long>(actor.report.records),
      actor.report.seconds, static_cast<double>(actor.report.records) / actor.report.seconds / 1e6,
      static_cast<long long>(actor.memory.most_kib()),
      static_cast<long long>(actor.memory.growth_kib()), actor.memory.samples());
  std::fflush(stdout);
}

void check_saw_all(const Actor& actor, std::uint64_t records) {
  INFO(actor.child.name());
  CHECK(actor.report.judge.next_offset == records);
  CHECK(actor.report.judge.wrong_offset == 0);
  CHECK(actor.report.judge.wrong_sequence == 0);
  CHECK(actor.report.judge.wrong_bytes == 0);
  CHECK(actor.report.judge.next_sequence[0] == records / 2);
  CHECK(actor.report.judge.next_sequence[1] == records / 2);
  CHECK(actor.memory.growth_kib() < kGrowthKibMax);
}

TEST_CASE("bus: every consumer sees each offset once, in flat memory", "[stress]") {
  const std::uint64_t records = std::getenv("RINGWAY_TEST_LONG") ? 100'000'000 : 10'000'000;
  PrivateBus bus(RINGWAYD, std::getenv("TMPDIR") ? std::getenv("TMPDIR") : "/var/tmp");
  bus.start();
  const std::string socket = bus.socket();
  Bus::connect(socket).create_topic(kTopic, {.ring_bytes = kRingBytes});

  Cast cast;
  const auto consume = [&](const char* name, Pace pace) -> Actor& {
    return cast.spawn(name, records, [socket, records, pace](Channel& parent) {
      play_consumer(parent, socket, records, pace);
    });
  };
  const auto produce = [&](const char* name, std::uint32_t number) -> Actor& {
    return cast.spawn(name, records / kProducers, [socket, records, number](Channel& parent) {
      play_producer(parent, socket, number, records / kProducers);
    });
  };
  Actor& live = consume("live", Pace::eager);
  Actor& slow = consume("slow", Pace::slow);
  Actor& one_by_one = produce("one by one", 0);
  Actor& in_batches = produce("in batches", 1);
  const auto published = [&] { return one_by_one.report.records + in_batches.report.records; };
  MemorySampler supervisor;
  cast.watch([&] { supervisor.sample(bus.pid(), published() > records / 10); });

  while (published() < records / 2) cast.listen();
  Actor& late = consume("late", Pace::eager);
  for (const Actor* actor : {&one_by_one, &in_batches, &live, &slow, &late}) {
    while (!actor->report.done) cast.listen();
  }
  for (const Actor* actor : {&one_by_one, &in_batches, &live, &slow, &late}) say(*actor);

  bus.kill();
  bus.start();
  MemorySampler successor;
  Actor& replay = consume("replay", Pace::eager);
  cast.watch([&] { successor.sample(bus.pid(), replay.report.records > records / 10); });
  while (!replay.report.done) cast.listen();
  say(replay);
  std::printf("the slow one fell to the log and came back %llu times\n",
              static_cast<unsigned long long>(slow.report.falls));
  std::printf("supervisor   at most %lld KiB, grew %lld KiB (%d samples)\n",
              static_cast<long long>(supervisor.most_kib()),
              static_cast<long long>(supervisor.growth_kib()), supervisor.samples());
  bus.stop();

  check_saw_all(live, records);
  check_saw_all(slow, records);
  check_saw_all(late, records);
  check_saw_all(replay, records);
  CHECK(slow.report.falls > 0);
  CHECK(supervisor.samples() > 0);
  CHECK(supervisor.growth_kib() < kGrowthKibMax);
  CHECK(successor.growth_kib() < kGrowthKibMax);
}

}  // namespace
}  // namespace ringway::stress
