#include "bench/peers/measure_peer.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <atomic>
#include <memory>
#include <vector>

#include "ringway/error.hpp"
#include "tools/bench/content.hpp"
#include "tools/bench/latencies.hpp"
#include "tools/bench/measurement.hpp"
#include "tools/bench/shared_pages.hpp"

namespace ringway::peers {
namespace {

using namespace std::chrono_literals;
using namespace cli;

constexpr auto kNothingComes = 20s;  // then it is taken for lost

/// What sender and receiver of one way tell each other.
struct Progress {
  alignas(128) std::atomic<std::uint64_t> received{0};
  alignas(128) std::atomic<std::uint64_t> end{0};  ///< all there will be, and 1
};

/// Notices records that do not come any more.
class Patience {
 public:
  void came() noexcept { since_ = std::chrono::steady_clock::now(); }
  void nothing_came(std::uint64_t record) const {
    if (std::chrono::steady_clock::now() - since_ < kNothingComes) return;
    throw Error(ErrorCode::failed, fmt::format("record {}", record), "does not come",
                "look at the peer's own log");
  }

 private:
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

void check(std::span<const std::byte> record, std::uint64_t size_bytes, std::uint64_t number) {
  if (record.size() == size_bytes &&
      content::differences(record.data(), size_bytes, number) == 0) {
    return;
  }
  throw Error(ErrorCode::failed, fmt::format("record {}", number),
              "is not the one that should come next", "");
}

Work play_sender(Stand& stand, const Peer& peer, const Lane& lane, Progress& progress) {
  const auto sender = peer.sender(lane);
  std::vector<std::byte> record(lane.size_bytes);
  stand.ready();
  Meter meter(stand.gate());
  std::uint64_t sent = 0;
  const auto too_many = [&] {
    return peer.window != 0 &&
           sent - progress.received.load(std::memory_order::acquire) >= peer.window;
  };
  while (meter.go_on(sent)) {
    if (too_many()) {
      sender->flush();
      while (too_many() && meter.go_on(sent)) ::sched_yield();
      continue;
    }
    content::fill(record.data(), record.size(), ++sent);
    sender->send(record);
  }
  sender->flush();
  progress.end.store(sent + 1, std::memory_order::release);
  // What it holds on to must not go before it has arrived.
  Patience patience;
  for (std::uint64_t seen = 0; seen < sent;) {
    const std::uint64_t now = progress.received.load(std::memory_order::acquire);
    if (now != seen) patience.came();
    seen = now;
    patience.nothing_came(seen + 1);
    ::sched_yield();
  }
  return meter.work();
}

Work play_receiver(Stand& stand, const Peer& peer, const Lane& lane, Progress& progress) {
  const auto receiver = peer.receiver(lane);
  stand.ready();
  Meter meter(stand.gate());
  Patience patience;
  std::uint64_t received = 0;
  for (std::uint64_t end = 0; end == 0 || received < end - 1;) {
    if (!meter.go_on(received)) end = progress.end.load(std::memory_order::acquire);
    const auto record = receiver->receive();
    if (record.empty()) {
      if (received != 0) patience.nothing_came(received + 1);
      continue;
    }
    check(record, lane.size_bytes, received + 1);
    progress.received.store(++received, std::memory_order::release);
    patience.came();
  }
  return meter.work();
}

/// Nothing when the phases are over before it comes.
bool receive_one(Receiver& receiver, Meter& meter, std::uint64_t size_bytes, std::uint64_t number,
                 std::vector<std::byte>* copy) {
  for (const Patience patience; meter.go_on(number); patience.nothing_came(number)) {
    const auto record = receiver.receive();
    if (record.empty()) continue;
    check(record, size_bytes, number);
    if (copy != nullptr) copy->assign(record.begin(), record.end());
    return true;
  }
  return false;
}

Latencies play_caller(Stand& stand, const Peer& peer, std::uint64_t size_bytes,
                      const TickClock& clock) {
  const auto receiver = peer.receiver({1, size_bytes, true});
  const auto sender = peer.sender({0, size_bytes, true});
  const auto ticks = std::make_unique<TickHistogram>();
  std::vector<std::byte> record(size_bytes);
  stand.ready();
  Meter meter(stand.gate());
  for (std::uint64_t number = 1; meter.go_on(number); ++number) {
    const std::int64_t from = clock.now();
    content::fill(record.data(), size_bytes, number);
    sender->send(record);
    sender->flush();
    if (!receive_one(*receiver, meter, size_bytes, number, nullptr)) break;
    if (meter.timed()) ticks->add(clock.now() - from);
  }
  return latencies_of(*ticks, clock, 2, meter.work());
}

Latencies play_answerer(Stand& stand, const Peer& peer, std::uint64_t size_bytes) {
  const auto receiver = peer.receiver({0, size_bytes, true});
  const auto sender = peer.sender({1, size_bytes, true});
  std::vector<std::byte> record;
  stand.ready();
  Meter meter(stand.gate());
  for (std::uint64_t number = 1; receive_one(*receiver, meter, size_bytes, number, &record);
       ++number) {
    sender->send(record);
    sender->flush();
  }
  return {};
}

}  // namespace

Measured measure_throughput(const Peer& peer, const CpuPair& cpus, std::uint64_t size_bytes,
                            std::chrono::nanoseconds length) {
  const SharedPages page(sizeof(Progress));
  Progress& progress = *new (page.data()) Progress;
  const Lane lane{0, size_bytes, false};
  const std::vector<Part<Work>> parts{
      {"peer sender", cpus.first,
       [&](Stand& stand) { return play_sender(stand, peer, lane, progress); }},
      {"peer receiver", cpus.second,
       [&](Stand& stand) { return play_receiver(stand, peer, lane, progress); }}};
  const std::vector<Work> work = measure(parts, length);
  return {.figures = throughput({work[1]}, {work[0]}, size_bytes), .variant = peer.name};
}

Measured measure_latency(const Peer& peer, const CpuPair& cpus, std::uint64_t size_bytes,
                         const TickClock& clock, std::chrono::nanoseconds length) {
  const std::vector<Part<Latencies>> parts{
      {"peer caller", cpus.first,
       [&](Stand& stand) { return play_caller(stand, peer, size_bytes, clock); }},
      {"peer answerer", cpus.second,
       [&](Stand& stand) { return play_answerer(stand, peer, size_bytes); }}};
  const std::vector<Latencies> latencies = measure(parts, length);
  return {.figures = latencies.front().figures(),
          .variant = peer.name,
          .more = {{"samples", latencies.front().samples}}};
}

}  // namespace ringway::peers
