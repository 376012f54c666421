#include "tools/bench/limits/cursor_ring.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <ringway/error.hpp>
#include <type_traits>

#include "tools/bench/content.hpp"
#include "tools/bench/limits/stamped_slot.hpp"
#include "tools/bench/measurement.hpp"
#include "tools/bench/shared_pages.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli {
namespace {

// Who looks at the phases does so once in so many records.
constexpr std::uint64_t kBurst = 1024;
// A sixteenth of the ring: the producer hears rarely of the place there is.
constexpr std::uint64_t kTellsALap = 16;
constexpr std::size_t kRingLinesAhead = 16;
constexpr std::size_t kReadBytesAhead = 512;

enum class Publication : unsigned char {
  cursor,  // a word of its own says how many records there are
  stamp,   // the first word of a claim says that the claim is there
};

struct Way {
  const char* name;
  std::uint64_t held_back_bytes;  // what the reader leaves between itself and the writer
};

/// Numbers of records, not places.
struct RingHead {
  alignas(128) std::atomic<std::uint64_t> written{0};  // by the writer
  alignas(128) std::atomic<std::uint64_t> read{0};     // by the reader
  alignas(128) std::atomic<std::uint64_t> end{0};      // by the writer: all there will be, and 1
};

struct CursorRing {
  RingHead& head;
  std::byte* data;
  CursorRingShape shape;
  std::uint64_t slots;
};

/// Record `n` (from 0) has the number n + 1: zeroed memory holds no record.
std::uint64_t number_of(std::uint64_t record) {
  return record + 1;
}

template <class Stores>
void finish_stores() {
#if defined(__SSE2__)
  if constexpr (std::is_same_v<Stores, content::StreamedStores>) _mm_sfence();
#endif
}

template <Publication kPublication, class Stores>
void write_claim(const CursorRing& ring, std::byte* at, std::uint64_t record) {
  const std::uint64_t slot_bytes = ring.shape.slot_bytes;
  std::uint64_t i = 0;
  if constexpr (kPublication == Publication::stamp) {
    stamped_slot::fill_behind_stamp<Stores>(at, slot_bytes, number_of(record));
    i = 1;
  }
  for (; i < ring.shape.claim; ++i) {
    content::fill<Stores>(at + i * slot_bytes, slot_bytes, number_of(record + i));
  }
  finish_stores<Stores>();
  if constexpr (kPublication == Publication::stamp) {
    stamped_slot::publish(at, number_of(record));
  } else {
    ring.head.written.store(record + ring.shape.claim, std::memory_order::release);
  }
}

template <Publication kPublication, class Stores>
Work write_ring(Stand& stand, const CursorRing& ring) {
  stand.ready();
  Meter meter(stand.gate());
  std::uint64_t written = 0, room_until = ring.slots, place = 0;
  while (meter.go_on(written)) {
    for (const std::uint64_t until = written + kBurst; written < until;) {
      if (room_until - written < ring.shape.claim) {
        room_until = ring.head.read.load(std::memory_order::acquire) + ring.slots;
        if (room_until - written < ring.shape.claim) break;
      }
      write_claim<kPublication, Stores>(ring, ring.data + place * ring.shape.slot_bytes, written);
      written += ring.shape.claim;
      place += ring.shape.claim;
      if (place == ring.slots) place = 0;
    }
  }
  ring.head.end.store(written + 1, std::memory_order::release);
  return meter.work();
}

/// The reader's place, and what it does with the records there.
class RingReader {
 public:
  explicit RingReader(const CursorRing& ring) : ring_(ring) {}

  std::uint64_t read() const noexcept { return read_; }
  std::byte* at(std::uint64_t ahead) const noexcept {
    std::uint64_t place = place_ + ahead;
    if (place >= ring_.slots) place -= ring_.slots;
    return ring_.data + place * ring_.shape.slot_bytes;
  }

  template <bool kPrefetch>
  void take(std::uint64_t until) {
    const std::uint64_t slot_bytes = ring_.shape.slot_bytes;
    while (read_ < until) {
      const std::uint64_t run = std::min(until - read_, ring_.slots - place_);
      const std::byte* from = ring_.data + place_ * slot_bytes;
      for (std::uint64_t i = 0; i < run; ++i, from += slot_bytes) {
        if constexpr (kPrefetch) __builtin_prefetch(from + kReadBytesAhead);
        differences_ |= content::differences(from, slot_bytes, number_of(read_ + i));
      }
      read_ += run;
      place_ += run;
      if (place_ == ring_.slots) place_ = 0;
    }
    if (differences_ != 0) {
      throw Error(ErrorCode::failed, fmt::format("cursor ring, a record before {}", read_),
                  "is not the one that was written", "");
    }
    if (read_ - told_ >= ring_.slots / kTellsALap) {
      ring_.head.read.store(read_, std::memory_order::release);
      told_ = read_;
    }
  }

