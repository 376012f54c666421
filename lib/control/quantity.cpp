#include "control/quantity.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>
#include <optional>

#include "ringway/error.hpp"

namespace ringway::control {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::uint64_t kKiB = 1024;
constexpr std::array<Unit, 10> kSizeUnits{{{"", 1},
                                           {"B", 1},
                                           {"K", kKiB},
                                           {"KiB", kKiB},
                                           {"M", kKiB* kKiB},
                                           {"MiB", kKiB* kKiB},
                                           {"G", kKiB* kKiB* kKiB},
                                           {"GiB", kKiB* kKiB* kKiB},
                                           {"T", kKiB* kKiB* kKiB* kKiB},
                                           {"TiB", kKiB* kKiB* kKiB* kKiB}}};

constexpr std::uint64_t kMicrosecond = 1'000;
constexpr std::uint64_t kMillisecond = 1'000 * kMicrosecond;
constexpr std::uint64_t kSecond = 1'000 * kMillisecond;
constexpr std::uint64_t kMinute = 60 * kSecond;
constexpr std::uint64_t kHour = 60 * kMinute;
constexpr std::uint64_t kDay = 24 * kHour;
constexpr std::array<Unit, 6> kDurationUnits{{{"us", kMicrosecond},
                                              {"ms", kMillisecond},
                                              {"s", kSecond},
                                              {"m", kMinute},
                                              {"h", kHour},
                                              {"d", kDay}}};

template <std::size_t N>
const Unit* find_unit(const std::array<Unit, N>& units, std::string_view name) noexcept {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

Error refused(std::string_view flag, std::string_view text, std::string rule, std::string fix) {
  return Error(ErrorCode::usage, fmt::format("{} '{}'", flag, text), std::move(rule),
               std::move(fix));
}

/// Takes an integer off the front of `rest`. Nothing when there is none or it passes 64 bits.
std::optional<std::uint64_t> take_integer(std::string_view& rest) noexcept {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (error != std::errc{}) return std::nullopt;
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  return number;
}

std::string tenths(std::uint64_t amount, const Unit& unit, std::string_view name) {
  // Halves are rounded up; the remainder is below the factor, so ten times it cannot overflow.
  std::uint64_t whole = amount / unit.factor;
  std::uint64_t tenth = (amount % unit.factor * 10 + unit.factor / 2) / unit.factor;
  if (tenth == 10) {
    ++whole;
    tenth = 0;
  }
  return tenth == 0 ? fmt::format("{} {}", whole, name)
                    : fmt::format("{}.{} {}", whole, tenth, name);
}

}  // namespace

std::uint64_t parse_size(std::string_view flag, std::string_view text) {
  const std::string fix = "write an integer with B, KiB, MiB, GiB or TiB, e.g. 16MiB";
  std::string_view rest = text;
  if (rest.empty() || !is_digit(rest.front())) {
    throw refused(flag, text, "a size starts with a digit", fix);
  }
  const auto number = take_integer(rest);
  if (!number) throw refused(flag, text, "a size fits 64 bits", fix);
  if (rest.size() > 1 && rest.front() == ' ') rest.remove_prefix(1);
  const Unit* unit = find_unit(kSizeUnits, rest);
  if (unit == nullptr) {
    throw refused(flag, text, fmt::format("'{}' is no unit of size", rest), fix);
  }
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(*number, unit->factor, &bytes)) {
    throw refused(flag, text, "a size fits 64 bits", fix);
  }
  return bytes;
}

std::chrono::nanoseconds parse_duration(std::string_view flag, std::string_view text) {
  const std::string fix = "write integers with us, ms, s, m, h or d, e.g. 5ms or 1h30m";
  std::string_view rest = text;
  std::uint64_t total = 0;
  std::uint64_t previous = std::numeric_limits<std::uint64_t>::max();
  do {
    if (rest.empty() || !is_digit(rest.front())) {
      throw refused(flag, text, "a duration is made of integers with units", fix);
    }
    const auto number = take_integer(rest);
    std::size_t letters = 0;
    while (letters < rest.size() && !is_digit(rest[letters])) ++letters;
    const std::string_view name = rest.substr(0, letters);
    rest.remove_prefix(letters);
    const Unit* unit = find_unit(kDurationUnits, name);
    if (unit == nullptr) {
      throw refused(
          flag, text,
          name.empty() ? "the unit is missing" : fmt::format("'{}' is no unit of time", name), fix);
    }
    if (unit->factor >= previous) {
      throw refused(flag, text, "units go from large to small, each once", fix);
    }
    previous = unit->factor;
    std::uint64_t part = 0;
    if (!number || __builtin_mul_overflow(*number, unit->factor, &part) ||
        __builtin_add_overflow(total, part, &total) ||
        total > static_cast<std::uint64_t>(std::chrono::nanoseconds::max().count())) {
      throw refused(flag, text, "a duration is at most 292 years", fix);
    }
  } while (!rest.empty());
  return std::chrono::nanoseconds(static_cast<std::int64_t>(total));
}

std::string counted(std::uint64_t count, std::string_view thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

std::string format_size(std::uint64_t bytes) {
  if (bytes < kKiB) return fmt::format("{} B", bytes);
  // The largest unit that leaves at least one whole.
  const Unit* best = nullptr;
  for (const Unit& unit : kSizeUnits) {
    if (unit.name.size() == 3 && bytes >= unit.factor) best = &unit;
  }
  return tenths(bytes, *best, best->name);
}

std::string format_duration(std::chrono::nanoseconds duration) {
  if (duration.count() < 0) {
    // Negated as unsigned, so that the smallest value has an answer too.
    const auto magnitude = std::uint64_t{0} - static_cast<std::uint64_t>(duration.count());
    return "-" +
           format_duration(std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(
               magnitude, static_cast<std::uint64_t>(std::chrono::nanoseconds::max().count())))));
  }
  const auto ns = static_cast<std::uint64_t>(duration.count());
  if (ns == 0) return "0 s";  // people cannot write nanoseconds
  if (ns < kMicrosecond) return fmt::format("{} ns", ns);
  if (ns < kMinute) {
    const Unit& unit = kDurationUnits[ns < kMillisecond ? 0 : ns < kSecond ? 1 : 2];
    return tenths(ns, unit, unit.name);
  }
  const std::size_t large = ns < kHour ? 3 : ns < kDay ? 4 : 5;
  const Unit& unit = kDurationUnits[large];
  const Unit& smaller = kDurationUnits[large - 1];
  const std::uint64_t rest = ns % unit.factor / smaller.factor;
  return rest == 0 ? fmt::format("{}{}", ns / unit.factor, unit.name)
                   : fmt::format("{}{} {}{}", ns / unit.factor, unit.name, rest, smaller.name);
}

}  // namespace ringway::control
