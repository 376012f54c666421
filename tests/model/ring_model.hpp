#pragma once

// One partition on relacy's atomics: a ring of a few units, its board, and the truth about its
// claims, which only the model knows.

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "layout/board.hpp"
#include "layout/record.hpp"
#include "layout/ring.hpp"
#include "layout/session.hpp"
#include "ring/limit.hpp"
#include "ring/partition_view.hpp"
#include "ring/reader.hpp"
#include "ring/repair.hpp"
#include "ring/scan.hpp"
#include "ring/stamp.hpp"
#include "ring/writer.hpp"
// relacy comes last
#include "model/word.hpp"

namespace ringway::ring::model {

inline constexpr std::uint64_t kUnit = layout::kUnitBytes;

/// A client's slot on a partition.
struct ModelSlot {
  explicit ModelSlot(unsigned index)
      : length(Name::length, index),
        word(Name::word, index),
        tail(Name::seen, index),
        mode(Name::mode, index),
        pin(Name::pin, index, layout::kNoPin) {}
  Word<std::uint64_t> length;
  Word<std::uint64_t> word;
  Word<std::uint64_t> tail;
  Word<std::uint32_t> mode;
  Word<std::uint64_t> pin;
};

/// 32 bytes of data area. relacy watches `bytes` for races; what stands there is in the plain
/// members, which no scheduling point divides.
struct Unit {
  explicit Unit(unsigned index) : stamp(Name::stamp, index), bytes(0) {}
  Word<std::uint64_t> stamp;
  rl::var<std::uint64_t> bytes;
  layout::RecordHeader header{};
};

/// An entry of the board's table of claims that were taken away.
struct VoidClaim {
  explicit VoidClaim(unsigned index)
      : position(Name::void_claim, 4 * index),
        bytes(Name::void_claim, 4 * index + 1),
        offset(Name::void_claim, 4 * index + 2),
        offsets(Name::void_claim, 4 * index + 3) {}
  Word<std::uint64_t> position, bytes, offset;
  Word<std::uint32_t> offsets;
};

/// A record's header, `mark` standing for whatever its producer says.
inline layout::RecordHeader data_header(std::uint64_t bytes, std::uint64_t mark) {
  layout::RecordHeader header{};
  header.kind = static_cast<std::uint8_t>(layout::RecordKind::data);
  header.payload_bytes = static_cast<std::uint32_t>(bytes - sizeof header);
  header.producer = static_cast<std::uint32_t>(mark);
  return header;
}

/// What really happened to a claim.
struct Truth {
  enum class State { open, settled, skipped };
  std::uint64_t position, bytes, offset, offsets;
  unsigned owner;  ///< thread
  State state;
};

template <std::size_t units, std::size_t... i>
std::array<Unit, units> make_units(std::index_sequence<i...>) {
  return {Unit(static_cast<unsigned>(i))...};
}

template <std::size_t count, std::size_t... i>
std::array<Word<std::uint64_t>, count> make_words(Name name, std::index_sequence<i...>) {
  return {Word<std::uint64_t>(name, static_cast<unsigned>(i))...};
}

/// `units` is a power of two, 2 to 16. Ring segments are a sixteenth of the ring here too; of the
/// nonces only those are modelled that cover the start of a unit.
template <std::size_t units_>
class ModelRing final : public Watcher {
 public:
  static constexpr std::size_t kUnits = units_;
  static constexpr std::uint64_t kBytes = kUnits * kUnit;
  static constexpr std::uint32_t kNonceStep = layout::kRingSegments / kUnits;
  static constexpr std::size_t kClaimsMax = 16;

  /// Of a suite's rings the one that is declared first begins the schedule. `successor`: nobody
  /// keeps account of its claims.
  explicit ModelRing(Mapping mapping_of_data = Mapping::mirrored, bool successor = false)
      : schedule(!successor), mapping(mapping_of_data) {
    if (!successor) watcher = this;
  }

