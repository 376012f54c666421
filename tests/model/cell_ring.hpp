#pragma once

// Writer and repair on the cells of an interleaving: one partition of eight units, its slots, and
// the programs that run there.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "model/interleaving.hpp"
#include "ring/repair.hpp"
#include "ring/writer.hpp"

namespace ringway::ring::interleaving {

inline constexpr std::uint64_t kUnit = layout::kUnitBytes;
inline constexpr unsigned kUnits = 8;
inline constexpr unsigned kProducersMax = 3;
inline constexpr std::uint64_t kRingBytes = kUnits * kUnit;

// Where things stand in the model's memory.
inline constexpr std::uint8_t kTail = 0;
inline constexpr std::uint8_t kSlots = 1;  // word, length, tail of each
inline constexpr std::uint8_t kStamps = kSlots + 3 * kProducersMax;
inline constexpr std::uint8_t kHeaders = kStamps + kUnits;
inline constexpr std::uint8_t kCells = kHeaders + kUnits;

constexpr bool is_header(std::uint8_t cell) {
  return cell >= kHeaders;
}
constexpr bool is_stamp(std::uint8_t cell) {
  return cell >= kStamps && cell < kHeaders;
}
constexpr bool is_slot(std::uint8_t cell) {
  return cell >= kSlots && cell < kStamps;
}
constexpr std::uint8_t word_of(std::uint8_t cell) {
  return static_cast<std::uint8_t>(cell - (cell - kSlots) % 3);
}
/// length and tail of a slot
constexpr bool is_rest(std::uint8_t cell) {
  return is_slot(cell) && word_of(cell) != cell;
}

inline std::uint64_t pack(const layout::RecordHeader& header) {
  return std::uint64_t{header.payload_bytes} << 32 | header.producer << 8 | header.kind;
}
inline layout::RecordHeader unpack(std::uint64_t packed) {
  layout::RecordHeader header{};
  header.payload_bytes = static_cast<std::uint32_t>(packed >> 32);
  header.producer = static_cast<std::uint32_t>(packed) >> 8;
  header.kind = static_cast<std::uint8_t>(packed);
  return header;
}

struct CellSlot {
  explicit CellSlot(unsigned index)
      : word{static_cast<std::uint8_t>(kSlots + 3 * index)},
        length{static_cast<std::uint8_t>(kSlots + 3 * index + 1)},
        tail{static_cast<std::uint8_t>(kSlots + 3 * index + 2)} {}
  Cell word, length, tail, mode{Cell::kConstant, 0};
};

/// One lap: the supervisor publishes no limit here, so the board is constant.
class CellView {
 public:
  CellView() {
    for (unsigned i = 0; i < kUnits; ++i) {
      stamps_[i].index = static_cast<std::uint8_t>(kStamps + i);
      headers_[i].index = static_cast<std::uint8_t>(kHeaders + i);
    }
  }
  std::uint64_t ring_bytes() const noexcept { return kRingBytes; }
  layout::TailCodec codec() const noexcept { return layout::TailCodec(kRingBytes); }
  Mapping mapping() const noexcept { return Mapping::mirrored; }
  Cell& tail() const noexcept { return tail_; }
  Cell& limit() const noexcept { return limit_; }
  Cell& anchor() const noexcept { return zero_; }
  Cell& share_wanted() const noexcept { return zero_; }
  Cell& nonce(std::uint32_t) const noexcept { return nonce_; }
  Cell& retired() const noexcept { return zero_; }
  Cell& stamp(std::uint64_t position) const noexcept { return stamps_[position / kUnit % kUnits]; }
  void ask_for(std::uint64_t) const noexcept {}
  layout::RecordHeader load_header(std::uint64_t position) const noexcept {
    return unpack(headers_[position / kUnit % kUnits].load(std::memory_order::relaxed));
  }
  void store_header(std::uint64_t position, const layout::RecordHeader& header) const noexcept {
    headers_[position / kUnit % kUnits].store(pack(header), std::memory_order::relaxed);
  }
  static void relax() noexcept {}
  static void write_fence() noexcept {}

 private:
  mutable Cell tail_{kTail}, limit_{Cell::kConstant, kRingBytes}, zero_{Cell::kConstant, 0},
      nonce_{Cell::kConstant, 77};
  mutable std::array<Cell, kUnits> stamps_, headers_;
};

struct Claim {
  std::uint64_t units, offsets;
};
inline constexpr Claim kSmall{1, 1}, kLarge{2, 1}, kBatch{2, 2};
using Claims = std::vector<Claim>;

/// A producer that makes `count` claims, each one of `claims`.
inline std::uint64_t produce(unsigned index, unsigned count, const Claims& claims) {
  CellSlot slot(index);
  Writer<CellView, CellSlot> writer(CellView(), slot);
  for (unsigned i = 0; i < count; ++i) {
    const Claim claim = claims[choose(claims.size())];
    const Claimed claimed =
        writer.try_claim(claim.units * kUnit, static_cast<std::uint32_t>(claim.offsets));
    if (claimed.status != Status::ok) return 1;
    layout::RecordHeader header{};
    header.kind = static_cast<std::uint8_t>(layout::RecordKind::data);
    if (claim.offsets == 2) {
      writer.view().store_header(claimed.position + kUnit, header);
      writer.stamp_inner(claimed.position + kUnit);
    } else if (claim.units == 2) {
      header.payload_bytes = kUnit;
    }
    writer.view().store_header(claimed.position, header);
    writer.commit(claimed);
  }
  return 0;
}

inline std::uint64_t repair_once(unsigned producers, unsigned victim, unsigned dead) {
  const std::array<CellSlot, kProducersMax> slots{CellSlot(0), CellSlot(1), CellSlot(2)};
  std::array<Claimant<CellSlot>, kProducersMax> claimants;
  std::array<Intention, kProducersMax> snapshot;
  for (unsigned i = 0; i < producers; ++i) claimants[i] = {&slots[i], (dead >> i & 1) != 0};
  const RepairOutcome outcome =
      repair<CellView, CellSlot>(CellView(), std::span(claimants).first(producers), victim,
                                 std::span(snapshot).first(producers));
  return static_cast<std::uint64_t>(outcome.step);
}

}  // namespace ringway::ring::interleaving
