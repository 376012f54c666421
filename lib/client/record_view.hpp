#pragma once

#include <cstddef>
#include <cstdint>

#include "layout/record.hpp"
#include "ringway/record.hpp"

namespace ringway {

/// A record as its reader sees it, wherever it lies: `header` was copied and checked, `body` is
/// the payload, key and headers of its sizes.
inline RecordView view_of(const layout::RecordHeader& header, const std::byte* body,
                          std::uint64_t offset, std::uint32_t partition) noexcept {
  return {body,
          header.payload_bytes,
          header.key_bytes,
          header.headers_bytes,
          (header.flags & layout::kHasKey) != 0,
          header.producer,
          header.timestamp_ns,
          offset,
          partition};
}

}  // namespace ringway
