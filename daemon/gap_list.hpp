#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "layout/board.hpp"
#include "log/recovery.hpp"

namespace ringway::daemon {

/// The log ends at `written`, is durable up to `durable`, and goes on at `to` at the earliest.
/// Where nothing came behind the last gap, that one grows.
template <class Board>
void extend_log_gaps(Board& board, std::uint64_t written, std::uint64_t durable,
                     std::uint64_t to) noexcept {
  // Loads: what only this thread writes, or a supervisor that is dead.
  constexpr auto kOwn = std::memory_order::relaxed;
  constexpr auto kTorn = std::memory_order::release;  // TORN; of what grows WRITTEN, DURABLE
  if (to <= std::min(written, durable)) return;
  const std::uint32_t count = board.log_gaps.load(kOwn);
  if (count != 0) {
    auto& last = board.log_gap[(count - 1) % std::size(board.log_gap)];
    if (written <= last.to.load(kOwn)) {
      last.written.store(std::min(written, last.written.load(kOwn)), kTorn);
      last.durable.store(std::min(durable, last.durable.load(kOwn)), kTorn);
      last.to.store(std::max(to, last.to.load(kOwn)), kTorn);
      return;
    }
  }
  auto& next = board.log_gap[count % std::size(board.log_gap)];
  next.written.store(written, kTorn);
  next.durable.store(std::min(durable, written), kTorn);
  next.to.store(to, kTorn);
  board.log_gaps.store(count + 1, std::memory_order::release);  // GAP
}

/// The board's list of what the log of a partition lacks. The supervisor's, one thread at a time;
/// clients read it at any moment (client/log_gaps.hpp). A gap stands there before anything of it
/// may be overwritten and before a watermark passes it, so that a crash leaves at worst one that
/// the log, which had it all, did not need.
class GapList {
 public:
  explicit GapList(layout::BoardPartition& board) noexcept : board_(&board) {}

  /// Of a ring that nobody has mapped yet, which begins at `start`: what the segments say.
  void fill(const log::Recovered& recovered, log::LogPoint start) noexcept {
    board_->log_gaps.store(0, std::memory_order::relaxed);
    for (const log::SegmentInfo& segment : recovered.segments) {
      extend(segment.predecessor_end.offset, segment.predecessor_durable.offset,
             segment.first.offset);
    }
    extend(recovered.end.offset, recovered.end.offset, start.offset);
  }

  /// Of the ring that follows one which nobody writes any more, and begins at `start`. The segments
  /// that tell of a gap may have been retired: it stays one.
  void go_on(const layout::BoardPartition& before, log::LogPoint end,
             log::LogPoint start) noexcept {
    constexpr auto kRelaxed = std::memory_order::relaxed;  // nobody has mapped it yet
    for (std::uint32_t i = 0; i < layout::kLogGaps; ++i) {
      const layout::LogGap& from = before.log_gap[i];
      layout::LogGap& to = board_->log_gap[i];
      to.written.store(from.written.load(kRelaxed), kRelaxed);
      to.durable.store(from.durable.load(kRelaxed), kRelaxed);
      to.to.store(from.to.load(kRelaxed), kRelaxed);
    }
    board_->log_gaps.store(before.log_gaps.load(kRelaxed), kRelaxed);
    extend(end.offset, end.offset, start.offset);
  }

  void extend(std::uint64_t written, std::uint64_t durable, std::uint64_t to) noexcept {
    extend_log_gaps(*board_, written, durable, to);
  }

 private:
  layout::BoardPartition* board_;
};

}  // namespace ringway::daemon
