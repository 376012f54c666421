#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringway::cli::doctor {

/// The number a text begins with, behind spaces.
std::optional<std::uint64_t> number_in(std::string_view text);

/// The rest of the line that begins with `name` (as "MemTotal:"), without spaces around it.
std::optional<std::string> line_behind(const std::string& text, std::string_view name);

/// Whether it is one of the words that `between` parts.
bool has_word(std::string_view text, std::string_view word, char between);

inline constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

struct Limit {
  std::uint64_t soft = 0;  ///< or kUnlimited
  std::uint64_t hard = 0;
};
/// A line of /proc/PID/limits, as "Max open files".
std::optional<Limit> limit_in(const std::string& limits, std::string_view name);

/// The word in brackets of "always [madvise] never".
std::string chosen_in(const std::string& text);

/// Of "0-2,4": which there are, and how many; at most 65,536 of a range.
std::vector<std::uint64_t> numbers_in(std::string_view ranges);
std::size_t counted_in(std::string_view ranges);

/// The directories below /sys/fs/cgroup that limit a process, its own first, by what
/// /proc/PID/cgroup says. None where version 2 is not in use.
std::vector<std::string> cgroups_in(const std::string& cgroup);
/// Likewise for a controller of version 1. None where that does not have it.
std::vector<std::string> cgroups_of_version_1(const std::string& cgroup,
                                              std::string_view controller);

}  // namespace ringway::cli::doctor
