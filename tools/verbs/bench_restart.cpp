#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <list>
#include <ringway/bus.hpp>
#include <thread>

#include "tools/bench/bench_options.hpp"
#include "tools/bench/benchmark.hpp"
#include "tools/bench/result.hpp"
#include "tools/bench/traffic.hpp"
#include "tools/command_line.hpp"
#include "tools/number_option.hpp"
#include "tools/stage/interruption.hpp"
#include "tools/stage/private_bus.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kRestartTarget = 300ms;
constexpr auto kSteady = 500ms;    // of traffic, before anything is measured
constexpr auto kUndisturbed = 1s;  // and without a restart
constexpr auto kAfter = 300ms;     // a pause may go on for a while after clients are served
// What is written at most: a page of each partition that has records, so often, and what a start
// begins there. While nobody serves nothing is.
constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kBatchesPerS = 200;
constexpr std::uint64_t kWrittenPerStart = 32 << 10;
constexpr auto kPerRestart = 600ms;  // of traffic that is served
constexpr auto kPerScene = kSteady + kUndisturbed + 700ms;

struct RestartOptions : BenchOptions {
  TrafficShape shape{.topics = 1, .partitions = 200, .records_per_s = 100'000};
  std::string ending;  ///< "" for both
};

/// What ends a supervisor.
struct Ending {
  const char* option;
  const char* name;
  const char* about;
  std::optional<std::chrono::nanoseconds> target;
  void (*end)(PrivateBus& bus);
};
const Ending kEndings[] = {
    {"kill", "restart", "the supervisor is killed -9 under traffic and started again",
     kRestartTarget, [](PrivateBus& bus) { bus.kill(); }},
    {"orderly", "restart_orderly",
     "the supervisor is stopped by SIGTERM under traffic and started again", std::nullopt,
     [](PrivateBus& bus) { bus.stop(); }},
};

/// A bus with traffic, and everybody who measures it.
class Scene {
 public:
  Scene(const RestartOptions& options) : bus_(options.daemon(), options.place()) {
    bus_.start();
    create_topics(bus_.socket(), options.shape, options.topic_choices());
    const auto spawn = [&](const char* name, auto role) -> Child& {
      actors_.emplace_back(name, [this, role, shape = options.shape](Channel& parent) {
        role(parent, bus_.socket(), shape);
      });
      actors_.back().channel().await<bool>();
      return actors_.back();
    };
    producer_ = &spawn("producer", play_traffic_producer);
    consumer_ = &spawn("consumer", play_traffic_consumer);
    new_client_ = &spawn("new client", play_new_client);
    old_client_ = &spawn("old client", play_old_client);
    rest(kSteady);
  }

  struct Times {
    Pause producer, consumer;
    std::chrono::nanoseconds ended, served, to_new, to_old;
  };

  Times undisturbed() {
    mark();
    rest(kUndisturbed);
    Times times{};
    report(times);
    return times;
  }

  Times restart(const Ending& ending) {
    mark();
    const auto end = Clock::now();
    ending.end(bus_);
    tell({Order::Kind::attach}, {new_client_, old_client_});
    const auto begin = Clock::now();
    bus_.launch();
    const auto to_new = new_client_->channel().await<Attached>() - begin;
    const auto to_old = old_client_->channel().await<Attached>() - begin;
    rest(kAfter);
    Times times{{}, {}, begin - end, std::max(to_new, to_old), to_new, to_old};
    report(times);
    return times;
  }

  /// Throws Error when anything was lost or doubled.
  void finish() {
    tell({Order::Kind::finish}, {new_client_, old_client_, producer_});
    const auto published = producer_->channel().await<std::uint64_t>();
    tell({Order::Kind::finish, published}, {consumer_});
    const auto read = consumer_->channel().await<std::uint64_t>();
    if (read != published) {
      throw Error(ErrorCode::failed, "traffic",
                  fmt::format("{} records were published and {} read", published, read), "");
    }
    for (Child& actor : actors_) actor.join();
    bus_.stop();
  }

 private:
  static void rest(std::chrono::nanoseconds length) {
    const auto end = Clock::now() + length;
    while (Clock::now() < end) {
      check_interrupted();
      std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(50ms, end - Clock::now()));
    }
  }
  static void tell(const Order& order, std::initializer_list<Child*> whom) {
    for (Child* child : whom) child->channel().send(order);
  }
  void mark() { tell({Order::Kind::mark}, {producer_, consumer_}); }
  void report(Times& times) {
    tell({Order::Kind::report}, {producer_, consumer_});
    times.producer = producer_->channel().await<Pause>();
    times.consumer = consumer_->channel().await<Pause>();
  }

