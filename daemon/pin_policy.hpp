#pragma once

#include <cstdint>

#include "ringway/topic.hpp"

namespace ringway::daemon {

/// What is known of records that have been held in place for longer than `pin_budget_ms`.
struct LongPin {
  std::uint64_t retired_bytes = 0;  ///< of replaced rings that consumers still hold records in
  bool copies = false;              ///< its in-place reading was taken away: it only has to poll
  bool alone = false;               ///< this holder was it all the time, not only now
  bool stands = false;              ///< it has not let go since this was told
  bool refused = false;             ///< there is no memory for another ring
};

enum class PinAnswer : std::uint8_t {
  replace,  ///< producers get another ring, the holder keeps this one
  wait,     ///< it is named
  copy,     ///< its next poll lets go, and holds nothing any more
  kill,
};

/// How many bytes of a topic's replaced rings its consumers may hold.
constexpr std::uint64_t retired_bytes_max(const TopicSettings& settings) noexcept {
  const std::uint64_t rings = settings.ring_bytes * settings.partitions;
  return settings.retired_bytes_max != 0 ? settings.retired_bytes_max : 4 * rings;
}

/// Who holds records in the present ring holds none in another: slots speak of one ring at a time.
/// So each consumer has one retired ring at most, and only all of them together can have too much.
constexpr PinAnswer answer(const TopicSettings& settings, const LongPin& pin) noexcept {
  const std::uint64_t rings = settings.ring_bytes * settings.partitions;
  const std::uint64_t most = retired_bytes_max(settings);
  if (!pin.refused && pin.retired_bytes <= most && rings <= most - pin.retired_bytes) {
    return PinAnswer::replace;
  }
  switch (settings.when_pinned) {
    case WhenPinned::copy:
      return pin.copies ? PinAnswer::wait : PinAnswer::copy;
    case WhenPinned::kill:
      // Whoever catches up may hold the oldest records for a moment, after somebody else's minute.
      return pin.alone && pin.stands ? PinAnswer::kill : PinAnswer::wait;
    case WhenPinned::wait:
      break;
  }
  return PinAnswer::wait;
}

}  // namespace ringway::daemon
