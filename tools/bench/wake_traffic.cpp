#include "tools/bench/wake_traffic.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <ringway/bus.hpp>
#include <string_view>

#include "tools/bench/latencies.hpp"
#include "tools/bench/limits/futex_wake.hpp"
#include "tools/bench/measurement.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/shared_pages.hpp"

namespace ringway::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kLiesFor = 20ms;  // of the sleeper, before it looks at the phase

struct WakeBed {
  alignas(128) std::atomic<std::uint64_t> lies_down{0};  // by the consumer: records it has, and 1
  std::atomic<pid_t> sleeper{0};                         // by the consumer, before it is ready
  alignas(128) std::atomic<std::int64_t> called{0};      // by the producer, before it publishes
};

/// What the kernel says of another process. Owns a descriptor; one thread.
class ProcessLook {
 public:
  explicit ProcessLook(pid_t process)
      : path_(fmt::format("/proc/{}/stat", process)),
        fd_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) throw system_error(errno, path_, "open");
  }
  ProcessLook(const ProcessLook&) = delete;
  ProcessLook& operator=(const ProcessLook&) = delete;
  ~ProcessLook() { ::close(fd_); }

  bool sleeps() const {
    char text[512];
    const ssize_t got = ::pread(fd_, text, sizeof text, 0);
    if (got < 0) throw system_error(errno, path_, "read");
    const std::string_view stat(text, static_cast<std::size_t>(got));
    const std::size_t name_ends = stat.rfind(") ");  // "123 (consumer) S 1 ..."
    return name_ends != std::string_view::npos && stat.substr(name_ends + 2).starts_with('S');
  }

 private:
  std::string path_;
  int fd_;
};

/// How often the calling thread has gone to sleep.
long sleeps_so_far() {
  rusage used{};
  ::getrusage(RUSAGE_THREAD, &used);
  return used.ru_nvcsw;
}

Latencies play_wake_consumer(Stand& stand, Consumer consumer, WakeBed& bed,
                             std::uint64_t size_bytes, const TickClock& clock) {
  const auto ticks = std::make_unique<TickHistogram>();
  NumberedReader reader(size_bytes, 1);
  bed.sleeper.store(::getpid(), std::memory_order::relaxed);  // ready() orders it
  stand.ready();
  Meter meter(stand.gate());
  for (std::uint64_t round = 1; meter.go_on(round); ++round) {
    const long slept = sleeps_so_far();
    bed.lies_down.store(round, std::memory_order::release);
    while (reader.records() < round && meter.go_on(round)) reader.poll(consumer, kLiesFor);
    const std::int64_t now = clock.now();
    const bool once = sleeps_so_far() == slept + 1;
    // Relaxed: the record orders it.
    if (reader.records() == round && once && meter.timed()) {
      ticks->add(now - bed.called.load(std::memory_order::relaxed));
    }
  }
  return latencies_of(*ticks, clock, 1, meter.work());
}

Latencies play_wake_producer(Stand& stand, NumberedProducer producer, WakeBed& bed,
                             const TickClock& clock) {
  const auto ticks = std::make_unique<TickHistogram>();
  const auto asleep_for = static_cast<std::int64_t>(
      std::chrono::duration<double, std::nano>(kAsleepFor).count() / clock.ns_per_tick());
  stand.ready();
  const ProcessLook sleeper(bed.sleeper.load(std::memory_order::relaxed));
  Meter meter(stand.gate());
  for (std::uint64_t round = 1; meter.go_on(round);) {
    if (bed.lies_down.load(std::memory_order::acquire) != round || !sleeper.sleeps()) continue;
    const std::int64_t from = clock.now() + asleep_for;
    while (clock.now() < from) continue;
    const std::int64_t called = clock.now();
    bed.called.store(called, std::memory_order::relaxed);  // ordered by the record
    producer.one();
    if (meter.timed()) ticks->add(clock.now() - called);
    ++round;
  }
  return latencies_of(*ticks, clock, 1, meter.work());
}

}  // namespace

Measured wake_traffic(const std::string& socket, const std::string& topic, const CpuPair& cpus,
                      const WakeShape& shape, const TickClock& clock,
                      std::chrono::nanoseconds length) {
  const SharedPages page(sizeof(WakeBed));
  WakeBed& bed = *new (page.data()) WakeBed;
  const std::vector<Part<Latencies>> parts{
      {"producer", cpus.first,
       [&](Stand& stand) {
         Bus bus = Bus::connect(socket);
         return play_wake_producer(
             stand, NumberedProducer(bus, topic, {.size_bytes = shape.size_bytes}), bed, clock);
       }},
      {"consumer", cpus.second, [&](Stand& stand) {
         Bus bus = Bus::connect(socket);
         return play_wake_consumer(stand,
                                   bus.consumer(topic, {.from = end(), .wait = shape.wait}), bed,
                                   shape.size_bytes, clock);
       }}};
  const std::vector<Latencies> of = measure(parts, length);
  Measured measured{.figures = of[1].figures(), .variant = "ringway"};
  measured.more["samples"] = of[1].samples;
  measured.more["waker_p50_ns"] = json_number(of[0].figures().p50_ns);
  return measured;
}

}  // namespace ringway::cli
