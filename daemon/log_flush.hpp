#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "daemon/event_log.hpp"
#include "daemon/gap_list.hpp"
#include "daemon/partition_events.hpp"
#include "daemon/served_topic.hpp"
#include "log/partition_log.hpp"
#include "ring/partition_view.hpp"
#include "ring/scan.hpp"

namespace ringway::daemon {

using SteadyTime = std::chrono::steady_clock::time_point;

/// Carries a partition's records from its ring to its log: when a batch goes out and when it is
/// synced, what the board says of that (written, durable, segments), and what follows when the
/// device refuses. The flusher's thread; nothing here waits. A crash costs nothing but the time
/// until the next supervisor goes on.
class LogFlush {
 public:
  LogFlush(ServedTopic& topic, std::uint32_t partition, storage::FileSystem& file_system,
           storage::WriteEngine& engine, const EventLog& events);
  LogFlush(const LogFlush&) = delete;
  LogFlush& operator=(const LogFlush&) = delete;

  /// Of the next record to be noted.
  ring::Place noted() const noexcept { return ring_place(log_.noted()); }
  ring::Place written() const noexcept { return ring_place(log_.written()); }
  /// False: the log takes nothing at the moment; catch_up() will.
  bool note(const layout::RecordHeader& header) noexcept { return log_.note(header); }
  /// Notes what was committed while the log could take nothing: it was full, or its device failed.
  void catch_up(ring::Place committed, SteadyTime now) noexcept;

  /// Before a look at the ring: whoever waits for a level published before it asked.
  void hear_waiters() noexcept;
  /// One round. `hurries`: what there is goes out without delay.
  void flush(SteadyTime now, bool hurries);
  /// When the next round has something to do, if no completion comes before; `awaited`: it has
  /// anyway, as soon as the device may be tried.
  SteadyTime due(bool awaited) const;
  /// Completions of the write engine, by the token that names whose and the kind of work.
  static void complete(std::uint64_t token, int result);
  /// Whose level moved since this was last asked.
  struct Moved {
    std::uint32_t levels = 0;  ///< layout::ProgressWaiter
    std::uint32_t words = 0;   ///< of layout::BellPartition::told_waiters
  };
  Moved take_moved() noexcept { return std::exchange(moved_, {}); }
  bool moved() const noexcept { return moved_.levels != 0; }

  bool writing() const noexcept { return !log_.idle(); }
  /// Nothing to do, and nothing that only time would bring.
  bool quiet() const noexcept;
  /// All that went out is durable.
  bool caught_up() const noexcept { return submitted_ == log_.durable(); }
  /// Everything before `committed` is durable, and the file says so.
  bool drained(ring::Place committed) const noexcept;
  /// What the ring need not hold any more, a whole number of pages; none of this ring's yet:
  /// nothing.
  std::optional<ring::Place> reusable() const noexcept;

  /// The negative errno with which the device refused last, until it works again; 0.
  int device_error() const noexcept { return last_error_; }
  /// It refused, nothing that it has taken since is under way, and all that was ever told `written`
  /// is in the log: else the ring alone has it, and has to keep it.
  bool may_skip() const noexcept {
    return last_error_ != 0 && !heals_at_ && log_.idle() &&
           log_.kept_by_skip().offset >=
               board_.written_offset.load(std::memory_order::relaxed);  // own
  }
  /// Leaves out of the log what lies between written() and `place`: the ring will not hold it.
  /// While the device refuses.
  void skip_to(ring::Place place);
  /// Something was left out, and the device does not work yet.
  bool suspended() const noexcept { return suspended_; }
  /// A write failed because a page of the ring could not be read.
  bool lost_ring_page() const noexcept { return log_.error() == -EFAULT && log_.idle(); }

  /// Closes the file of a quiet partition: ten thousand of them would not fit.
  void park() noexcept {
    if (log_.idle()) log_.park();
  }
  /// The file of the newest segment is not there any more: the log goes on in a new one, from the
  /// durable end on. At once, or as soon as nothing is under way.
  void leave_segment();
  /// Removes the segments in front of `first_kept`, up to the first that cannot be removed.
  SegmentRemoval retire(std::uint64_t first_kept);

 private:
  bool syncs_at_once() const noexcept;
  void see_company(SteadyTime now) noexcept;
  bool gathers(SteadyTime now) const noexcept;
  void nobody_rings() noexcept;
  void submit(SteadyTime now, std::optional<std::uint64_t> sync_token = std::nullopt);
  void begin(SteadyTime now);
  bool batch_is_due(SteadyTime now, bool hurries) const;
  void wrote(int result);
  void synced(int result);
  void recover_device(SteadyTime now);
  void refused(int error, SteadyTime now);
  void healed();
  void publish_marks();
  void note_moved(layout::ProgressWaiter level, std::uint64_t from, std::uint64_t to) noexcept;
  void publish_segments();
  /// What lies in front of the segment at hand is not all durable, or not all there.
  bool begins_behind_gap() const noexcept {
    return log_.predecessor_durable().offset != log_.first().offset;
  }

  std::string path_of(const std::string& segment) const {
    return (topic_.directory(partition_) / segment).string();
  }
  ring::Place ring_place(log::LogPoint point) const noexcept {
    return {point.position - base_position_, point.offset};
  }
  /// What counts as durable with the topic's policy.
  log::LogPoint durable() const noexcept {
    return topic_.settings().sync == SyncPolicy::never ? log_.written() : log_.durable();
  }

  ServedTopic& topic_;
  std::uint32_t partition_;
  PartitionEvents events_;
  ring::PartitionView view_;
  layout::BoardPartition& board_;
  layout::BellPartition& bell_;
  std::uint64_t base_position_;
  GapList gaps_;
  log::PartitionLog log_;
  log::LogPoint submitted_;  ///< up to which batches went out
  bool sync_wanted_ = false;  ///< somebody waits for what the next batch holds
  std::size_t segments_shown_ = 0;
  Moved moved_;
  SteadyTime pending_since_{};
  SteadyTime wrote_at_{};  ///< when a batch last went out
  SteadyTime sync_began_{};  ///< of the one under way
  std::uint64_t batch_records_ = 0;  ///< of the last
  std::uint64_t company_ = 0;        ///< with those that had come when it was synced
  SteadyTime gathers_until_{};
  bool gathers_ = false;  ///< a batch waits for others to come
  bool synced_ = false;   ///< since the last look at the company
  SteadyTime retry_at_{};
  int last_error_ = 0;
  bool suspended_ = false;
  bool leaves_segment_ = false;
  bool behind_gap_;  ///< nothing is written behind the jump with which the segment at hand begins
  std::optional<std::uint64_t> heals_at_;  ///< when this is durable, the device works again
};

}  // namespace ringway::daemon
