#include "tools/quickstart_run/demonstration.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <ringway/bus.hpp>

#include "tools/quantity.hpp"
#include "tools/quickstart_run/grouped.hpp"
#include "tools/stage/interruption.hpp"

namespace ringway::quickstart {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr double kKillAt = 0.4;
constexpr double kKillBefore = 0.7;
constexpr auto kMoment = 250ms;  // between the death of the supervisor and the next one's start
constexpr auto kStall = 120s;    // nobody gets on: something is broken

}  // namespace

std::uint64_t Outcome::lost() const noexcept {
  return live.tally.lost(input.tally) + replay.tally.lost(input.tally);
}
std::uint64_t Outcome::doubled() const noexcept {
  return live.tally.doubled() + replay.tally.doubled();
}
std::uint64_t Outcome::disordered() const noexcept {
  return live.tally.disordered() + replay.tally.disordered();
}
bool Outcome::same_checksums() const noexcept {
  return live.tally.same_checksums(input.tally) && replay.tally.same_checksums(input.tally);
}
bool Outcome::good() const noexcept {
  return lost() == 0 && doubled() == 0 && disordered() == 0 && same_checksums();
}

Outcome Demonstration::run() {
  bus_.start();
  Bus::connect(bus_.socket()).create_topic(kTopic, {.partitions = kPartitions});
  measure_quiet();
  publish_and_follow();
  replay();
  bus_.stop();
  return outcome_;
}

void Demonstration::measure_quiet() {
  const std::string socket = bus_.socket();
  Bus::connect(socket).create_topic(kQuietTopic);
  Actor& listener = spawn("listener", [&](Channel& parent) { play_listener(parent, socket); });
  spawn("ticker", [&](Channel& parent) { play_ticker(parent, socket); });
  while (!listener.report.done) listen();
  outcome_.quiet = listener.report;
  finish();
}

void Demonstration::publish_and_follow() {
  const std::string socket = bus_.socket();
  Actor& follower = spawn("following", [&](Channel& parent) { play_reader(parent, socket); });
  for (std::uint32_t i = 0; i < kProducers; ++i) {
    spawn(fmt::format("producer {}", i + 1),
          [&, i](Channel& parent) { play_producer(parent, socket, corpus_, i); });
  }
  const auto published_all = [&] {
    return std::all_of(std::next(actors_.begin()), actors_.end(),
                       [](const Actor& actor) { return actor.report.done; });
  };
  while (!published_all()) {
    listen();
    if (outcome_.away == 0ns && published() >= kKillAt) kill_and_return();
  }
  if (outcome_.away == 0ns || outcome_.killed_at > kKillBefore) {
    throw Error(ErrorCode::failed, "the demonstration",
                "the producers were too fast for the supervisor to be killed half-way",
                "name larger files");
  }
  for (const Actor& actor : actors_) {
    if (&actor == &follower) continue;
    outcome_.input.tally.merge(actor.report.tally);
    outcome_.input.seconds = std::max(outcome_.input.seconds, actor.report.seconds);
  }
  follower.child.channel().send(goal());
  while (!follower.report.done) listen();
  outcome_.live = follower.report;
  finish();
}

void Demonstration::replay() {
  // Drained and gone: what a new supervisor serves comes out of the segments.
  progress_.note("everything followed; replaying it from the log");
  bus_.stop();
  bus_.start();
  const std::string socket = bus_.socket();
  Actor& reader = spawn("replaying", [&](Channel& parent) { play_reader(parent, socket); });
  reader.child.channel().send(goal());
  while (!reader.report.done) listen();
  outcome_.replay = reader.report;
  finish();
}

void Demonstration::kill_and_return() {
  outcome_.killed_at = published();
  const auto killed = Clock::now();
  bus_.kill();
  progress_.note(
      fmt::format("{:.0f} % published: supervisor killed with -9", 100 * outcome_.killed_at));
  while (Clock::now() - killed < kMoment) listen();
  bus_.start();
  outcome_.away = Clock::now() - killed;
  progress_.note(
      fmt::format("a new supervisor serves after {}", cli::format_duration(outcome_.away)));
}

void Demonstration::finish() {
  for (Actor& actor : actors_) actor.child.join();
  actors_.clear();
}

Goal Demonstration::goal() const noexcept {
  Goal goal;
  for (std::uint32_t i = 0; i < kPartitions; ++i) {
    goal.end_offset[i] = outcome_.input.tally.end_offset(i);
  }
  return goal;
}

double Demonstration::published() const noexcept {
  std::uint64_t bytes = 0;
  for (const Actor& actor : actors_) bytes += actor.report.input_bytes;
  return static_cast<double>(bytes) / static_cast<double>(corpus_.published_bytes());
}

void Demonstration::listen() {
  cli::check_interrupted();
  std::vector<pollfd> waiting;
  for (Actor& actor : actors_) {
    waiting.push_back({actor.report.done ? -1 : actor.child.channel().fd(), POLLIN, 0});
  }
  ::poll(waiting.data(), waiting.size(), 20);
  for (Actor& actor : actors_) {
    while (!actor.report.done) {
      const auto report = actor.child.channel().receive<Report>();
      if (!report) break;
      if (report->records != actor.report.records) moved_ = Clock::now();
      actor.report = *report;
    }
  }
  if (Clock::now() - moved_ > kStall) {
    throw Error(ErrorCode::timeout, "the bus", "nothing moved for two minutes", "");
  }
  show();
}

void Demonstration::show() {
  const std::uint64_t all = outcome_.input.tally.records();
  const std::uint64_t read = actors_.empty() ? 0 : actors_.front().report.records;
  progress_.show(all == 0 ? fmt::format("published {:3.0f} %, followed {} records",
                                        100 * published(), grouped(read))
                          : fmt::format("read {} of {} records", grouped(read), grouped(all)));
}

Demonstration::Actor& Demonstration::spawn(const std::string& name,
                                           const std::function<void(Channel&)>& role) {
  moved_ = Clock::now();
  return actors_.emplace_back(Actor{cli::Child(name, role), {}});
}

}  // namespace ringway::quickstart
