#include "tools/bench/limits/record_copy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <ringway/error.hpp>

#include "tools/bench/content.hpp"
#include "tools/bench/latencies.hpp"
#include "tools/bench/limits/stamped_slot.hpp"
#include "tools/bench/measurement.hpp"
#include "tools/bench/shared_pages.hpp"

namespace ringway::cli {
namespace {

constexpr int kLooksBetweenPhases = 10'000;

struct CopyWay {
  const char* name;
  bool one_place;   // every record goes to the same place; else to the next one
  bool asks_ahead;  // for the lines of the next place, while there is nothing else to do
};

/// Places for records that go one way, in shared memory.
class Lane {
 public:
  Lane(std::byte* data, const RecordCopyShape& shape, const CopyWay& way)
      : data_(data),
        slot_bytes_(shape.slot_bytes),
        slots_(way.one_place ? 1 : shape.ring_bytes / shape.slot_bytes),
        asks_ahead_(way.asks_ahead) {}

  std::byte* at(std::uint64_t number) const noexcept {
    return data_ + number % slots_ * slot_bytes_;
  }
  void ask_for(std::uint64_t number) const noexcept {
    if (!asks_ahead_) return;
    std::byte* line = at(number);
    for (std::size_t i = 0; i < slot_bytes_; i += content::kLineBytes) {
      content::OwnedStores<0>::ahead(line + i);
    }
    content::OwnedStores<0>::ahead(line + slot_bytes_ - 1);
  }
  void write(std::uint64_t number) const noexcept {
    stamped_slot::fill_behind_stamp<content::PlainStores>(at(number), slot_bytes_, number);
    stamped_slot::publish(at(number), number);
  }
  /// The record of `from` with that number, in place.
  void copy(const Lane& from, std::uint64_t number) const noexcept {
    constexpr std::size_t kStamp = sizeof number;
    std::memcpy(at(number) + kStamp, from.at(number) + kStamp, slot_bytes_ - kStamp);
    stamped_slot::publish(at(number), number);
  }
  void check(std::uint64_t number) const {
    if (content::differences(at(number), slot_bytes_, number) == 0) return;
    throw Error(ErrorCode::failed, fmt::format("copied record {}", number),
                "is not the one that was written", "");
  }
  /// False once it is over.
  bool await(std::uint64_t number, Meter& meter) const noexcept {
    for (;;) {
      for (int i = 0; i < kLooksBetweenPhases; ++i) {
        if (stamped_slot::holds(at(number), number)) return true;
      }
      if (!meter.go_on(number)) return false;
    }
  }
  std::uint64_t slots() const noexcept { return slots_; }

