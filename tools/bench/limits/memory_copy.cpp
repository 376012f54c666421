#include "tools/bench/limits/memory_copy.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "tools/bench/measurement.hpp"

namespace ringway::cli {
namespace {

constexpr std::uint64_t kUsualFirstCache = 32 << 10;
constexpr std::uint64_t kBeyondMax = 256 << 20;
constexpr std::uint64_t kPieceMax = 1 << 20;  // between two looks at the phase

Work copy_over_and_over(Stand& stand, std::uint64_t bytes) {
  std::vector<char> from(bytes, 'f'), to(bytes, 't');
  stand.ready();
  Meter meter(stand.gate());
  const std::uint64_t piece = std::min(bytes, kPieceMax);
  std::uint64_t pieces = 0;
  for (std::uint64_t at = 0; meter.go_on(pieces); ++pieces) {
    std::memcpy(to.data() + at, from.data() + at, piece);
    asm volatile("" : : "r"(to.data()) : "memory");  // somebody might look: it is copied
    at = at + 2 * piece <= bytes ? at + piece : 0;
  }
  return meter.work();
}

}  // namespace

MemoryCopyPlaces memory_copy_places() {
  const long first = ::sysconf(_SC_LEVEL1_DCACHE_SIZE);
  const long last = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
  return {(first > 0 ? static_cast<std::uint64_t>(first) : kUsualFirstCache) / 4,
          last > 0 ? std::min(4 * static_cast<std::uint64_t>(last), kBeyondMax) : kBeyondMax};
}

Measured memory_copy(int cpu, std::uint64_t bytes, std::chrono::nanoseconds length) {
  const std::vector<Part<Work>> parts{
      {"memory copy", cpu, [&](Stand& stand) { return copy_over_and_over(stand, bytes); }}};
  Figures figures = throughput(measure(parts, length), {}, std::min(bytes, kPieceMax));
  return {.figures = {.records_per_s = {},
                      .bytes_per_s = figures.bytes_per_s,
                      .p50_ns = {},
                      .p99_ns = {},
                      .p999_ns = {},
                      .cpu_ns_per_record = {}},
          .variant = "memcpy"};
}

}  // namespace ringway::cli
