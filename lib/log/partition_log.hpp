#pragma once

// How a flusher uses it, per partition (one thread; one engine serves all partitions):
//
//   Recovered recovered = recover(file_system, directory,
//                                 ring lives on ? RecoverMode::adopt : RecoverMode::repair);
//   PartitionLog log(file_system, engine, directory, identity, settings,
//                    ring lives on ? recovered.go_on() : recovered.jump({position, offset}));
//   walker.start_at(log.noted());                    // position and offset of the next record
//
//   each round:
//     for (header : committed records)               // copied out and checked by the walker
//       if (!log.note(header)) break;                // the segment is full: what is noted goes
//                                                    // out and is synced, then it can be noted
//     if (log.can_submit()) {
//       const int result = log.submit(stream, now_ns, write_token);
//       result == -ENOSPC, …                         // nothing was lost: hold producers, try later
//     }
//     if (log.can_sync() && (due || log.full())) log.submit_sync(sync_token);
//
//   each completion that engine.reap() gives, by its token:
//     log.wrote(result) or log.synced(result);       // then publish written() and durable(), but
//                                                    // never take a published watermark back
//     if (log.error() != 0 && log.idle())            // the device failed
//       walker.start_at(log.restart());              // from the durable end, out of the ring
//
//   before the ring's memory goes away, and before a quiet partition is parked:
//     if (log.can_confirm()) log.submit(…);          // lets the file name its durable end: damage
//                                                    // below it is then told from a torn tail
//     until log.idle()
//
// The ring must hold everything from page_floor(durable) on: a failed write or sync is never tried
// again in place, the records behind the durable end go into a new segment instead. Where it cannot
// hold it for as long as the device refuses, skip_to() leaves out what has to go.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "log/segment_writer.hpp"

namespace ringway::log {

struct LogIdentity {
  std::array<std::uint8_t, 16> topic_uuid;
  std::uint32_t partition;
  std::uint64_t epoch;  ///< of the supervisor
};

struct LogSettings {
  std::uint64_t segment_bytes = 256 * 1024 * 1024;  ///< of data, before the log rolls
  std::uint64_t record_bytes_max = 0;               ///< a segment takes at least one such record
  std::uint64_t block_bytes = kBlockBytes;          ///< power of two, at least 4 KiB
  WritePath write_path = WritePath::direct;
  bool synced = true;  ///< false: nobody waits for syncs, and what is written stays
};

/// Where and on top of what a partition's log is continued. Made by recovery.
struct LogStart {
  LogPoint at;               ///< of the next record
  LogPoint predecessor_end;  ///< where what is on disk ends; behind `at` after a jump
  std::int64_t running_max = kNoTime;
  std::vector<SegmentInfo> segments;   ///< on disk, oldest first
  LogPoint durable = predecessor_end;  ///< of them; behind it they want a sync before anything else
  /// How far predecessor_end is confirmed once they have had it.
  LogPoint predecessor_durable = predecessor_end;
  bool in_ring = false;  ///< what lies behind `durable` can be written once more
};

/// The appending side of one partition's log: a sequence of segments. A new one is made when the
/// last is full, at every start, and after every failure of the device; always lazily, with the
/// first batch. Owned and used by one thread. File system and engine must outlive it. A crash costs
/// what is not durable (power) or not written (kill -9).
class PartitionLog {
 public:
  PartitionLog(storage::FileSystem& file_system, storage::WriteEngine& engine,
               std::string directory, const LogIdentity& identity, const LogSettings& settings,
               LogStart start);

  /// Takes the record at noted() into account. False: it does not fit, the segment is full() and
  /// not yet durable as a whole; submit, sync and come again. `record` is checked and a copy.
  bool note(const layout::RecordHeader& record) noexcept {
    if (error_ != 0) return false;
    if (!segment_.fits(layout::record_bytes(record)) && !roll(layout::record_bytes(record))) {
      return false;
    }
    segment_.note(record);
    return true;
  }

  bool can_submit() const noexcept {
    return error_ == 0 && settled() && segment_.can_submit() &&
           segment_.noted() != segment_.written();
  }
  /// Everything is durable, and the file does not say so yet: submit() will, by 8 KiB.
  bool can_confirm() const noexcept { return error_ == 0 && settled() && segment_.can_confirm(); }
  /// Nothing is noted that the segment at hand, which is not made yet, waits for.
  bool can_begin() const noexcept {
    return error_ == 0 && settled() && !segment_.created() && segment_.drained();
  }
  /// Makes it, synced. Needs can_begin(). 0, or a negative errno: call again later.
  int begin();
  /// One batch with everything noted. Needs can_submit() or can_confirm(). 0, or a negative errno
  /// after which nothing has changed: ENOSPC, EMFILE, … Call again later. With `sync_token` it is
  /// synced, too, and completed by both at once: needs can_sync_with().
  int submit(const Stream& stream, std::int64_t now_ns, std::uint64_t token,
             std::optional<std::uint64_t> sync_token = std::nullopt);

