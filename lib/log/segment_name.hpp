#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ringway::log {

/// What a name in a partition's directory says about its file. All names are made and read here.
struct SegmentName {
  enum class Kind : unsigned char {
    segment,  ///< `<base offset, 20 digits>.log`
    unborn,   ///< `….log.new`: was being made; what is in it, another one has as well
    torn,     ///< `….log.torn-<position>`: what lay behind an end, set aside for people
    damaged,  ///< `….log.damaged-<n>`: a segment that could not be followed, likewise
  };
  Kind kind;
  std::uint64_t base_offset;
};

/// Nothing for a name that is none of the log's.
std::optional<SegmentName> parse_segment_name(std::string_view name);

std::string segment_name(std::uint64_t base_offset);
std::string unborn_name(std::uint64_t base_offset);
std::string torn_name(std::uint64_t base_offset, std::uint64_t position);
/// The first of them that is not among `taken`.
std::string free_damaged_name(std::uint64_t base_offset, std::span<const std::string> taken);
std::string damaged_name(std::uint64_t base_offset, std::uint64_t distinguisher);

}  // namespace ringway::log
