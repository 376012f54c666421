#include "tools/timestamp.hpp"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

#include "ringway/error.hpp"

namespace ringway::cli {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::uint64_t kFirstMilliseconds = 10'000'000'000;

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

/// Reads one TIME from left to right, remembering where it stands for the error.
class TimeReader {
 public:
  TimeReader(std::string_view flag, std::string_view text, std::size_t at)
      : flag_(flag), text_(text), start_(at), at_(at) {}

  TimePrefix read() {
    std::size_t digits = 0;
    while (at_ + digits < text_.size() && is_digit(text_[at_ + digits])) ++digits;
    const std::int64_t ns = digits == 4 && at_ + 4 < text_.size() && text_[at_ + 4] == '-'
                                ? read_calendar()
                                : read_unix(digits);
    if (at_ < text_.size() && text_[at_] != ':') refuse("unexpected text behind the time");
    return {ns, at_ - start_};
  }

 private:
  [[noreturn]] void refuse(std::string_view rule) const {
    throw Error(ErrorCode::usage, fmt::format("{} '{}'", flag_, text_),
                fmt::format("{} (character {})", rule, at_ + 1),
                "write RFC 3339 with a zone, a day, or Unix seconds or milliseconds, "
                "e.g. 2024-02-14T10:30:00Z");
  }

  bool take(char c) noexcept {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) refuse(fmt::format("'{}' expected", c));
  }
  int number(std::size_t digits, int max) {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (at_ + i == text_.size() || !is_digit(text_[at_ + i])) refuse("a digit is missing");
      value = value * 10 + (text_[at_ + i] - '0');
    }
    if (value > max) refuse(fmt::format("{} is more than {}", value, max));
    at_ += digits;
    return value;
  }

  std::int64_t scaled(std::int64_t seconds, std::int64_t nanoseconds) const {
    std::int64_t ns = 0;
    if (__builtin_mul_overflow(seconds, kSecondNs, &ns) ||
        __builtin_add_overflow(ns, nanoseconds, &ns)) {
      refuse("times lie between 1677 and 2262");
    }
    return ns;
  }

  std::int64_t read_unix(std::size_t digits) {
    if (digits == 0) refuse("a time starts with a digit");
    std::uint64_t count = 0;
    const char* first = text_.data() + at_;
    if (std::from_chars(first, first + digits, count).ec != std::errc{} ||
        count > static_cast<std::uint64_t>(INT64_MAX)) {
      refuse("times lie between 1677 and 2262");
    }
    at_ += digits;
    const auto number = static_cast<std::int64_t>(count);
    if (count < kFirstMilliseconds) return scaled(number, 0);
    return scaled(number / 1'000, number % 1'000 * 1'000'000);
  }

  std::int64_t read_calendar() {
    const int year = number(4, 9999);
    expect('-');
    const int month = number(2, 12);
    expect('-');
    const int day = number(2, 31);
    const std::chrono::year_month_day date(std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)});
    if (!date.ok()) refuse("there is no such day");
    const std::int64_t midnight =
        std::chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86'400};
    if (!take('T') && !take('t')) return scaled(midnight, 0);

    const int hour = number(2, 23);
    expect(':');
    const int minute = number(2, 59);
    expect(':');
    const int second = number(2, 60);  // 60 is a leap second, which is the next minute's first
    const std::int64_t fraction = take('.') ? read_fraction() : 0;
    return scaled(midnight + hour * 3600 + minute * 60 + second - read_zone(), fraction);
  }

  std::int64_t read_fraction() {
    std::int64_t ns = 0;
    std::int64_t digit_ns = kSecondNs / 10;
    const std::size_t first = at_;
    for (; at_ < text_.size() && is_digit(text_[at_]); ++at_, digit_ns /= 10) {
      ns += (text_[at_] - '0') * digit_ns;
    }
    if (at_ == first) refuse("a digit is missing");
    return ns;
  }

  /// Seconds east of UTC.
  std::int64_t read_zone() {
    if (take('Z') || take('z')) return 0;
    const int sign = take('+') ? 1 : take('-') ? -1 : 0;
    if (sign == 0) refuse("the zone is missing: Z or +hh:mm");
    const int hours = number(2, 23);
    expect(':');
    return sign * (hours * 3600 + number(2, 59) * 60);
  }

  std::string_view flag_;
  std::string_view text_;
  std::size_t start_;
  std::size_t at_;
};

}  // namespace

TimePrefix read_time(std::string_view flag, std::string_view text, std::size_t at) {
  return TimeReader(flag, text, at).read();
}

void append_rfc3339(std::string& out, std::int64_t ns) {
  using namespace std::chrono;
  // Apart from its fraction: the day that the earliest time belongs to begins before any time.
  std::int64_t second = ns / kSecondNs, fraction = ns % kSecondNs;
  if (fraction < 0) {
    fraction += kSecondNs;
    --second;
  }
  const sys_seconds time{seconds(second)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z",
                 static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                 static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(),
                 clock.seconds().count(), fraction);
}

}  // namespace ringway::cli
