#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ring/limit.hpp"
#include "ring/partition_view.hpp"
#include "ring/reader.hpp"
#include "ring/repair.hpp"
#include "ring/writer.hpp"

namespace ringway::ring::test {

/// One partition's ring and board on plain memory, mapped once.
struct PlainRing {
  static constexpr std::uint64_t kBytes = 64 * 1024;

  PlainRing() {
    open_ring(view(), 0, [this] { return next_nonce += 0x1234567; });
  }
  PartitionView view() { return {*board, *tail, data, kBytes, Mapping::single}; }
  std::uint64_t tail_position() { return view().codec().unpack(tail->tail.load()).position; }
  LimitOutcome publish(Place reusable, std::vector<std::uint64_t> pins = {}) {
    return publish_limit(
        view(), reusable, pins.size(), [&](std::size_t i) { return pins[i]; },
        [this] { return next_nonce += 0x1234567; });
  }

  std::unique_ptr<layout::BoardPartition> board = std::make_unique<layout::BoardPartition>();
  std::unique_ptr<layout::PartitionTail> tail = std::make_unique<layout::PartitionTail>();
  std::vector<std::uint64_t> storage = std::vector<std::uint64_t>(kBytes / 8 + 16);
  std::byte* data = reinterpret_cast<std::byte*>(
      (reinterpret_cast<std::uintptr_t>(storage.data()) + 127) / 128 * 128);
  std::uint64_t next_nonce = 42;
};

using PlainWriter = Writer<PartitionView, layout::Slot>;
using PlainReader = Reader<PartitionView, layout::Slot>;

inline void fill(const PartitionView& view, std::uint64_t position, std::string_view payload) {
  layout::RecordHeader header{};
  header.kind = static_cast<std::uint8_t>(layout::RecordKind::data);
  header.payload_bytes = static_cast<std::uint32_t>(payload.size());
  view.store_header(position, header);
  std::memcpy(view.at(position) + sizeof header, payload.data(), payload.size());
}

inline Claimed publish_record(PlainWriter& writer, std::string_view payload) {
  const Claimed claim = writer.try_claim(layout::record_bytes(payload.size(), 0, 0), 1);
  if (claim.status == Status::ok) {
    fill(writer.view(), claim.position, payload);
    writer.commit(claim);
  }
  return claim;
}

inline std::string payload_at(const PartitionView& view, std::uint64_t position,
                              const layout::RecordHeader& header) {
  return {reinterpret_cast<const char*>(view.at(position)) + sizeof header, header.payload_bytes};
}

}  // namespace ringway::ring::test