 private:
  const CursorRing& ring_;
  std::uint64_t read_ = 0, place_ = 0, told_ = 0, differences_ = 0;
};

template <Publication kPublication>
Work read_ring(Stand& stand, const CursorRing& ring, const Way& way) {
  stand.ready();
  Meter meter(stand.gate());
  RingReader reader(ring);
  const std::uint64_t claim = ring.shape.claim;
  const std::uint64_t held_back =
      std::min(way.held_back_bytes / ring.shape.slot_bytes / claim, ring.slots / claim / 4) * claim;
  while (meter.go_on(reader.read())) {
    if constexpr (kPublication == Publication::stamp) {
      for (std::uint64_t taken = 0; taken < kBurst; taken += claim) {
        if (!stamped_slot::holds(reader.at(held_back), number_of(reader.read() + held_back))) break;
        reader.take<false>(reader.read() + claim);
      }
    } else {
      const std::uint64_t written = ring.head.written.load(std::memory_order::acquire);
      if (written <= reader.read() + held_back) continue;
      const std::uint64_t until = std::min(written - held_back, reader.read() + kBurst);
      held_back != 0 ? reader.take<true>(until) : reader.take<false>(until);
    }
  }
  std::uint64_t end = 0;
  while (end == 0) end = ring.head.end.load(std::memory_order::acquire);
  reader.take<false>(end - 1);
  return meter.work();
}

struct Variant {
  Way way;
  Work (*write)(Stand&, const CursorRing&);
  Work (*read)(Stand&, const CursorRing&, const Way&);
};

template <Publication kPublication, class Stores>
Variant variant(const char* name, std::uint64_t held_back_bytes = 0) {
  return {{name, held_back_bytes}, write_ring<kPublication, Stores>, read_ring<kPublication>};
}

std::vector<Variant> all_variants() {
  using content::PlainStores;
  using Owned = content::OwnedStores<kRingLinesAhead>;
  constexpr auto kCursor = Publication::cursor, kStamp = Publication::stamp;
  return {
      variant<kCursor, PlainStores>("plain"),
      variant<kCursor, PlainStores>("plain, reader held back 8 KiB", 8 << 10),
      variant<kCursor, PlainStores>("plain, reader held back 128 KiB", 128 << 10),
      variant<kCursor, Owned>("prefetchw, reader held back 32 KiB", 32 << 10),
      variant<kCursor, Owned>("prefetchw, reader held back 512 KiB", 512 << 10),
      variant<kStamp, PlainStores>("stamp in slot, reader held back 8 KiB", 8 << 10),
      variant<kStamp, Owned>("stamp in slot, prefetchw, reader held back 8 KiB", 8 << 10),
#if defined(__SSE2__)
      variant<kCursor, content::StreamedStores>("non-temporal, reader held back 16 KiB", 16 << 10),
#endif
  };
}

Measured measure_variant(const CpuPair& cpus, const CursorRingShape& shape, const Variant& variant,
                         std::chrono::nanoseconds length) {
  const SharedPages head_page(sizeof(RingHead)), data(shape.ring_bytes + kBurst);
  RingHead& head = *new (head_page.data()) RingHead;
  const CursorRing ring{head, data.data(), shape, shape.slots()};
  const auto populated = [&](auto&& play) {
    return [&, play](Stand& stand) {
      data.populate();
      return play(stand);
    };
  };
  const std::vector<Part<Work>> parts{
      {"limit producer", cpus.first,
       populated([&](Stand& stand) { return variant.write(stand, ring); })},
      {"limit consumer", cpus.second,
       populated([&](Stand& stand) { return variant.read(stand, ring, variant.way); })}};
  const std::vector<Work> work = measure(parts, length);
  return {.figures = throughput({work[1]}, {work[0]}, shape.slot_bytes),
          .variant = variant.way.name};
}

}  // namespace

void CursorRingShape::check() const {
  if (slots() >= std::uint64_t{4} * claim) return;
  throw Error(
      ErrorCode::usage, "--ring " + format_size(ring_bytes),
      fmt::format("has no room for four claims of {} with {} each", claim, format_size(slot_bytes)),
      "take a larger ring, or smaller claims");
}

std::vector<Measured> cursor_ring_variants(const CpuPair& cpus, const CursorRingShape& shape,
                                           std::chrono::nanoseconds length) {
  shape.check();
  const std::vector<Variant> variants = all_variants();
  const auto each =
      std::max<std::chrono::nanoseconds>(length / variants.size(), std::chrono::milliseconds(50));
  std::vector<Measured> measured;
  for (const Variant& variant : variants) {
    measured.push_back(measure_variant(cpus, shape, variant, each));
  }
  return measured;
}

}  // namespace ringway::cli
