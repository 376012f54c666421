#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <ringway/level.hpp>
#include <ringway/record.hpp>
#include <ringway/status.hpp>
#include <span>
#include <string>
#include <vector>

namespace [[gnu::visibility("default")]] ringway {

class ConsumerState;

/// A place to read from, in every partition alike.
struct StartPoint {
  enum class Kind : std::uint8_t { start, end, offset, timestamp };
  Kind kind = Kind::end;
  std::uint64_t offset = 0;
  std::int64_t timestamp_ns = 0;
};

/// The oldest record that is still kept.
constexpr StartPoint start() noexcept {
  return {StartPoint::Kind::start, 0, 0};
}
/// Behind the newest committed record.
constexpr StartPoint end() noexcept {
  return {StartPoint::Kind::end, 0, 0};
}
constexpr StartPoint at_offset(std::uint64_t offset) noexcept {
  return {StartPoint::Kind::offset, offset, 0};
}
/// The first record at or after that time, CLOCK_REALTIME nanoseconds (on the partition's running
/// maximum of timestamps).
constexpr StartPoint at_timestamp(std::int64_t timestamp_ns) noexcept {
  return {StartPoint::Kind::timestamp, 0, timestamp_ns};
}

/// What a waiting consumer trades. But for `latency`, one that got four records or more at once
/// keeps a distance to whoever writes: its next poll gives producers 2 us to get ahead, in a stream
/// of more than 1 GB/s up to 16 us, and leaves their last 32 KiB to the poll after that.
enum class WaitStrategy : std::uint8_t {
  adaptive,    ///< spins briefly, then sleeps
  latency,     ///< spins for as long as it waits: a whole core for the shortest way
  throughput,  ///< sleeps at once: lets the producer get ahead and reads in long runs
};

struct ConsumerOptions {
  StartPoint from = end();                  ///< a named cursor that has a position goes on there
  std::vector<std::uint32_t> partitions{};  ///< empty: all
  std::string cursor{};                     ///< name of a kept position, at most 127 bytes; "" none
  /// Whether the named cursor holds its records from retention. Kept with the cursor: where it is
  /// left open a cursor stays as it was; a new one does not.
  std::optional<bool> protects{};
  WaitStrategy wait = WaitStrategy::adaptive;
};

/// What one poll gave, in offset order within each partition. A view into the Consumer: valid until
/// its next call.
class RecordBatch {
 public:
  RecordBatch(std::span<const RecordView> records, Status status) noexcept
      : records_(records), status_(status) {}

  auto begin() const noexcept { return records_.begin(); }
  auto end() const noexcept { return records_.end(); }
  bool empty() const noexcept { return records_.empty(); }
  std::size_t size() const noexcept { return records_.size(); }
  const RecordView& operator[](std::size_t index) const noexcept { return records_[index]; }

  /// ok, also with nothing to read. Else why there may be less than wanted: timeout, interrupted,
  /// lapped, not_found or corrupt (a gap was passed, see Consumer::take_gaps(): overwritten,
  /// removed by retention, lost from memory before it was written, lost on disk; the next poll goes
  /// on behind it), disconnected, no_descriptors, quarantined, closed, forked.
  Status status() const noexcept { return status_; }

 private:
  std::span<const RecordView> records_;
  Status status_;
};

struct Lag {
  std::uint64_t records = 0;  ///< committed offset - cursor offset, over the partitions read
  std::uint64_t bytes = 0;    ///< the same in bytes of ring or log
};

/// Records that this consumer will never see, and why.
struct Gap {
  std::uint32_t partition;
  std::uint64_t from;  ///< first offset missing
  std::uint64_t to;    ///< first offset behind it
  Status reason;       ///< lapped, corrupt or not_found (retention, or lost from memory)
};

/// Follows one topic: one cursor per partition that moves over log and ring alike. Made by
/// Bus::consumer(); movable; one thread at a time, except interrupt(). poll() first moves past what
/// the poll before it gave. Views are in place: while they are held the ring keeps their bytes, so
/// a consumer that holds them for long holds up producers and is named for it. Where its topic says
/// so (WhenPinned) the supervisor then takes its in-place reading: from its next poll on, until it
/// is opened anew, the views are of copies in private memory, valid for as long as others; nothing
/// else changes, and the bus's log callback is told once (consumer_copies). A crash costs nothing:
/// a named cursor stands where commit() put it last.
class Consumer {
 public:
  Consumer() noexcept = default;
  explicit Consumer(std::shared_ptr<ConsumerState> state) noexcept;
  Consumer(Consumer&&) noexcept;
  Consumer& operator=(Consumer&&) noexcept;
  ~Consumer();

  /// The next records, at most `records_max` (1..65,536), waiting up to `timeout` for the first.
  /// On overwriting topics (persist = false, when_full = overwrite) a view may be overwritten while
  /// it is looked at: call validate() after use and throw the batch away unless it says ok.
  RecordBatch poll(std::size_t records_max = 256, Timeout timeout = Timeout::zero()) noexcept;
  /// ok when everything the last poll gave was intact until now; otherwise lapped, or quarantined
  /// when some of it may lie in lost pages (lost_pages.hpp): seek() back, and poll again.
  Status validate() const noexcept;

  /// Moves past what the last poll gave, without polling; releases the views.
  void advance() noexcept;
  /// Goes elsewhere, in every partition that this one reads, or in one of them. Releases the views.
  /// Whatever is not ok (beyond_end, not_found, disconnected, ...) leaves the cursor where it was.
  Status seek(StartPoint to) noexcept;
  Status seek(std::uint32_t partition, StartPoint to) noexcept;

  /// The offset that the next poll starts at (past the last poll's records); 0 of a partition that
  /// this one does not read.
  std::uint64_t position(std::uint32_t partition) const noexcept;
  /// Of any partition of the topic, else 0: the oldest offset that is kept, and the first that has
  /// not reached the level yet.
  std::uint64_t first_offset(std::uint32_t partition) const noexcept;
  std::uint64_t watermark(std::uint32_t partition, Level level) const noexcept;
  std::uint64_t committed_offset(std::uint32_t partition) const noexcept;  ///< Level::committed
  Lag lag() const noexcept;
  std::uint32_t partitions() const noexcept;                 ///< of the topic
  std::span<const std::uint32_t> assigned() const noexcept;  ///< the partitions this one reads

  /// Waits until there is something to poll. ok | timeout | interrupted | ...
  Status wait(Timeout timeout = forever) noexcept;

  /// Named cursors: keeps position() of every partition, one store each. `ok`: it survives every
  /// crash of any process at once, and power loss within a second or so (records may then be seen
  /// again). `disconnected`: the supervisor stops or has stopped; this process hands the position
  /// to the next one, but takes it along if it dies first.
  Status commit() noexcept;

  /// Gaps passed since the last call, oldest first.
  std::vector<Gap> take_gaps();

  /// As Producer::interrupt().
  void interrupt() noexcept;

 private:
  std::shared_ptr<ConsumerState> state_;
};

}  // namespace ringway
