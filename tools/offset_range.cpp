#include "tools/offset_range.hpp"

#include <fmt/format.h>

#include <charconv>

#include "ringway/error.hpp"
#include "tools/quantity.hpp"
#include "tools/timestamp.hpp"

namespace ringway::cli {
namespace {

constexpr Place kStart{Place::Kind::start, 0, 0};
constexpr Place kEnd{Place::Kind::end, 0, 0};

class RangeReader {
 public:
  RangeReader(std::string_view flag, std::string_view text, std::int64_t now_ns,
              std::string_view fix)
      : flag_(flag), text_(text), now_ns_(now_ns), fix_(fix) {}

  OffsetRange read() const {
    const OffsetRange range = text_.starts_with('@') ? read_times() : read_offsets();
    if (range.to && range.to->kind == range.from.kind &&
        (range.from.kind == Place::Kind::offset || range.from.kind == Place::Kind::time) &&
        (range.to->records <= range.from.records && range.to->time_ns <= range.from.time_ns)) {
      refuse("the range ends before it begins");
    }
    return range;
  }

 private:
  [[noreturn]] void refuse(std::string_view rule) const {
    throw Error(ErrorCode::usage, fmt::format("{} '{}'", flag_, text_), std::string(rule),
                std::string(fix_));
  }

  std::uint64_t read_number(std::string_view digits) const {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error == std::errc::result_out_of_range) refuse("offsets fit 64 bits");
    if (error != std::errc{} || end != digits.data() + digits.size()) {
      refuse(digits == text_ ? "is not an offset" : fmt::format("'{}' is not an offset", digits));
    }
    return number;
  }

  OffsetRange read_offsets() const {
    if (text_ == "start" || text_ == "oldest") return {kStart, {}};
    if (text_ == "end" || text_ == "newest") return {kEnd, {}};
    const std::size_t colon = text_.find(':');
    if (text_.find_first_of("+-") == 0 && colon != std::string_view::npos) {
      refuse(fmt::format("'{}' begins no range: it stands alone", text_.substr(0, colon)));
    }
    if (text_.starts_with('+')) {
      return {Place{Place::Kind::start, read_number(text_.substr(1)), 0}, {}};
    }
    if (text_.starts_with('-')) {
      return {Place{Place::Kind::end, read_number(text_.substr(1)), 0}, {}};
    }
    if (colon == std::string_view::npos) return {read_offset(text_), {}};
    const std::string_view first = text_.substr(0, colon);
    const std::string_view last = text_.substr(colon + 1);
    if (first.empty() && last.empty()) refuse("a range needs a beginning or an end");
    OffsetRange range{first.empty() ? kStart : read_offset(first), {}};
    if (!last.empty()) range.to = last == "end" ? kEnd : read_offset(last);
    return range;
  }

  Place read_offset(std::string_view digits) const {
    return {Place::Kind::offset, read_number(digits), 0};
  }

  // The halves are read one by one from the left, because an RFC 3339 time has colons itself.
  OffsetRange read_times() const {
    std::size_t at = 1;
    OffsetRange range{kStart, {}};
    std::int64_t base_ns = now_ns_;
    const bool has_from = at < text_.size() && text_[at] != ':';
    if (has_from) {
      if (text_.substr(at) == "end") refuse("a range cannot begin at the end");
      const bool calendar = is_time(at);
      range.from = read_time_place(at, now_ns_);
      if (calendar) base_ns = range.from.time_ns;
    }
    if (at == text_.size()) {
      if (!has_from) refuse("a time is missing");
      return range;
    }
    ++at;  // the colon
    if (at == text_.size()) {
      if (!has_from) refuse("a range needs a beginning or an end");
      return range;
    }
    if (text_.substr(at) == "end") {
      range.to = kEnd;
      return range;
    }
    range.to = read_time_place(at, base_ns);
    if (at != text_.size()) refuse("a range has one colon");
    return range;
  }

  /// Whether a TIME starts at `at`, and not a duration: digits up to a '-', a colon or the end.
  bool is_time(std::size_t at) const {
    const std::size_t behind = text_.find_first_not_of("0123456789", at);
    if (behind == at) return false;
    return behind == std::string_view::npos || text_[behind] == '-' || text_[behind] == ':';
  }

  Place read_time_place(std::size_t& at, std::int64_t base_ns) const {
    if (is_time(at)) {
      const TimePrefix time = read_time(flag_, text_, at);
      at += time.characters;
      return {Place::Kind::time, 0, time.ns};
    }
    const std::size_t end = std::min(text_.find(':', at), text_.size());
    std::string_view duration = text_.substr(at, end - at);
    if (duration.starts_with('@')) refuse("the @ in front is for both times, as in @-1h:-1m");
    const bool back = duration.starts_with('-');
    if (back) duration.remove_prefix(1);
    const std::int64_t distance_ns = read_distance(duration);
    if (!back && at == 1) refuse(fmt::format("lies ahead: so long ago is @-{}", duration));
    std::int64_t time_ns = 0;
    if (__builtin_add_overflow(base_ns, back ? -distance_ns : distance_ns, &time_ns)) {
      refuse("times lie between 1677 and 2262");
    }
    at = end;
    return {Place::Kind::time, 0, time_ns};
  }

  std::int64_t read_distance(std::string_view duration) const {
    try {
      return parse_duration(flag_, duration).count();
    } catch (const Error&) {
      throw Error(ErrorCode::usage, fmt::format("{} '{}'", flag_, text_),
                  fmt::format("'{}' is neither a time nor a duration", duration),
                  "write @TIME with RFC 3339, a day or Unix time, or @-DUR for how long ago, e.g. "
                  "@2026-01-31T12:00:00Z, @2026-01-31, @1769860800 or @-5m");
    }
  }

  std::string_view flag_;
  std::string_view text_;
  std::int64_t now_ns_;
  std::string_view fix_;
};

}  // namespace

OffsetRange parse_offset_range(std::string_view flag, std::string_view text, std::int64_t now_ns,
                               std::string_view fix) {
  return RangeReader(flag, text, now_ns, fix).read();
}

}  // namespace ringway::cli
