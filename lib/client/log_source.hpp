#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "log/stream.hpp"
#include "ringway/status.hpp"

namespace ringway {

/// What the log gave, or why it gave nothing.
struct LogChunk {
  enum class Kind : unsigned char {
    records,  ///< `bytes` start at the boundary `at` with at least one whole record
    nothing,  ///< not in the log (any more or yet): look in the ring
    gap,      ///< what was asked for is lost for `reason`; `at` is where it goes on
    failed,   ///< `reason`: disconnected, no_descriptors: ask again later
  };
  Kind kind = Kind::nothing;
  log::LogPoint at{};
  std::span<const std::byte> bytes{};  ///< verified; valid until the source's next call
  Status reason = Status::ok;
};

/// Whether more is on its way into a partition's log, as far as is known.
enum class LogEnd : unsigned char { rests, moves };

/// Where the first record at or after a time may be, whether it is still kept or was lost.
struct TimePlace {
  Status status = Status::ok;             ///< or as of LogChunk::Kind::failed
  std::optional<std::uint64_t> offset{};  ///< no later than that record's; none: not in the log
};

/// Where a partition's records are read that left the ring. One cursor's; one thread at a time.
class LogSource {
 public:
  virtual ~LogSource() = default;

  /// From a boundary on.
  virtual LogChunk read(log::LogPoint at) noexcept = 0;
  /// From the last boundary known at or before the offset on.
  virtual LogChunk read_offset(std::uint64_t offset) noexcept = 0;
  virtual TimePlace find_time(std::int64_t timestamp_ns) noexcept = 0;
  /// A hint: while the end moves, nothing is read that was not asked for.
  virtual void expect(LogEnd end) noexcept = 0;
  /// Lets go of files and memory: the cursor is in the ring and keeps up.
  virtual void rest() noexcept = 0;
};

}  // namespace ringway