  /// Far from what mix() makes of a position.
  std::uint64_t draw() { return mix(++draws << 32) | 1; }
  static std::size_t unit_of(std::uint64_t position) { return position / kUnit % kUnits; }

  /// A claim was won: `from` is the tail it replaced.
  void won(const Bare& word, std::uint64_t from, std::uint64_t to) override {
    if (&word != &tail) return;
    const layout::TailCodec codec(kBytes);
    const layout::Tail begin = codec.unpack(from), end = codec.unpack(to);
    const std::uint64_t offsets = (end.offset_low - begin.offset_low) & codec.offset_mask();
    if (end.position == begin.position) return;  // opened, or closed
    RL_ASSERT(claims < kClaimsMax);
    if (claims > 0) {
      const Truth& last = truth[claims - 1];
      RL_ASSERT(begin.position == last.position + last.bytes);  // nobody's claim is stored over
    }
    truth[claims++] = {begin.position,     end.position - begin.position,
                       offset_end,         offsets,
                       rl::thread_index(), Truth::State::open};
    offset_end += offsets;
  }

  /// A first stamp settles the claim that starts in `index`; inner stamps settle nothing.
  void stamped(const Bare& stamp, unsigned index) override {
    if (&stamp != &unit[index].stamp) return;
    const bool by_repair = rl::thread_index() == supervisor;
    for (std::size_t i = claims; i-- > 0;) {
      Truth& claim = truth[i];
      const std::uint64_t into = (index - unit_of(claim.position)) % kUnits;
      if (into >= claim.bytes / kUnit) continue;
      if (into > 0) return;
      if (by_repair) {
        const layout::RecordHeader& skip = unit[index].header;
        RL_ASSERT(gone[claim.owner]);                     // never a live producer's claim
        RL_ASSERT(claim.state != Truth::State::settled);  // never a committed record
        RL_ASSERT(layout::record_bytes(skip) == claim.bytes);
        RL_ASSERT(layout::record_offsets(skip) == claim.offsets);
        claim.state = Truth::State::skipped;
      } else {
        RL_ASSERT(claim.owner == rl::thread_index());
        RL_ASSERT(claim.state == Truth::State::open);
        claim.state = Truth::State::settled;
      }
      return;
    }
    RL_ASSERT(!by_repair);  // never a skip where nobody claimed
  }

  const Truth* claim_at(std::uint64_t position) const {
    for (std::size_t i = 0; i < claims; ++i) {
      if (truth[i].position == position) return &truth[i];
    }
    return nullptr;
  }

  /// The claim that covers `position`, which is its start or the end of its filler.
  const Truth* claim_around(std::uint64_t position) const {
    for (std::size_t i = 0; i < claims; ++i) {
      if (truth[i].position <= position && position < truth[i].position + truth[i].bytes) {
        return &truth[i];
      }
    }
    return nullptr;
  }

  Schedule schedule;
  Mapping mapping;
  Word<std::uint64_t> tail{Name::tail};
  Word<std::uint64_t> limit{Name::limit};
  Word<std::uint64_t> anchor{Name::anchor};
  Word<std::uint64_t> announced{Name::announced};
  Word<std::uint64_t> retired{Name::retired};
  Word<std::uint64_t> end_position{Name::ring_end};
  Word<std::uint64_t> end_offset{Name::end_offset};
  Word<std::uint32_t> void_claims{Name::void_claims};
  std::array<VoidClaim, 4> void_claim{VoidClaim(0), VoidClaim(1), VoidClaim(2), VoidClaim(3)};
  Word<std::uint32_t> share_wanted{Name::share_wanted};
  std::array<Word<std::uint64_t>, layout::kNonces / kNonceStep> nonce =
      make_words<layout::kNonces / kNonceStep>(
          Name::nonce, std::make_index_sequence<layout::kNonces / kNonceStep>());
  std::array<Unit, kUnits> unit = make_units<kUnits>(std::make_index_sequence<kUnits>());
  Word<std::uint64_t> unused;
  std::uint64_t draws = 0;
  std::uint64_t offset_end = 0;  ///< of all claims
  std::array<Truth, kClaimsMax> truth{};
  std::size_t claims = 0;
  unsigned supervisor = kThreadsMax;     ///< its thread
  std::array<bool, kThreadsMax> gone{};  ///< dead threads
};

/// What the shipped code sees of a ModelRing.
template <class Ring>
class ModelView {
 public:
  explicit ModelView(Ring& ring) noexcept : ring_(&ring) {}

