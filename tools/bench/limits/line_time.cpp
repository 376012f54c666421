#include "tools/bench/limits/line_time.hpp"

#include <algorithm>
#include <atomic>

#include "tools/bench/measurement.hpp"

namespace ringway::cli {
namespace {

constexpr std::chrono::milliseconds kLineLength{15};
constexpr std::uint64_t kRoundsInARun = 200;
constexpr std::size_t kRunsWanted = 20;
constexpr int kTries = 10;
constexpr double kShareAsQuick = 0.1;

struct alignas(128) Ball {
  std::atomic<std::uint64_t> round{0};  // odd: on its way out
};

/// False once it is over.
bool await_round(const Ball& ball, std::uint64_t round, Meter& meter) {
  for (;;) {
    for (int i = 0; i < 10'000; ++i) {
      if (ball.round.load(std::memory_order::acquire) == round) return true;
    }
    if (!meter.go_on(0)) return false;
  }
}

struct LineRuns {
  std::size_t runs = 0;
  double ns = 0;
};

LineRuns quick_ones(std::vector<double> runs) {
  if (runs.empty()) return {};
  std::sort(runs.begin(), runs.end());
  return {runs.size(),
          runs[static_cast<std::size_t>(kShareAsQuick * static_cast<double>(runs.size()))]};
}

LineRuns play_server(Stand& stand, Ball& ball, const TickClock& clock) {
  stand.ready();
  Meter meter(stand.gate());
  std::vector<double> runs;
  std::uint64_t round = 0;
  while (meter.go_on(0)) {
    const std::int64_t from = clock.now();
    for (std::uint64_t i = 0; i < kRoundsInARun; ++i) {
      ball.round.store(++round, std::memory_order::release);
      if (!await_round(ball, ++round, meter)) return quick_ones(std::move(runs));
    }
    if (!meter.timed()) continue;
    runs.push_back(static_cast<double>(clock.now() - from) * clock.ns_per_tick() /
                   static_cast<double>(2 * kRoundsInARun));
  }
  return quick_ones(std::move(runs));
}

LineRuns play_returner(Stand& stand, Ball& ball) {
  stand.ready();
  Meter meter(stand.gate());
  for (std::uint64_t round = 0; await_round(ball, ++round, meter);) {
    ball.round.store(++round, std::memory_order::release);
  }
  return {};
}

}  // namespace

std::optional<double> line_time_ns(const CpuPair& cpus, const TickClock& clock) {
  for (int tried = 0; tried < kTries; ++tried) {
    const SharedPages page(sizeof(Ball));
    Ball& ball = *new (page.data()) Ball;
    const std::vector<Part<LineRuns>> parts{
        {"line caller", cpus.first, [&](Stand& stand) { return play_server(stand, ball, clock); }},
        {"line answerer", cpus.second, [&](Stand& stand) { return play_returner(stand, ball); }}};
    const LineRuns line = measure(parts, kLineLength).front();
    if (line.runs >= kRunsWanted) return line.ns;
  }
  return std::nullopt;
}

}  // namespace ringway::cli
