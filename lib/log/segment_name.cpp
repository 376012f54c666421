#include "log/segment_name.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace ringway::log {
namespace {

constexpr std::size_t kDigits = 20;
constexpr std::string_view kSuffix = ".log";

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char letter) { return letter >= '0' && letter <= '9'; });
}

}  // namespace

std::optional<SegmentName> parse_segment_name(std::string_view name) {
  if (name.size() < kDigits + kSuffix.size() || !all_digits(name.substr(0, kDigits)) ||
      name.substr(kDigits, kSuffix.size()) != kSuffix) {
    return std::nullopt;
  }
  std::uint64_t base_offset = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + kDigits, base_offset);
  if (error != std::errc{} || end != name.data() + kDigits) return std::nullopt;
  const std::string_view rest = name.substr(kDigits + kSuffix.size());
  using Kind = SegmentName::Kind;
  if (rest.empty()) return SegmentName{Kind::segment, base_offset};
  if (rest == ".new") return SegmentName{Kind::unborn, base_offset};
  for (const auto& [aside, kind] : {std::pair{std::string_view(".torn-"), Kind::torn},
                                    std::pair{std::string_view(".damaged-"), Kind::damaged}}) {
    if (rest.substr(0, aside.size()) == aside && all_digits(rest.substr(aside.size()))) {
      return SegmentName{kind, base_offset};
    }
  }
  return std::nullopt;
}

std::string segment_name(std::uint64_t base_offset) {
  return fmt::format("{:020}.log", base_offset);
}

std::string unborn_name(std::uint64_t base_offset) {
  return segment_name(base_offset) + ".new";
}

std::string torn_name(std::uint64_t base_offset, std::uint64_t position) {
  return fmt::format("{}.torn-{}", segment_name(base_offset), position);
}

std::string damaged_name(std::uint64_t base_offset, std::uint64_t distinguisher) {
  return fmt::format("{}.damaged-{}", segment_name(base_offset), distinguisher);
}

std::string free_damaged_name(std::uint64_t base_offset, std::span<const std::string> taken) {
  std::uint64_t distinguisher = 1;
  while (std::ranges::find(taken, damaged_name(base_offset, distinguisher)) != taken.end()) {
    ++distinguisher;
  }
  return damaged_name(base_offset, distinguisher);
}

}  // namespace ringway::log
