#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <ringway/bus.hpp>

#include "tools/bench/bench_options.hpp"
#include "tools/bench/benchmark.hpp"
#include "tools/bench/result.hpp"
#include "tools/command_line.hpp"
#include "tools/stage/child.hpp"
#include "tools/stage/interruption.hpp"
#include "tools/stage/private_bus.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

using Clock = std::chrono::steady_clock;  // one clock for all processes

constexpr const char* kRepairName = "repair";
constexpr const char* kRepairAbout =
    "a producer is killed in mid-claim, a record lies behind it, and a consumer waits";
constexpr const char* kRepairTopic = "bench/repair";
constexpr std::size_t kRepairPayload = 64;
constexpr std::uint64_t kWrittenPerKill = 64 << 10;  // at most: a few blocks of the log
constexpr std::chrono::milliseconds kRepairTarget{1};
/// Between the record behind the claim and the kill: the flusher is then met between two rounds,
/// while it writes, and asleep.
constexpr std::chrono::microseconds kPauseMin{500}, kPauseMax{20'000};

struct SeenRecord {
  std::uint64_t offset;
  Clock::time_point at;
};

std::string_view payload_of(std::uint64_t number, std::byte (&memory)[kRepairPayload]) {
  for (std::size_t at = 0; at < kRepairPayload; at += sizeof number) {
    std::memcpy(memory + at, &number, sizeof number);
  }
  return {reinterpret_cast<const char*>(memory), kRepairPayload};
}

/// Follows the topic and tells of each record when it saw it. A record that the victims left
/// unfinished never comes.
void play_consumer(Channel& parent, const std::string& socket) {
  Bus bus = Bus::connect(socket);
  Consumer consumer = bus.consumer(kRepairTopic, {.from = start()});
  parent.send(true);
  for (std::uint64_t number = 0;;) {
    const RecordBatch batch = consumer.poll(256, forever);
    const auto now = Clock::now();
    for (const RecordView& record : batch) {
      std::byte memory[kRepairPayload];
      if (record.value() != payload_of(number++, memory)) {
        throw Error(ErrorCode::failed, fmt::format("record {}", record.offset()),
                    "is not the one that was published", "");
      }
      parent.send(SeenRecord{record.offset(), now});
    }
  }
}

/// Publishes a record whenever it is told to, and tells its offset.
void play_producer(Channel& parent, const std::string& socket) {
  Bus bus = Bus::connect(socket);
  Producer producer = bus.producer(kRepairTopic);
  parent.send(true);
  for (std::uint64_t number = 0;; ++number) {
    parent.await<bool>();
    std::byte memory[kRepairPayload];
    const Published published = producer.publish(payload_of(number, memory));
    if (published.status != Status::ok) {
      throw Error(ErrorCode::failed, "publish", producer.why(), "");
    }
    parent.send(published.offset.value);
  }
}

/// Claims, begins to fill, and comes no further.
void play_victim(Channel& parent, const std::string& socket) {
  Bus bus = Bus::connect(socket);
  Producer producer = bus.producer(kRepairTopic);
  Claim claim = producer.claim(kRepairPayload);
  if (!claim) throw Error(ErrorCode::failed, "claim", producer.why(), "");
  std::memset(claim.payload().data(), 0xee, kRepairPayload / 2);
  parent.send(claim.offset().value);
  for (;;) ::pause();
}

struct Death {
  Clock::time_point killed;
  Clock::time_point proven;  // its pidfd is readable
};

/// kill -9, seen as the supervisor sees it.
Death kill_and_watch(const Child& victim) {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, victim.pid(), 0));
  if (pidfd < 0) throw system_error(errno, victim.name(), "pidfd_open");
  Death death{Clock::now(), {}};
  ::kill(victim.pid(), SIGKILL);
  pollfd wait{pidfd, POLLIN, 0};
  // Awake, so that the time is not that of this process's own waking up, later than the
  // supervisor's.
  while (::poll(&wait, 1, 0) == 0) check_interrupted();
  death.proven = Clock::now();
  ::close(pidfd);
  return death;
}

std::vector<Series> repair_run(const BenchOptions& options, std::uint64_t seed) {
  PrivateBus bus(options.daemon(), options.place());
  bus.start();
  Bus::connect(bus.socket()).create_topic(kRepairTopic, options.topic_choices());
  const std::string socket = bus.socket();
  Child consumer("consumer", [&](Channel& parent) { play_consumer(parent, socket); });
  Child producer("producer", [&](Channel& parent) { play_producer(parent, socket); });
  consumer.channel().await<bool>();
  producer.channel().await<bool>();

  std::mt19937_64 random(seed);
  std::uniform_int_distribution<std::int64_t> pause(kPauseMin.count(), kPauseMax.count());
  Durations from_proof, from_kill;
  for (std::uint32_t i = 0; i < options.times; ++i) {
    Child victim("victim", [&](Channel& parent) { play_victim(parent, socket); });
    const auto hole = victim.channel().await<std::uint64_t>();
    producer.channel().send(true);
    const auto behind = producer.channel().await<std::uint64_t>();
    ::usleep(static_cast<useconds_t>(pause(random)));
    const Death death = kill_and_watch(victim);
    const auto seen = consumer.channel().await<SeenRecord>();
    if (behind != hole + 1 || seen.offset != behind || seen.at < death.killed) {
      throw Error(ErrorCode::failed, fmt::format("record {}", behind),
                  fmt::format("came as {}, {}, with the claim {} open before it", seen.offset,
                              seen.at < death.killed ? "before the kill" : "after the kill", hole),
                  "");
    }
    // The supervisor may be quicker than this process, which waits for the same event.
    from_proof.add(std::max(seen.at - death.proven, Clock::duration::zero()));
    from_kill.add(seen.at - death.killed);
  }
  return {{"from_proof", "readable pidfd to record seen", from_proof},
          {"from_kill", "kill -9 to record seen", from_kill}};
}

BenchResult measure_repair(const BenchOptions& options) {
  BenchResult result{.name = kRepairName,
                     .about = kRepairAbout,
                     .settings = bench_settings(),
                     .runs = {},
                     .target = BenchResult::Target{0.99, kRepairTarget}};
  result.settings["kills"] = options.times;
  result.settings["size_bytes"] = kRepairPayload;
  options.describe_topics(result.settings);
  for (std::uint32_t run = 0; run < options.runs; ++run) {
    result.runs.push_back(repair_run(options, run + 1));
  }
  return result;
}

Configured configure_repair(const BenchOptions& options) {
  return {.name = kRepairName,
          .about = kRepairAbout,
          .demand = {.written_bytes =
                         options.runs * (kWrittenPerBus + options.times * kWrittenPerKill),
                     .disk_bytes = options.times * kWrittenPerKill,
                     .memory_bytes = options.ring_bytes()},
          .measure = [options](Spare&) { return BenchRows{measure_repair(options)}; }};
}

Configure add_repair_flags(CLI::App& verb) {
  const auto options = std::make_shared<BenchOptions>();
  options->times = 200;
  options->add_to(verb, "--kills", "Producers to kill in each run");
  return [options] { return configure_repair(*options); };
}

}  // namespace

Benchmark repair_benchmark() {
  return {.verb = "repair",
          .why = "How soon others go on after a producer was killed in mid-claim",
          .examples = "  ringway bench repair\n  ringway bench repair --kills 1000 --output json",
          .add_flags = add_repair_flags};
}

}  // namespace ringway::cli
