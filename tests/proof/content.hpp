#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "client/record_shape.hpp"
#include "proof/violation.hpp"
#include "ring/stamp.hpp"

namespace ringway::proof {

/// What a record of a puppet says about itself, so that whoever reads it knows what must be there:
/// its author's `sequence`-th (from 1), one of `batch` records claimed together from `batch_first`.
struct Content {
  std::uint32_t author;
  std::uint32_t bytes;  ///< of the payload
  std::uint64_t sequence;
  std::uint64_t batch_first;
  std::uint64_t batch;

  std::string text() const {
    std::string out(bytes, '\0');
    for (std::uint32_t at = sizeof *this; at < bytes; at += 8) {
      const std::uint64_t word = ring::mix(sequence * 64 + author + (std::uint64_t{at} << 40));
      std::memcpy(out.data() + at, &word, std::min<std::size_t>(8, bytes - at));
    }
    std::memcpy(out.data(), this, sizeof *this);
    return out;
  }
  /// @throws Violation when it is not exactly what an author wrote.
  static Content parse(std::string_view payload) {
    Content content{};
    if (payload.size() < sizeof content) throw Violation("a record that nobody wrote");
    std::memcpy(&content, payload.data(), sizeof content);
    if (content.bytes != payload.size() || content.text() != payload) {
      throw Violation("a torn record");
    }
    return content;
  }
};
static_assert(sizeof(Content) == 32);

inline Content single(std::uint32_t author, std::uint64_t sequence, std::uint32_t bytes) {
  return {author, bytes, sequence, sequence, 1};
}

inline std::uint64_t claim_bytes(const std::string& payload) {
  return layout::record_bytes(payload.size(), 0, 0);
}

/// Header and payload at `position` as a Producer writes them. The payload was made before.
inline void write_record(const ring::PartitionView& view, std::uint64_t position,
                         std::string_view payload, std::uint32_t author) {
  const PublishOptions options;
  std::byte* const to =
      write_frame(view.at(position), RecordShape(payload.size(), options), options, 1, author);
  std::memcpy(to, payload.data(), payload.size());
}

}  // namespace ringway::proof
