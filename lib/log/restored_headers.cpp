#include "log/restored_headers.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ringway::log {
namespace {

/// What every segment of this name has in common, and what follows from the rest.
SegmentHeader with_constants(SegmentHeader header, const LogIdentity& owner,
                             std::uint64_t base_offset) noexcept {
  header.magic = kSegmentMagic;
  header.version = kSegmentVersion;
  header.header_bytes = sizeof header;
  header.compatible_flags = header.incompatible_flags = 0;
  std::copy(owner.topic_uuid.begin(), owner.topic_uuid.end(), header.topic_uuid);
  header.partition = owner.partition;
  header.base_offset = base_offset;
  std::fill(std::begin(header.reserved), std::end(header.reserved), std::uint8_t{0});
  return header;
}

/// Whether the byte is of a field that with_constants() sets: where it is right, another value that
/// verified would make the header another place's.
constexpr bool is_constant(std::size_t at) noexcept {
  return at < offsetof(SegmentHeader, segment_id) ||
         (at >= offsetof(SegmentHeader, topic_uuid) &&
          at < offsetof(SegmentHeader, table_entries)) ||
         (at >= offsetof(SegmentHeader, base_offset) &&
          at < offsetof(SegmentHeader, base_position));
}

bool verifies(const SegmentHeader& header) noexcept {
  return header.checksum == checksum_of(header, 0) && header_defect(header) == nullptr;
}

bool differ_in_one_byte(std::uint64_t a, std::uint64_t b) noexcept {
  const std::uint64_t difference = a ^ b;
  const int byte = std::countr_zero(difference) / 8;
  return difference != 0 && (difference >> (8 * byte)) <= 0xff;
}

}  // namespace

std::optional<SegmentHeader> restored_header(const SegmentHeader& found, const LogIdentity& owner,
                                             std::uint64_t base_offset) noexcept {
  if (found.segment_id == 0) return std::nullopt;  // random: nothing was written here
  if (is_of_later_version(found)) return std::nullopt;
  SegmentHeader header = with_constants(found, owner, base_offset);
  if (verifies(header)) return header;
  if (const std::uint64_t right = checksum_of(header, 0);
      differ_in_one_byte(header.checksum, right)) {
    header.checksum = right;
    return header_defect(header) == nullptr ? std::optional(header) : std::nullopt;
  }
  auto* const bytes = reinterpret_cast<unsigned char*>(&header);
  for (std::size_t i = 0; i < offsetof(SegmentHeader, reserved); ++i) {
    if (is_constant(i)) continue;
    const unsigned char was = bytes[i];
    for (int other = 0; other < 256; ++other) {
      bytes[i] = static_cast<unsigned char>(other);
      if (verifies(header)) return header;
    }
    bytes[i] = was;
  }
  return std::nullopt;
}

int RestoredHeaders::open(const std::string& path, storage::OpenMode mode) noexcept {
  if (mode != storage::OpenMode::read) return -EROFS;
  const int descriptor = below_.open(path, mode);
  if (const auto found = headers_.find(path); descriptor >= 0 && found != headers_.end()) {
    const std::lock_guard lock(opened_mutex_);
    opened_[descriptor] = &found->second;
  }
  return descriptor;
}

void RestoredHeaders::close(int descriptor) noexcept {
  {
    const std::lock_guard lock(opened_mutex_);
    opened_.erase(descriptor);
  }
  below_.close(descriptor);
}

std::int64_t RestoredHeaders::read(int descriptor, std::span<std::byte> into,
                                   std::uint64_t file_pos) noexcept {
  const std::int64_t got = below_.read(descriptor, into, file_pos);
  const std::lock_guard lock(opened_mutex_);
  const auto found = opened_.find(descriptor);
  if (got > 0 && file_pos < sizeof(SegmentHeader) && found != opened_.end()) {
    const auto header = std::as_bytes(std::span(found->second, 1)).subspan(file_pos);
    std::memcpy(into.data(), header.data(),
                std::min(header.size(), static_cast<std::size_t>(got)));
  }
  return got;
}

int RestoredHeaders::write(int, std::span<const std::byte>, std::uint64_t) noexcept {
  return -EROFS;
}
int RestoredHeaders::sync(int) noexcept {
  return -EROFS;
}
int RestoredHeaders::reserve(int, std::uint64_t) noexcept {
  return -EROFS;
}
int RestoredHeaders::truncate(int, std::uint64_t) noexcept {
  return -EROFS;
}
int RestoredHeaders::link(const std::string&, const std::string&) noexcept {
  return -EROFS;
}
int RestoredHeaders::rename(const std::string&, const std::string&) noexcept {
  return -EROFS;
}
int RestoredHeaders::remove(const std::string&) noexcept {
  return -EROFS;
}
int RestoredHeaders::sync_directory(const std::string&) noexcept {
  return -EROFS;
}
int RestoredHeaders::make_directories(const std::string&) noexcept {
  return -EROFS;
}

}  // namespace ringway::log