  std::uint64_t ring_bytes() const noexcept { return Ring::kBytes; }
  layout::TailCodec codec() const noexcept { return layout::TailCodec(Ring::kBytes); }
  Mapping mapping() const noexcept { return ring_->mapping; }

  Word<std::uint64_t>& tail() const noexcept { return ring_->tail; }
  Word<std::uint64_t>& limit() const noexcept { return ring_->limit; }
  Word<std::uint64_t>& anchor() const noexcept { return ring_->anchor; }
  Word<std::uint64_t>& announced() const noexcept { return ring_->announced; }
  Word<std::uint32_t>& share_wanted() const noexcept { return ring_->share_wanted; }
  Word<std::uint64_t>& nonce(std::uint32_t index) const noexcept {
    return index % Ring::kNonceStep == 0 ? ring_->nonce[index / Ring::kNonceStep] : ring_->unused;
  }
  Word<std::uint64_t>& retired() const noexcept { return ring_->retired; }
  Word<std::uint64_t>& end_position() const noexcept { return ring_->end_position; }
  Word<std::uint64_t>& end_offset() const noexcept { return ring_->end_offset; }
  Word<std::uint32_t>& void_claims() const noexcept { return ring_->void_claims; }
  VoidClaim& void_claim(std::uint32_t index) const noexcept { return ring_->void_claim.at(index); }
  Word<std::uint64_t>& stamp(std::uint64_t position) const noexcept { return unit(position).stamp; }
  void ask_for(std::uint64_t) const noexcept {}
  layout::RecordHeader load_header(std::uint64_t position) const noexcept {
    (void)static_cast<std::uint64_t>(unit(position).bytes(RL_INFO));
    return unit(position).header;
  }
  void store_header(std::uint64_t position, const layout::RecordHeader& header) const noexcept {
    unit(position).bytes(RL_INFO) = 0;
    unit(position).header = header;
    unit(position).header.stamp = 0;
  }

  void copy(std::uint64_t to, const ModelView& source, std::uint64_t from,
            std::uint64_t bytes) const noexcept {
    for (std::uint64_t at = 0; at < bytes; at += kUnit) {
      write(to + at, source.read(from + at), source.unit(from + at).stamp.newest());
    }
  }

  /// Payload of one unit. The word where a stamp could stand is written too.
  void write(std::uint64_t position, std::uint64_t value, std::uint64_t forged = 0) const noexcept {
    unit(position).stamp.atomic().store(forged, rl::mo_relaxed, RL_INFO);
    unit(position).bytes(RL_INFO) = value;
  }
  std::uint64_t read(std::uint64_t position) const noexcept {
    return unit(position).bytes(RL_INFO);
  }

  static void relax() noexcept {}
  static void full_fence(Where where = Where::current()) noexcept {
    fence(Name::full_fence, std::memory_order::seq_cst, where);
  }
  static void write_fence(Where where = Where::current()) noexcept {
    fence(Name::write_fence, std::memory_order::release, where);
  }
  static void read_fence(Where where = Where::current()) noexcept {
    fence(Name::read_fence, std::memory_order::acquire, where);
  }

  Ring& ring() const noexcept { return *ring_; }

 private:
  Unit& unit(std::uint64_t position) const noexcept { return ring_->unit[Ring::unit_of(position)]; }

  Ring* ring_;
};

}  // namespace ringway::ring::model
