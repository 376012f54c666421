#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <ostream>
#include <span>
#include <vector>

#include "layout/session.hpp"
#include "ring/limit.hpp"
#include "ring/partition_view.hpp"
#include "ring/repair.hpp"

namespace ringway::stress {

/// One partition on plain memory with the session slots of everybody: what a topic is made of, but
/// for mappings and a log. Outlives all threads that work on it.
struct PlainBus {
  static constexpr std::uint64_t kRingBytes = 64 * 1024;
  static constexpr std::size_t kWriterSlots = 8;
  static constexpr std::size_t kReaders = 2;

  /// Life of a producer slot. The writer's thread takes free ones and leaves dead ones behind; the
  /// supervisor gives the dead ones back once nothing of them is in the ring.
  enum Life : std::uint32_t { free_slot, open_slot, dead_slot };

  ring::PartitionView view() noexcept {
    return {*board, *tail, data, kRingBytes, ring::Mapping::single};
  }
  auto draw() noexcept {
    return [this] { return nonce_ = ring::mix(nonce_ + 1); };
  }
  void open() noexcept {
    for (auto& reader : readers) reader.pin = layout::kNoPin;
    ring::open_ring(view(), 0, draw());
  }
  std::uint64_t tail_position() noexcept {
    return view().codec().unpack(tail->tail.load(std::memory_order::acquire)).position;
  }

  /// A slot for a new producer; waits while all of them are held by the dead.
  std::size_t take_slot() noexcept {
    for (std::size_t i = 0;; i = (i + 1) % kWriterSlots) {
      std::uint32_t expected = free_slot;
      if (life[i].compare_exchange_strong(expected, open_slot)) return i;
    }
  }

  /// Where everything stands.
  void tell(std::ostream& out) {
    out << "tail " << tail_position() << ", limit " << board->limit << ", announced "
        << board->announced << ", anchor " << board->anchor << '\n';
    for (std::size_t i = 0; i < kWriterSlots; ++i) {
      const std::uint64_t word = writers[i].word;
      const std::uint64_t length = writers[i].length;
      out << "producer slot " << i << ": life " << life[i] << ", state " << (word & 3) << " at "
          << layout::intent_position(word) << ", " << layout::length_bytes(length) << " bytes, "
          << layout::length_offsets(length) << " offsets, from tail "
          << view().codec().unpack(writers[i].tail).position << '\n';
    }
    for (std::size_t i = 0; i < kReaders; ++i) {
      out << "consumer slot " << i << ": pin " << static_cast<std::int64_t>(readers[i].pin) << '\n';
    }
  }

  std::unique_ptr<layout::BoardPartition> board = std::make_unique<layout::BoardPartition>();
  std::unique_ptr<layout::PartitionTail> tail = std::make_unique<layout::PartitionTail>();
  std::array<layout::Slot, kWriterSlots> writers{};
  std::array<std::atomic<std::uint32_t>, kWriterSlots> life{};
  std::array<layout::Slot, kReaders> readers{};

 private:
  std::vector<std::uint64_t> storage_ = std::vector<std::uint64_t>(kRingBytes / 8 + 16);
  std::uint64_t nonce_ = 42;

 public:
  std::byte* data = reinterpret_cast<std::byte*>(
      (reinterpret_cast<std::uintptr_t>(storage_.data()) + 127) / 128 * 128);
};

/// How far the steady consumer is. Space behind it may be reused, and whoever lost his place in the
/// ring goes on from there, as it would from the log.
class SteadyPlace {
 public:
  void set(ring::Place place) {
    const std::lock_guard lock(mutex_);
    place_ = place;
  }
  ring::Place get() {
    const std::lock_guard lock(mutex_);
    return place_;
  }

 private:
  std::mutex mutex_;
  ring::Place place_{0, 0};
};

}  // namespace ringway::stress
