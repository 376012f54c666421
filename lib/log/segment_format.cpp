#include "log/segment_format.hpp"

#include <random>

namespace ringway::log {

SegmentHeader fresh_header(std::uint64_t first_position, std::uint64_t table_entries,
                           std::uint64_t block_bytes) {
  std::random_device device;
  SegmentHeader header{};
  header.magic = kSegmentMagic;
  header.version = kSegmentVersion;
  header.header_bytes = sizeof header;
  header.segment_id = std::uint64_t{device()} << 32 | device();
  header.base_position = page_floor(first_position);
  header.first_position = first_position;
  header.block_bytes = block_bytes;
  header.table_entries = static_cast<std::uint32_t>(table_entries);
  header.data_bytes_max = header.table_entries * header.block_bytes;
  header.data_start = Geometry::data_start_for(header.table_entries);
  return header;
}

bool is_of_later_version(const SegmentHeader& header) noexcept {
  return header.magic == kSegmentMagic && header.checksum == checksum_of(header, 0) &&
         (header.version != kSegmentVersion || header.incompatible_flags != 0);
}

const char* header_defect(const SegmentHeader& header) noexcept {
  constexpr std::uint64_t kBlockBytesMax = std::uint64_t{1} << 30;
  constexpr std::uint64_t kEntriesMax = std::uint64_t{1} << 20;
  constexpr std::uint64_t kPositionMax = std::uint64_t{1} << 62;
  if (header.magic != kSegmentMagic) return "no segment: the magic is missing";
  if (header.checksum != checksum_of(header, 0)) return "the header does not verify";
  if (header.version != kSegmentVersion) return "written by another version of the log format";
  if (header.incompatible_flags != 0) return "needs a feature this version does not know";
  const bool sound =
      header.header_bytes == sizeof(SegmentHeader) && std::has_single_bit(header.block_bytes) &&
      header.block_bytes >= kPageBytes && header.block_bytes <= kBlockBytesMax &&
      header.table_entries > 0 && header.table_entries <= kEntriesMax &&
      header.data_bytes_max == header.table_entries * header.block_bytes &&
      header.data_start == Geometry::data_start_for(header.table_entries) &&
      header.base_position % kPageBytes == 0 && header.base_position < kPositionMax &&
      header.first_position >= header.base_position &&
      header.first_position < header.base_position + kPageBytes &&
      header.predecessor_end_position <= header.first_position &&
      header.predecessor_end_offset <= header.base_offset &&
      header.predecessor_unsynced_bytes <= header.predecessor_end_position &&
      header.predecessor_unsynced_offsets <= header.predecessor_end_offset;
  return sound ? nullptr : "the header contradicts itself";
}

}  // namespace ringway::log
