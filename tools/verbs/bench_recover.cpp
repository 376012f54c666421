#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <ringway/bus.hpp>

#include "tools/bench/bench_options.hpp"
#include "tools/bench/benchmark.hpp"
#include "tools/bench/disk_options.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/page_cache.hpp"
#include "tools/bench/result.hpp"
#include "tools/bench/traffic.hpp"
#include "tools/command_line.hpp"
#include "tools/quantity.hpp"
#include "tools/stage/child.hpp"
#include "tools/stage/private_bus.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kRecoverTarget = 1s;
constexpr std::uint64_t kRecoverBytes = std::uint64_t{10} << 30;  // of less nothing was promised
constexpr const char* kRecoverAbout =
    "a new supervisor opens a log that is not in memory and was being written when the old one and "
    "its keeper were killed -9";
constexpr std::uint64_t kRecordBytes = 1024;
constexpr std::uint64_t kMoreEachTime = 16 << 20;  // before the next kill, and then until it comes
constexpr std::uint64_t kWrittenUntilKilled = 256 << 20;  // at most
constexpr auto kLookForLogEvery = 200us;

struct RecoverOptions : BenchOptions {
  RecoverOptions() {
    times = 5;
    runs = 1;
  }
  std::string log = "10GiB";

  std::uint64_t log_bytes() const {
    const std::uint64_t bytes = parse_size("--log-bytes", log);
    if (bytes >= kDiskBytesMin) return bytes;
    throw Error(ErrorCode::usage, "--log-bytes " + log, "is too little to measure anything",
                "take 1M or more");
  }
};

const TrafficShape kOneTopic{.topics = 1, .partitions = 1};

/// Publishes at full speed: tells how many records are durable once that is so of the first
/// `bytes`, and goes on until it is ended.
void play_writer(Channel& parent, const std::string& socket, std::uint64_t bytes) {
  Bus bus = Bus::connect(socket);
  NumberedProducer producer(bus, kOneTopic.topic(0), {.size_bytes = kRecordBytes});
  std::uint64_t records = 0;
  while (records * record_slot_bytes(kRecordBytes) < bytes) records += producer.publish_some();
  producer.wait(Level::durable);
  parent.send(records);
  for (;;) producer.publish_some();
}

/// Throws Error where the log has lost its beginning, or the last of the `durable` records.
void check_log(Channel& parent, const std::string& socket, std::uint64_t durable) {
  Bus bus = Bus::connect(socket);
  Consumer consumer = bus.consumer(kOneTopic.topic(0), {.from = start()});
  NumberedReader reader(kRecordBytes, 1);
  reader.poll(consumer, 10s);
  if (reader.records() == 0 || consumer.committed_offset(0) < durable) {
    throw Error(ErrorCode::failed, "the log", fmt::format("does not have all {} records", durable),
                "");
  }
  parent.send(true);
}

void kill_both(PrivateBus& bus) {
  const std::optional<pid_t> keeper = bus.keeper();
  bus.kill();  // first: it would start another keeper
  if (!keeper) throw Error(ErrorCode::failed, "keeper", "it is not there", "");
  ::kill(*keeper, SIGKILL);
  while (::waitpid(*keeper, nullptr, 0) < 0 && errno == EINTR) continue;
}

std::chrono::nanoseconds start_of(PrivateBus& bus) {
  const auto begin = Clock::now();
  bus.launch();
  bus.await_service(kLookForLogEvery);
  return Clock::now() - begin;
}

struct RecoverRun {
  Durations recovered;
  std::uint64_t log_bytes = 0;  ///< durable before the first kill
};

RecoverRun recover_once(const RecoverOptions& options) {
  PrivateBus bus(options.daemon(), options.place());
  bus.start();
  create_topics(bus.socket(), kOneTopic, options.topic_choices());
  RecoverRun run;
  std::uint64_t durable = 0;
  for (std::uint32_t i = 0; i < options.times; ++i) {
    {
      Child writer("writer", [&](Channel& parent) {
        play_writer(parent, bus.socket(), i == 0 ? options.log_bytes() : kMoreEachTime);
      });
      durable += writer.channel().await<std::uint64_t>();
      kill_both(bus);
    }
    if (i == 0) run.log_bytes = durable * record_slot_bytes(kRecordBytes);
    // As after the machine was started.
    forget(files_below(bus.directory() / "state" / "topics", ".log"));
    run.recovered.add(start_of(bus));
    Child reader("reader", [&](Channel& parent) { check_log(parent, bus.socket(), durable); });
    reader.channel().await<bool>();
    reader.join();
  }
  bus.stop();
  return run;
}

BenchResult measure_recover(const RecoverOptions& options) {
  BenchResult result{.name = "recover",
                     .about = kRecoverAbout,
                     .settings = bench_settings(),
                     .runs = {},
                     .target = {}};
  result.settings["starts"] = options.times;
  options.describe_topics(result.settings);
  std::uint64_t least = ~std::uint64_t{0};
  for (std::uint32_t i = 0; i < options.runs; ++i) {
    RecoverRun run = recover_once(options);
    least = std::min(least, run.log_bytes);
    result.runs.push_back(
        {{"recovered", "start of the new one to its first greeting", run.recovered}});
  }
  result.settings["log_bytes"] = least;
  if (least >= kRecoverBytes) result.target = BenchResult::Target{0.99, kRecoverTarget};
  return result;
}

Demand recover_demand(const RecoverOptions& options) {
  const std::uint64_t written =
      options.log_bytes() + options.times * (kMoreEachTime + kWrittenUntilKilled);
  return {.written_bytes = options.runs * written,
          .disk_bytes = written,
          .memory_bytes = 2 * options.ring_bytes()};
}

Configured configure_recover(const RecoverOptions& options) {
  const Demand demand = recover_demand(options);
  return {.name = "recover",
          .about = kRecoverAbout,
          .demand = demand,
          .why_not = [options, demand] { return why_no_disk(options.place(), demand.disk_bytes); },
          .measure = [options](Spare&) { return BenchRows{measure_recover(options)}; }};
}

Configure add_recover_flags(CLI::App& verb) {
  const auto options = std::make_shared<RecoverOptions>();
  options->add_to(verb, "--starts", "Supervisors to start in each run");
  verb.add_option("--log-bytes", options->log,
                  "Bytes of log before the first of them; with less than the default nothing is "
                  "judged")
      ->type_name("SIZE")
      ->capture_default_str();
  return [options] { return configure_recover(*options); };
}

}  // namespace

Benchmark recover_benchmark() {
  return {.verb = "recover",
          .why = "How soon a new supervisor serves with a long log whose ring was lost",
          .examples = "  ringway bench recover\n"
                      "  ringway bench recover --log-bytes 1GiB --starts 3",
          .add_flags = add_recover_flags};
}

}  // namespace ringway::cli
