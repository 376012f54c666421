#include "tools/bench/recovery.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ringway/bus.hpp>
#include <thread>

#include "tools/bench/disk_options.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/page_cache.hpp"
#include "tools/quantity.hpp"
#include "tools/stage/child.hpp"

namespace ringway::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kRecoveryTarget = 1s;
constexpr std::uint64_t kRecoveryBytes = std::uint64_t{10} << 30;  // of less nothing was promised
constexpr std::uint64_t kMoreEachTime = 16 << 20;  // before the next kill, and then until it comes
constexpr std::uint64_t kFastUntilKilled = 64 << 20;     // and slowly behind them
constexpr std::uint64_t kWrittenUntilKilled = 80 << 20;  // at most
constexpr auto kSlowly = 1ms;
constexpr auto kLookForServiceEvery = 200us;

/// Publishes at full speed: tells how many records are durable once the log has `bytes` of them,
/// and goes on until it is ended, slowly where that takes long.
void play_log_writer(Channel& parent, const std::string& socket, const LongLog& log,
                     std::uint64_t bytes) {
  Bus bus = Bus::connect(socket);
  NumberedProducer producer(bus, log.topic, {.size_bytes = log.size_bytes});
  const auto records = [&] { return producer.last().value + 1; };
  do {
    producer.publish_some();
  } while (records() * record_slot_bytes(log.size_bytes) < bytes);
  producer.wait(Level::durable);
  const std::uint64_t fast = records() + kFastUntilKilled / record_slot_bytes(log.size_bytes);
  parent.send(records());
  for (;;) {
    producer.publish_some();
    if (records() > fast) std::this_thread::sleep_for(kSlowly);
  }
}

/// Throws Error where the log has lost its beginning, or the last of the `durable` records.
void check_log(Channel& parent, const std::string& socket, const LongLog& log,
               std::uint64_t durable) {
  Bus bus = Bus::connect(socket);
  Consumer consumer = bus.consumer(log.topic, {.from = start()});
  NumberedReader reader(log.size_bytes, 1);
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

}  // namespace

void RecoveryOptions::add_to(CLI::App& verb) {
  verb.add_option("--log-bytes", log,
                  "Bytes of log before the first of them; with less than the default nothing is "
                  "judged")
      ->type_name("SIZE")
      ->capture_default_str();
}

std::uint64_t RecoveryOptions::log_bytes() const {
  const std::uint64_t bytes = parse_size("--log-bytes", log);
  if (bytes >= kDiskBytesMin) return bytes;
  throw Error(ErrorCode::usage, "--log-bytes " + log, "is too little to measure anything",
              "take 1M or more");
}

std::uint64_t recovery_bytes_max(std::uint64_t log_bytes, std::uint32_t starts) {
  return log_bytes + starts * (kMoreEachTime + kWrittenUntilKilled);
}

Recovery recover(PrivateBus& bus, const LongLog& log, std::uint32_t starts) {
  Recovery recovery;
  std::uint64_t bytes = log.bytes;
  for (std::uint32_t i = 0; i < starts; ++i) {
    std::uint64_t durable = 0;
    {
      Child writer("writer", [&](Channel& parent) {
        play_log_writer(parent, bus.socket(), log, bytes);
      });
      durable = writer.channel().await<std::uint64_t>();
      kill_both(bus);
    }
    const std::uint64_t durable_bytes = durable * record_slot_bytes(log.size_bytes);
    if (i == 0) recovery.log_bytes = durable_bytes;
    bytes = durable_bytes + kMoreEachTime;
    // As after the machine was started.
    forget(files_below(bus.directory() / "state" / "topics", ".log"));
    const auto begin = std::chrono::steady_clock::now();
    bus.launch();
    bus.await_service(kLookForServiceEvery);
    recovery.starts.add(std::chrono::steady_clock::now() - begin);
    Child reader("reader",
                 [&](Channel& parent) { check_log(parent, bus.socket(), log, durable); });
    reader.channel().await<bool>();
    reader.join();
  }
  return recovery;
}

BenchResult recovery_row(const std::vector<Recovery>& runs, std::uint32_t starts, Json settings) {
  BenchResult result{.name = kRecoveryName,
                     .about = kRecoveryAbout,
                     .settings = std::move(settings),
                     .runs = {},
                     .target = {}};
  std::uint64_t least = runs.front().log_bytes;
  for (const Recovery& run : runs) {
    least = std::min(least, run.log_bytes);
    result.runs.push_back({{"recovered", kRecoveryTimed, run.starts}});
  }
  result.settings["starts"] = starts;
  result.settings["log_bytes"] = least;
  if (least >= kRecoveryBytes) result.target = BenchResult::Target{0.99, kRecoveryTarget};
  return result;
}

}  // namespace ringway::cli
