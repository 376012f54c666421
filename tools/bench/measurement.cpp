#include "tools/bench/measurement.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <thread>

#include "tools/stage/interruption.hpp"

namespace ringway::cli {

using namespace std::chrono_literals;

void sleep_interruptibly(std::chrono::nanoseconds length) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + length;
  for (auto left = length; left > 0ns; left = end - Clock::now()) {
    check_interrupted();
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(left, 50ms));
  }
}

void Meter::enter(Phase phase, std::uint64_t records) noexcept {
  using Clock = std::chrono::steady_clock;
  if (phase == Phase::timed) {
    from_ = Clock::now();
    cpu_from_ = cpu_time_used();
    records_from_ = records;
  } else if (seen_ == Phase::timed) {
    work_ = {records - records_from_, static_cast<std::uint64_t>((Clock::now() - from_).count()),
             static_cast<std::uint64_t>((cpu_time_used() - cpu_from_).count())};
  }
  seen_ = phase;
}

void take_place(const std::string& name, int cpu) {
  pin_to(cpu);
  ::prctl(PR_SET_NAME, name.c_str());
}

void Stand::ready() {
  parent_.send(true);
  parent_.await<bool>();
}

std::chrono::nanoseconds warm_up_before(std::chrono::nanoseconds length) {
  return std::clamp<std::chrono::nanoseconds>(length / 5, 5ms, 100ms);
}

void keep_time(Gate& gate, std::chrono::nanoseconds length) {
  sleep_interruptibly(warm_up_before(length));
  gate.phase.store(Phase::timed, std::memory_order::relaxed);
  sleep_interruptibly(length);
  gate.phase.store(Phase::over, std::memory_order::relaxed);
}

Figures throughput(const std::vector<Work>& readers, const std::vector<Work>& others,
                   std::uint64_t slot_bytes) {
  Figures figures;
  double slowest = 0, cpu_ns = 0, records = 0;
  for (const Work& each : readers) {
    if (each.wall_ns == 0 || each.records == 0) return {};
    const double rate = static_cast<double>(each.records) * 1e9 / static_cast<double>(each.wall_ns);
    if (slowest == 0 || rate < slowest) slowest = rate;
    records = std::max(records, static_cast<double>(each.records));
    cpu_ns += static_cast<double>(each.cpu_ns);
  }
  for (const Work& each : others) {
    if (each.wall_ns == 0) return {};
    cpu_ns += static_cast<double>(each.cpu_ns);
  }
  figures.records_per_s = slowest;
  figures.bytes_per_s = slowest * static_cast<double>(slot_bytes);
  figures.cpu_ns_per_record = cpu_ns / records;
  return figures;
}

}  // namespace ringway::cli
