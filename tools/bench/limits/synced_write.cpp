#include "tools/bench/limits/synced_write.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <ringway/error.hpp>

#include "tools/bench/content.hpp"
#include "tools/bench/latencies.hpp"
#include "tools/bench/limits/scratch_file.hpp"
#include "tools/bench/measurement.hpp"
#include "tools/bench/shared_pages.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kFileBytesMin = 16 << 20;

enum class Through : std::uint8_t { page_cache, past_it };

struct SyncedWay {
  Through through;
  BlockState blocks;
};
constexpr SyncedWay kSyncedWays[] = {{Through::page_cache, BlockState::reserved},
                                     {Through::page_cache, BlockState::written},
                                     {Through::past_it, BlockState::reserved},
                                     {Through::past_it, BlockState::written}};

std::string name_of(const SyncedWay& way) {
  return fmt::format("{}, {} blocks",
                     way.through == Through::page_cache ? "write" : "O_DIRECT write of pages",
                     name_of(way.blocks));
}

/// Slots behind each other in a file that begins anew where it ends; an image of the pages that the
/// one at hand lies in is in memory.
class SlotWriter {
 public:
  SlotWriter(const ScratchFile& file, const SharedPages& image, std::uint64_t slot_bytes,
             Through through)
      : fd_(through == Through::page_cache ? file.fd() : file.direct_fd()),
        file_bytes_(file.bytes()),
        image_(image),
        slot_bytes_(slot_bytes),
        through_(through) {}

  /// In memory: what the kernel is then asked to write.
  void fill(std::uint64_t number) noexcept {
    if (at_ + slot_bytes_ > file_bytes_) at_ = 0;
    content::fill(image_.data() + at_ % kPage, slot_bytes_, number);
  }
  void write_and_sync() {
    const std::uint64_t first = at_ / kPage * kPage;
    const std::uint64_t end = (at_ + slot_bytes_ + kPage - 1) / kPage * kPage;
    if (through_ == Through::page_cache) {
      write(image_.data() + at_ % kPage, slot_bytes_, at_);
    } else {
      write(image_.data(), end - first, first);
    }
    if (::fdatasync(fd_) != 0) throw system_error(errno, "scratch file", "fdatasync");
    at_ += slot_bytes_;
  }

 private:
  void write(const std::byte* from, std::uint64_t bytes, std::uint64_t at) const {
    const ssize_t put = ::pwrite(fd_, from, bytes, static_cast<off_t>(at));
    if (put < 0) throw system_error(errno, "scratch file", "pwrite");
    if (static_cast<std::uint64_t>(put) != bytes) {
      throw Error(ErrorCode::failed, "scratch file", "a slot was written in part", "make room");
    }
  }

  int fd_;
  std::uint64_t file_bytes_;
  const SharedPages& image_;
  std::uint64_t slot_bytes_;
  Through through_;
  std::uint64_t at_ = 0;
};

Latencies play_synced_writer(Stand& stand, SlotWriter writer, const TickClock& clock) {
  const auto ticks = std::make_unique<TickHistogram>();
  stand.ready();
  Meter meter(stand.gate());
  for (std::uint64_t number = 0; meter.go_on(number); ++number) {
    const std::int64_t from = clock.now();
    writer.fill(number);
    writer.write_and_sync();
    if (meter.timed()) ticks->add(clock.now() - from);
  }
  return latencies_of(*ticks, clock, 1, meter.work());
}

Measured write_one_way(int cpu, const std::filesystem::path& place, std::uint64_t slot_bytes,
                       const TickClock& clock, const SyncedWay& way,
                       std::chrono::nanoseconds length) {
  const ScratchFile file(place, std::max(kFileBytesMin, 64 * (slot_bytes + kPage)) / kPage * kPage,
                         way.blocks);
  if (way.through == Through::past_it && file.direct_fd() < 0) {
    return {.figures = {}, .variant = name_of(way)};
  }
  const SharedPages image(slot_bytes + 2 * kPage);
  const std::vector<Part<Latencies>> parts{
      {"synced writer", cpu, [&](Stand& stand) {
         image.populate();
         return play_synced_writer(stand, {file, image, slot_bytes, way.through}, clock);
       }}};
  const Latencies of = measure(parts, length).front();
  Figures figures = throughput({of.work}, {}, slot_bytes);
  figures.p50_ns = of.figures().p50_ns;
  figures.p99_ns = of.figures().p99_ns;
  figures.p999_ns = of.figures().p999_ns;
  return {.figures = figures, .variant = name_of(way), .more = {{"samples", of.samples}}};
}

}  // namespace

std::vector<Measured> synced_write_variants(int cpu, const std::filesystem::path& place,
                                            std::uint64_t slot_bytes, const TickClock& clock,
                                            std::chrono::nanoseconds length) {
  const auto each = std::max<std::chrono::nanoseconds>(length / std::size(kSyncedWays),
                                                       std::chrono::milliseconds(50));
  std::vector<Measured> measured;
  for (const SyncedWay& way : kSyncedWays) {
    measured.push_back(write_one_way(cpu, place, slot_bytes, clock, way, each));
  }
  return measured;
}

}  // namespace ringway::cli