  PrivateBus bus_;
  std::list<Child> actors_;
  Child *producer_, *consumer_, *new_client_, *old_client_;
};

std::vector<Series> restart_run(const RestartOptions& options, const Ending& ending) {
  Scene scene(options);
  const Scene::Times quiet = scene.undisturbed();
  std::vector<Series> series{{"served", "start of the new one to clients served", {}},
                             {"new_client", "… to a new client having opened a topic", {}},
                             {"old_client", "… to an old client having an answer", {}},
                             {"ended", "signal to the old one's end", {}},
                             {"producer_pause", "longest pause of producers", {}},
                             {"consumer_pause", "longest pause of consumers", {}},
                             {"producer_undisturbed", "… of producers with no restart", {}},
                             {"consumer_undisturbed", "… of consumers with no restart", {}}};
  for (std::uint32_t i = 0; i < options.times; ++i) {
    const Scene::Times times = scene.restart(ending);
    std::size_t next = 0;
    for (const auto time :
         {times.served, times.to_new, times.to_old, times.ended, times.producer, times.consumer}) {
      series[next++].durations.add(time);
    }
  }
  series[6].durations.add(quiet.producer);
  series[7].durations.add(quiet.consumer);
  scene.finish();
  return series;
}

BenchResult measure_restart(const RestartOptions& options, const Ending& ending) {
  BenchResult result{.name = ending.name,
                     .about = ending.about,
                     .settings = bench_settings(),
                     .runs = {},
                     .target = {}};
  if (ending.target) result.target = BenchResult::Target{0.99, *ending.target};
  result.settings["restarts"] = options.times;
  result.settings["topics"] = options.shape.topics;
  result.settings["partitions"] = options.shape.lanes();
  result.settings["records_per_s"] = options.shape.records_per_s;
  options.describe_topics(result.settings);
  for (std::uint32_t run = 0; run < options.runs; ++run) {
    result.runs.push_back(restart_run(options, ending));
  }
  return result;
}

Demand restart_demand(const RestartOptions& options, std::size_t endings) {
  const std::uint64_t lanes = options.shape.lanes();
  const std::uint64_t pages_per_s = std::min(options.shape.records_per_s, lanes * kBatchesPerS);
  const auto length = std::chrono::duration<double>(kPerScene + options.times * kPerRestart);
  const std::uint64_t each =
      static_cast<std::uint64_t>(length.count() * static_cast<double>(pages_per_s)) * kPage +
      (options.times + 1) * lanes * kWrittenPerStart + kWrittenPerBus;
  return {.written_bytes = endings * options.runs * each,
          .disk_bytes = each,
          .memory_bytes = options.shape.lanes() * options.ring_bytes()};
}

Configured configure_restart(const RestartOptions& options) {
  std::vector<Ending> endings;
  for (const Ending& ending : kEndings) {
    if (options.ending.empty() || options.ending == ending.option) endings.push_back(ending);
  }
  return {.name = endings.front().name,
          .about = endings.front().about,
          .demand = restart_demand(options, endings.size()),
          .measure = [options, endings](Spare&) {
            BenchRows rows;
            for (const Ending& ending : endings) rows.push_back(measure_restart(options, ending));
            return rows;
          }};
}

Configure add_restart_flags(CLI::App& verb) {
  const auto options = std::make_shared<RestartOptions>();
  options->times = 5;
  options->add_to(verb, "--restarts", "Restarts in each run, of each kind");
  options->add_shape_to(verb, options->shape);
  verb.add_option("--ending", options->ending, "Only kill or orderly (default both)")
      ->check(CLI::IsMember({"kill", "orderly"}).description(""))
      ->type_name("kill|orderly");
  add_number(verb, "--rate", options->shape.records_per_s, "Records of 64 bytes per second",
             {1, 10'000'000})
      ->capture_default_str();
  return [options] { return configure_restart(*options); };
}

}  // namespace

Benchmark restart_benchmark() {
  return {.verb = "restart",
          .why = "How soon clients are served by a new supervisor, and how long traffic pauses",
          .examples = "  ringway bench restart\n"
                      "  ringway bench restart --topics 200 --partitions 1",
          .add_flags = add_restart_flags};
}

}  // namespace ringway::cli
