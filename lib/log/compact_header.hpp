#pragma once

#include <array>
#include <cstddef>
#include <cstring>

#include "log/segment_format.hpp"

namespace ringway::log {

/// A segment's header without its reserved bytes, which are zero, and its checksum: a writer may
/// keep it for long before there is a file, and there may be ten thousand of them.
class CompactHeader {
 public:
  explicit CompactHeader(const SegmentHeader& header) noexcept {
    std::memcpy(bytes_.data(), &header, kBytes);
  }

  /// As it stands in the file.
  SegmentHeader whole() const noexcept {
    SegmentHeader header{};
    std::memcpy(&header, bytes_.data(), kBytes);
    header.checksum = checksum_of(header, 0);
    return header;
  }

 private:
  static constexpr std::size_t kBytes = offsetof(SegmentHeader, reserved);

  std::array<std::byte, kBytes> bytes_;
};

}  // namespace ringway::log
