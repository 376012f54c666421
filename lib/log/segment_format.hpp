#pragma once

// Durable. Little-endian, versioned, checksummed. A segment file, in 4 KiB pages:
//
//   +---------------+----------------+-----------------+-------------------------------------+
//   | SegmentHeader | BlockEntry × n | TailSlot × 3    | data: image of the record stream    |
//   | 1 page        | whole pages    | 2 pages each    | blocks of block_bytes               |
//   +---------------+----------------+-----------------+-------------------------------------+
//   0               4096                               data_start
//
// Log position p lies at data_start + p - base_position; block i covers the positions from
// base_position + i * block_bytes. README.md says who writes what when, and why it is enough.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

#include "storage/checksum.hpp"

namespace ringway::log {

static_assert(std::endian::native == std::endian::little, "the file format is little-endian");

inline constexpr std::uint64_t kPageBytes = 4096;
inline constexpr std::uint64_t kSegmentMagic = 0x31474f4c59415752;  // "RWAYLOG1"
inline constexpr std::uint32_t kSegmentVersion = 1;
inline constexpr std::uint64_t kBlockBytes = 256 * 1024;
inline constexpr std::uint64_t kTailSlots = 3;
inline constexpr std::uint64_t kNoBoundary = std::numeric_limits<std::uint64_t>::max();
inline constexpr std::int64_t kNoTime = std::numeric_limits<std::int64_t>::min();

/// Page 0. Written once, before the file gets its name.
struct SegmentHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t header_bytes;        ///< sizeof(SegmentHeader)
  std::uint64_t compatible_flags;    ///< unknown bits may be ignored
  std::uint64_t incompatible_flags;  ///< unknown bits: refuse to read
  std::uint64_t segment_id;          ///< random; seeds every other checksum of the file
  std::uint8_t topic_uuid[16];
  std::uint32_t partition;
  std::uint32_t table_entries;
  std::uint64_t epoch;           ///< of the supervisor that made the file
  std::uint64_t base_offset;     ///< of the first record
  std::uint64_t base_position;   ///< log position of the first data byte; a multiple of 4 KiB
  std::uint64_t first_position;  ///< of the first record; in the first data page
  std::uint64_t block_bytes;
  std::uint64_t data_bytes_max;  ///< a multiple of block_bytes
  std::uint64_t data_start;      ///< file_pos of base_position
  // Where the log ended when this segment was made. It truncates the segment before it. Equal to
  // {first_position, base_offset}, or before it when positions and offsets were jumped over.
  std::uint64_t predecessor_end_position;
  std::uint64_t predecessor_end_offset;
  std::int64_t running_max_before;  ///< of all earlier timestamps, or kNoTime
  std::int64_t created_at_ns;       ///< the supervisor's CLOCK_REALTIME
  // How much in front of predecessor_end no sync has confirmed: its device refused that, and the
  // ring could not keep it.
  std::uint64_t predecessor_unsynced_bytes;
  std::uint64_t predecessor_unsynced_offsets;
  std::uint8_t reserved[4096 - 176];
  std::uint64_t checksum;  ///< of everything above, unseeded; here in every version, like the magic
};
static_assert(sizeof(SegmentHeader) == kPageBytes);
static_assert(offsetof(SegmentHeader, topic_uuid) == 40);
static_assert(offsetof(SegmentHeader, base_offset) == 72);
static_assert(offsetof(SegmentHeader, running_max_before) == 136);
static_assert(offsetof(SegmentHeader, predecessor_unsynced_bytes) == 152);
static_assert(offsetof(SegmentHeader, checksum) == 4088);

/// What the records that start in one block are. Shared by complete and open blocks.
struct BlockFacts {
  std::uint64_t
      first_position;          ///< first boundary in the block; kNoBoundary when none starts in it
  std::uint64_t first_offset;  ///< of that record; without one, of the next record to start
  std::uint64_t offsets;       ///< used up by the records that start here
  std::uint32_t records;       ///< skips included
  std::uint32_t data_records;
  std::int64_t time_min;       ///< of the data records; kNoTime when there are none
  std::int64_t time_max;       ///< likewise
  std::int64_t running_max;    ///< of every timestamp of the partition up to the end of this block
  std::int64_t written_at_ns;  ///< the supervisor's CLOCK_REALTIME; retention by age goes by it
};
static_assert(sizeof(BlockFacts) == 64);

/// One complete block. Four fill a sector, so that none straddles one.
struct BlockEntry {
  BlockFacts facts;
  std::uint64_t index;
  std::uint64_t data_checksum;     ///< of the block's bytes
  std::uint64_t durable_position;  ///< known when this was written
  std::uint64_t durable_offset;
  std::uint64_t lost;  ///< 1: a repair found that the block does not verify; 0 otherwise
  std::uint64_t reserved[2];
  std::uint64_t checksum;  ///< of everything above
};
static_assert(sizeof(BlockEntry) == 128);
static_assert(offsetof(BlockEntry, lost) == 96);
static_assert(512 % sizeof(BlockEntry) == 0);

