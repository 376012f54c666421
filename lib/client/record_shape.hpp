#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "client/header_codec.hpp"
#include "layout/record.hpp"
#include "ringway/producer.hpp"

namespace ringway {

/// The sizes of a record to be written, checked against what the format can say.
struct RecordShape {
  std::uint64_t payload_bytes = 0;
  std::uint16_t key_bytes = 0;
  std::uint16_t headers_bytes = 0;
  bool has_key = false;
  bool fits = false;  ///< false: a size is beyond the format's; the others mean nothing then

  RecordShape(std::size_t payload, const PublishOptions& options) noexcept
      : payload_bytes(payload), has_key(options.key.has_value()) {
    if (has_key) {
      if (options.key->size() > layout::kKeyBytesMax) return;
      key_bytes = static_cast<std::uint16_t>(options.key->size());
    }
    if (options.headers.size() != 0) {
      const auto encoded = encoded_bytes(options.headers);
      if (!encoded) return;
      headers_bytes = *encoded;
    }
    fits = payload_bytes <= UINT32_MAX;
  }

  /// In the ring, with header and padding.
  std::uint64_t bytes() const noexcept {
    return layout::record_bytes(payload_bytes, key_bytes, headers_bytes);
  }
};

/// Writes everything of a record but its stamp and payload to `to`, the memory of its position;
/// returns where the payload goes.
inline std::byte* write_frame(std::byte* to, const RecordShape& shape,
                              const PublishOptions& options, std::int64_t timestamp_ns,
                              std::uint32_t producer) noexcept {
  layout::store_data_header(to, {.payload_bytes = static_cast<std::uint32_t>(shape.payload_bytes),
                                 .producer = producer,
                                 .timestamp_ns = timestamp_ns,
                                 .key_bytes = shape.key_bytes,
                                 .headers_bytes = shape.headers_bytes,
                                 .has_key = shape.has_key});
  std::byte* const payload = to + sizeof(layout::RecordHeader);
  std::byte* const behind = payload + shape.payload_bytes;
  if (options.key && !options.key->empty()) {
    std::memcpy(behind, options.key->text().data(), shape.key_bytes);
  }
  if (options.headers.size() != 0) encode(options.headers, behind + shape.key_bytes);
  return payload;
}

}  // namespace ringway
