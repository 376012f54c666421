#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ringway::cli {

/// A place in a partition, to be resolved by who knows its offsets.
struct Place {
  enum class Kind : unsigned char {
    start,   ///< `records` behind the first offset that can be read
    end,     ///< `records` before `committed` as it was when the command began
    offset,  ///< the offset `records`
    time,    ///< the first record at or after `time_ns`
  };
  Kind kind = Kind::start;
  std::uint64_t records = 0;
  std::int64_t time_ns = 0;  ///< CLOCK_REALTIME

  friend bool operator==(const Place&, const Place&) = default;
};

/// Half-open: from the record at `from` up to, and without, the one at `to`; for ever without it.
struct OffsetRange {
  Place from;
  std::optional<Place> to;

  friend bool operator==(const OffsetRange&, const OffsetRange&) = default;
};

/// The grammar of `rpk topic consume --offset`:
///
///   start, oldest    from the beginning               N, N:      from offset N
///   end, newest      only what comes from now on      :N, N:M    up to offset N; from N up to M
///   +N               from N behind the beginning      :end       up to the present end
///   -N               from N before the present end    N:end      from N up to the present end
///   @T, @T:          from the first record at or after T
///   @:T, @T1:T2      up to, and without, the first record at or after T; between two times
///
/// T is a TIME (timestamp.hpp), or a DUR (quantity.hpp) with a minus, behind T1 also without:
/// counted from `now_ns`, but as T2 behind a TIME from that time. As T2 it may be `end`, the
/// present end.
/// Throws Error(usage) naming `flag`, the text and the rule; a range that is empty in itself
/// (`to` not behind `from`) is refused.
/// `fix` says what to write instead.
OffsetRange parse_offset_range(
    std::string_view flag, std::string_view text, std::int64_t now_ns,
    std::string_view fix =
        "write start, end, +N, -N, N, N:M, @TIME or @T1:T2, e.g. -10 or @-5m:end");

}  // namespace ringway::cli