/// The end of the log when it was written, and the block that was open then. The page is a copy of
/// the data's last, partial page: that one has no other place in the file.
struct TailSlot {
  std::uint8_t page[4096];
  std::uint64_t sequence;  ///< 1, 2, ... in this file
  std::uint64_t end_position;
  std::uint64_t end_offset;
  std::uint64_t block_index;
  BlockFacts facts;
  std::uint64_t data_checksum;  ///< of the open block's bytes up to end_position
  std::uint64_t durable_position;
  std::uint64_t durable_offset;
  std::uint64_t records;  ///< of the whole segment, like the two times
  std::int64_t time_min;
  std::int64_t time_max;
  std::uint8_t reserved[4096 - 152];
  std::uint64_t checksum;  ///< of everything above
};
static_assert(sizeof(TailSlot) == 2 * kPageBytes);
static_assert(offsetof(TailSlot, sequence) == 4096);
static_assert(offsetof(TailSlot, facts) == 4128);
static_assert(offsetof(TailSlot, checksum) == 8184);

static_assert(std::is_trivially_copyable_v<SegmentHeader> &&
              std::is_trivially_copyable_v<BlockEntry> && std::is_trivially_copyable_v<TailSlot>);

// Checksums. Each kind of thing has its own seeds, so that none passes for another.
constexpr std::uint64_t data_seed(std::uint64_t segment_id) noexcept {
  return segment_id;
}
constexpr std::uint64_t entry_seed(std::uint64_t segment_id, std::uint64_t index) noexcept {
  return segment_id + 1 + index;
}
constexpr std::uint64_t slot_seed(std::uint64_t segment_id) noexcept {
  return ~segment_id;
}

/// The checksum that a header, entry or slot should carry in its last eight bytes.
template <typename Layout>
std::uint64_t checksum_of(const Layout& layout, std::uint64_t seed) noexcept {
  const auto bytes = std::as_bytes(std::span(&layout, 1));
  return storage::checksum(bytes.first(offsetof(Layout, checksum)), seed);
}

/// Where things lie in one segment. All positions are log positions.
struct Geometry {
  std::uint64_t base_position;
  std::uint64_t block_bytes;
  std::uint64_t data_start;
  std::uint64_t table_entries;

  static constexpr std::uint64_t table_pages(std::uint64_t entries) noexcept {
    return (entries * sizeof(BlockEntry) + kPageBytes - 1) / kPageBytes;
  }
  static constexpr std::uint64_t data_start_for(std::uint64_t entries) noexcept {
    return kPageBytes * (1 + table_pages(entries)) + kTailSlots * sizeof(TailSlot);
  }
  explicit Geometry(const SegmentHeader& header) noexcept
      : base_position(header.base_position),
        block_bytes(header.block_bytes),
        data_start(header.data_start),
        table_entries(header.table_entries) {}

  std::uint64_t capacity_end() const noexcept {
    return base_position + table_entries * block_bytes;
  }
  std::uint64_t block_of(std::uint64_t position) const noexcept {
    return (position - base_position) / block_bytes;
  }
  std::uint64_t block_start(std::uint64_t index) const noexcept {
    return base_position + index * block_bytes;
  }
  std::uint64_t block_end(std::uint64_t index) const noexcept { return block_start(index + 1); }
  std::uint64_t file_pos(std::uint64_t position) const noexcept {
    return data_start + (position - base_position);
  }
  std::uint64_t entry_file_pos(std::uint64_t index) const noexcept {
    return kPageBytes + index * sizeof(BlockEntry);
  }
  std::uint64_t slot_file_pos(std::uint64_t slot) const noexcept {
    return data_start - (kTailSlots - slot) * sizeof(TailSlot);
  }
};

constexpr std::uint64_t page_floor(std::uint64_t position) noexcept {
  return position & ~(kPageBytes - 1);
}
constexpr std::uint64_t page_ceil(std::uint64_t position) noexcept {
  return page_floor(position + kPageBytes - 1);
}

/// Of a new segment: what any has, with a random id. Whose it is and what lies in front of it is
/// the caller's, and the checksum, last.
SegmentHeader fresh_header(std::uint64_t first_position, std::uint64_t table_entries,
                           std::uint64_t block_bytes);

/// Whether the header is as somebody wrote it whose format this version does not know. Magic and
/// checksum are where they are in every version: without both it is damaged, whatever it says.
bool is_of_later_version(const SegmentHeader& header) noexcept;

/// Whether the header is one this version can follow; if not, the rule it breaks. Static storage.
const char* header_defect(const SegmentHeader& header) noexcept;

}  // namespace ringway::log