  bool can_sync() const noexcept {
    return error_ == 0 && (settled() ? segment_.can_sync() : !settling_.is_open());
  }
  bool can_sync_with() const noexcept { return segment_.can_sync_with(); }
  /// Makes written() durable. The next batch may be submitted meanwhile.
  int submit_sync(std::uint64_t token);

  void wrote(int result) noexcept;
  void synced(int result);

  LogPoint noted() const noexcept { return segment_.noted(); }
  LogPoint written() const noexcept {
    return segment_.counts() ? segment_.written() : segment_.first();
  }
  LogPoint durable() const noexcept {
    if (!settled()) return *unsettled_;
    return segment_.counts() ? segment_.durable() : segment_.first();
  }
  /// False until what an earlier process wrote is durable, too: nothing goes out before.
  bool settled() const noexcept { return !unsettled_; }
  bool full() const noexcept { return full_; }
  bool idle() const noexcept { return segment_.idle() && !settling_.is_open(); }

  /// Name of the segment that the next write or sync is about.
  std::string name_at_hand() const {
    return settled() ? segment_.info().name : sealed_.back().name;
  }
  /// The negative errno of the write or sync that failed, until restart().
  int error() const noexcept { return error_; }
  /// Gives the segment up at its durable end and begins the next there; returns that point. Needs
  /// idle().
  LogPoint restart();
  /// Goes on at `at`, not before kept_by_skip(): what lies between is left out. What was written
  /// stays, synced or not: the ring is not to hold it any longer. Needs idle(). Whether segments()
  /// has changed.
  bool skip_to(LogPoint at);
  LogPoint kept_by_skip() const noexcept { return given_up_ ? given_up_->end : written(); }
  /// Where the log ends in front of noted(), but for what the segment at hand has.
  LogPoint predecessor_end() const noexcept { return segment_.predecessor_end(); }
  /// How far a sync has confirmed that.
  LogPoint predecessor_durable() const noexcept { return segment_.predecessor_durable(); }
  /// Where the segment at hand begins: behind predecessor_end() after a jump.
  LogPoint first() const noexcept { return segment_.first(); }

  /// Closes the file of a partition that has nothing to do; the next batch opens it. Needs idle().
  void park() noexcept { segment_.park(); }

  /// Oldest first; the last is the one being written, once it is there and counts.
  std::vector<SegmentInfo> segments() const;
  std::size_t segment_count() const noexcept {
    return sealed_.size() + (segment_.counts() ? 1 : 0);
  }
  std::uint64_t bytes() const noexcept;  ///< disk space taken
  /// Removes the oldest `count`, never the last. With `reusable` (no reader holds its descriptor)
  /// the newest of them is written over as the next segment. 0, or the negative errno of the first
  /// that could not be removed and is the oldest now. What is no file was not there.
  int retire(std::size_t count, bool reusable);

  std::string write_path() const;  ///< for people: "io_uring, direct"

 private:
  SegmentHeader header_at(LogPoint at, LogPoint predecessor_end, LogPoint predecessor_durable,
                          std::int64_t running_max, std::uint64_t record_bytes) const;
  LogPoint kept_end() const noexcept { return settings_.synced ? durable() : written(); }
  void begin_segment(std::uint64_t record_bytes);
  void give_up_predecessor();
  int end_trial();
  bool roll(std::uint64_t record_bytes) noexcept;
  std::string path_of(const std::string& name) const { return directory_ + "/" + name; }

  storage::FileSystem& file_system_;
  storage::WriteEngine& engine_;
  std::string directory_;
  LogIdentity identity_;
  LogSettings settings_;
  std::vector<SegmentInfo> sealed_;
  std::optional<LogPoint> unsettled_;    // the durable end, while the last of sealed_ wants a sync
  bool in_ring_ = false;                 // if not, what lies behind that stays as it is
  storage::File settling_;               // that one, during its sync
  std::optional<SegmentInfo> given_up_;  // as written; what is behind its durable end comes again
  std::string spare_;                    // path of a retired segment to be written over
  SegmentWriter segment_;
  // Made behind a failure: it counts when a first sync has succeeded and it holds all of given_up_.
  bool on_trial_ = false;
  bool full_ = false;
  int error_ = 0;
};

}  // namespace ringway::log