 private:
  std::byte* data_;
  std::size_t slot_bytes_;
  std::uint64_t slots_;
  bool asks_ahead_;
};

Latencies play_sender(Stand& stand, const Lane& out, const Lane& back, const TickClock& clock) {
  const auto ticks = std::make_unique<TickHistogram>();
  stand.ready();
  Meter meter(stand.gate());
  std::int64_t from = clock.now();
  for (std::uint64_t number = 1; meter.go_on(number); ++number) {
    out.write(number);
    out.ask_for(number + 1);
    if (!back.await(number, meter)) break;
    back.check(number);
    const std::int64_t now = clock.now();
    if (meter.timed()) ticks->add(now - from);
    from = now;
  }
  return latencies_of(*ticks, clock, 2, meter.work());
}

Latencies play_echo(Stand& stand, const Lane& out, const Lane& back) {
  stand.ready();
  Meter meter(stand.gate());
  for (std::uint64_t number = 1; out.await(number, meter); ++number) {
    back.copy(out, number);
    back.ask_for(number + 1);
  }
  return {};
}

struct PacedHead {
  alignas(128) std::atomic<std::int64_t> start{0};  // by the writer: when record 0 is due
  alignas(128) std::atomic<std::uint64_t> end{0};   // by the writer: all there will be, and 1
  alignas(128) std::atomic<std::uint64_t> read{0};  // by the reader
};

Latencies play_paced_writer(Stand& stand, PacedHead& head, const Lane& lane, double records_per_s,
                            const TickClock& clock) {
  stand.ready();
  Meter meter(stand.gate());
  const Schedule schedule(clock.now(), records_per_s, clock);
  head.start.store(schedule.due(0), std::memory_order::release);
  std::uint64_t record = 0, room_until = lane.slots();
  while (meter.go_on(record)) {
    if (clock.now() < schedule.due(record)) continue;
    if (record == room_until) {
      room_until = head.read.load(std::memory_order::acquire) + lane.slots();
      continue;
    }
    lane.write(++record);
    lane.ask_for(record + 1);
  }
  head.end.store(record + 1, std::memory_order::release);
  return {.work = meter.work()};
}

Latencies play_paced_reader(Stand& stand, PacedHead& head, const Lane& lane, double records_per_s,
                            const TickClock& clock) {
  const auto ticks = std::make_unique<TickHistogram>();
  stand.ready();
  Meter meter(stand.gate());
  std::int64_t start = 0;
  while (start == 0) start = head.start.load(std::memory_order::acquire);
  const Schedule schedule(start, records_per_s, clock);
  const std::uint64_t tell_each = std::max<std::uint64_t>(1, lane.slots() / 16);
  std::uint64_t record = 0;
  while (meter.go_on(record)) {
    if (!lane.await(record + 1, meter)) break;
    lane.check(record + 1);
    if (meter.timed()) ticks->add(clock.now() - schedule.due(record));
    if (++record % tell_each == 0) head.read.store(record, std::memory_order::release);
  }
  std::uint64_t end = 0;
  while (end == 0) end = head.end.load(std::memory_order::acquire);
  for (; record < end - 1; ++record) lane.check(record + 1);
  return latencies_of(*ticks, clock, 1, meter.work());
}

std::chrono::nanoseconds share_of(std::chrono::nanoseconds length, std::size_t variants) {
  return std::max<std::chrono::nanoseconds>(length / variants, std::chrono::milliseconds(50));
}

Measured as_measured(const Latencies& latencies, const char* name) {
  return {
      .figures = latencies.figures(), .variant = name, .more = {{"samples", latencies.samples}}};
}

}  // namespace

std::vector<Measured> record_copy_variants(const CpuPair& cpus, const RecordCopyShape& shape,
                                           const TickClock& clock,
                                           std::chrono::nanoseconds length) {
  constexpr CopyWay kWays[] = {{"copy to one place", true, false},
                               {"copy to the next place", false, false},
                               {"copy to the next place, prefetchw", false, true}};
  std::vector<Measured> measured;
  for (const CopyWay& way : kWays) {
    const SharedPages there(shape.ring_bytes), here(shape.ring_bytes);
    const Lane out(there.data(), shape, way), back(here.data(), shape, way);
    const auto populate = [&] { there.populate(), here.populate(); };
    const std::vector<Part<Latencies>> parts{
        {"limit caller", cpus.first,
         [&](Stand& stand) { return populate(), play_sender(stand, out, back, clock); }},
        {"limit answerer", cpus.second,
         [&](Stand& stand) { return populate(), play_echo(stand, out, back); }}};
    measured.push_back(
        as_measured(measure(parts, share_of(length, std::size(kWays))).front(), way.name));
  }
  return measured;
}

std::vector<Measured> paced_copy_variants(const CpuPair& cpus, const RecordCopyShape& shape,
                                          double records_per_s, const TickClock& clock,
                                          std::chrono::nanoseconds length) {
  constexpr CopyWay kWays[] = {{"copy to the next place", false, false},
                               {"copy to the next place, prefetchw", false, true}};
  std::vector<Measured> measured;
  for (const CopyWay& way : kWays) {
    const SharedPages head_page(sizeof(PacedHead)), data(shape.ring_bytes);
    PacedHead& head = *new (head_page.data()) PacedHead;
    const Lane lane(data.data(), shape, way);
    const std::vector<Part<Latencies>> parts{
        {"limit producer", cpus.first,
         [&](Stand& stand) {
           return data.populate(), play_paced_writer(stand, head, lane, records_per_s, clock);
         }},
        {"limit consumer", cpus.second, [&](Stand& stand) {
           return data.populate(), play_paced_reader(stand, head, lane, records_per_s, clock);
         }}};
    measured.push_back(
        as_measured(measure(parts, share_of(length, std::size(kWays)))[1], way.name));
  }
  return measured;
}

}  // namespace ringway::cli
