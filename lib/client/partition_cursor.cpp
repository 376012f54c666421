#include "client/partition_cursor.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "client/boundary_table.hpp"
#include "client/log_gaps.hpp"
#include "client/record_view.hpp"
#include "shm/landing.hpp"

namespace ringway {

using layout::RecordHeader;
using layout::TopicMode;

namespace {

// Far enough ahead of small records that the line is near when their turn comes.
constexpr std::uint64_t kPrefetchBytes = 2048;
constexpr std::uint64_t kLineBytes = 64;
// Beyond a single record. Less is seldom overtaken, and stays in the cache until it is read.
constexpr std::uint64_t kCopyBytesMax = 256 * 1024;

/// Whether `bytes` start with a record of which all is there; if so, its header.
[[gnu::always_inline]] inline bool whole_record(std::span<const std::byte> bytes,
                                                RecordHeader& header) noexcept {
  if (bytes.size() < sizeof header) return false;
  header = layout::load_header(bytes.data());
  return layout::plausible(header, bytes.size());
}

}  // namespace

void note_gap(std::vector<Gap>& gaps, const Gap& gap) noexcept {
  try {
    if (!gaps.empty() && gaps.back().partition == gap.partition && gaps.back().to == gap.from &&
        gaps.back().reason == gap.reason) {
      gaps.back().to = gap.to;
    } else {
      gaps.push_back(gap);
    }
  } catch (const std::bad_alloc&) {
    // The poll's status still says that there was one.
  }
}

PartitionCursor::PartitionCursor(std::uint32_t partition, const ring::PartitionView& view,
                                 layout::Slot& slot, TopicMode mode, std::unique_ptr<LogSource> log,
                                 Arrival arrival)
    : partition_(partition),
      mode_(mode),
      view_(view),
      reader_(view, slot),
      slot_(&slot),
      base_(view.board().base_position.load(std::memory_order::acquire)),
      base_offset_(view.board().base_offset.load(std::memory_order::acquire)),
      log_(std::move(log)),
      walk_(view) {
  keeps_pin_ = arrival == Arrival::moved && mode == TopicMode::memory_block;
  // The slot may have been another handle's.
  if (!keeps_pin_) slot_->pin.store(layout::kNoPin, std::memory_order::release);
  slot_->committed.store(layout::kNoOffset, std::memory_order::release);
}

// Pins. On topics that overwrite nobody is held up, so nothing is pinned, nor by a cursor that
// copies; on topics that block, the pin stays at the cursor for good: it is what the producers wait
// for.

std::uint64_t PartitionCursor::hold(std::uint64_t position) noexcept {
  if (!pins()) return reader_.look(position);
  if (!keeps_pin_) {
    const std::uint64_t announced = reader_.pin(position);
    keeps_pin_ = mode_ == TopicMode::memory_block && announced != 0;
    return announced;
  }
  // From a pin that holds, up: everything from it on is safe, however far ahead was announced.
  slot_->pin.store(position, std::memory_order::release);     // UNPIN
  return view_.announced().load(std::memory_order::acquire);  // ANNOUNCE
}

void PartitionCursor::let_go() noexcept {
  held_ = false;
  if (!pins()) return;
  if (mode_ == TopicMode::memory_block && where_ == Where::ring) {
    static_cast<void>(hold(place_.position));
  } else {
    unpin();
  }
}

void PartitionCursor::unpin() noexcept {
  keeps_pin_ = false;
  if (pins()) reader_.unpin();
}

void PartitionCursor::release() noexcept {
  if (held_) let_go();
}

void PartitionCursor::copy_from_now_on() noexcept {
  if (mode_ != TopicMode::persisted) return;  // what is gone from the ring must be in the log
  let_go();
  copies_ = true;
}

bool PartitionCursor::intact() const noexcept {
  return !held_ || mode_ != TopicMode::memory_overwrite || reader_.still_there(held_from_);
}

bool PartitionCursor::something_came() noexcept {
  if (where_ == Where::ring) {
    RecordHeader header;
    if (copies_ && !chunk_.empty()) return true;  // left over from the last copy
    if (place_.position >= reader_.end()) [[unlikely]]
      return false;
    const std::uint64_t announced =
        keeps_pin_ ? view_.announced().load(std::memory_order::acquire)  // ANNOUNCE
                   : reader_.look(place_.position);
    if (announced == 0) return true;
    if (place_.position >= announced ||
        ring::peek(view_, place_.position, header) == ring::Found::nothing) {
      return false;
    }
    __builtin_prefetch(view_.at(place_.position + kLineBytes));  // most records go on in it
    seen_at_ = place_.position;
    return true;
  }
  return !in_vain_ && (!chunk_.empty() || offset() < walk_.offset());
}

bool PartitionCursor::in_quarantine() const noexcept {
  // Relaxed: it does not end, and committed stands still in it.
  return view_.board().hold.load(std::memory_order::relaxed) ==
         static_cast<std::uint32_t>(layout::Hold::quarantined);
}

bool PartitionCursor::at_quarantine() noexcept {
  if (!in_quarantine()) return false;
  if (offset() >= view_.board().committed_offset.load(std::memory_order::acquire)) return true;
  // What was committed and is nowhere was written over: it does not come any more.
  return where_ == Where::ring ? !something_came() : in_vain_;
}

/// The record at its place was written over in the ring; the log had it before.
bool PartitionCursor::only_log_has_it() const noexcept {
  if (mode_ != TopicMode::persisted || !in_quarantine()) return false;
  RecordHeader header;
  return place_.offset < view_.board().written_offset.load(std::memory_order::acquire) &&
         ring::peek(view_, place_.position, header) != ring::Found::record;
}

std::uint64_t PartitionCursor::ahead() const noexcept {
  if (where_ != Where::ring) return 0;
  // Relaxed: no more than a hint.
  const std::uint64_t tail =
      view_.codec().unpack(view_.tail().load(std::memory_order::relaxed)).position;
  return tail > place_.position ? tail - place_.position : 0;
}

void PartitionCursor::stop_short(std::uint64_t bytes) noexcept {
  const std::uint64_t there = ahead();
  if (there > bytes) until_ = place_.position + (there - bytes);
}

Status PartitionCursor::collect(Harvest& harvest) noexcept {
  Status status = Status::ok;
  if (where_ == Where::unplaced) status = place_in_ring_or_log(harvest);
  const bool passed_a_gap = status == Status::lapped || status == Status::not_found;
  if (status != Status::ok && !passed_a_gap) return status;
  const Status more = where_ == Where::ring  ? collect_ring(harvest)
                      : where_ == Where::log ? collect_log(harvest)
                                             : Status::ok;
  show_offset();
  return status == Status::ok ? more : status;
}

void PartitionCursor::show_offset() noexcept {
  // Relaxed load: only this thread writes it.
  if (slot_->offset.load(std::memory_order::relaxed) != offset()) {
    slot_->offset.store(offset(), std::memory_order::release);
  }
}

void PartitionCursor::skip_gap(Harvest& harvest, std::uint64_t to, Status reason) noexcept {
  if (to > offset()) note_gap(harvest.gaps, {partition_, offset(), to, reason});
  wanted_ = std::max(wanted_, to);
}

/// False for what lies before the wanted offset or time.
inline bool PartitionCursor::wanted(const RecordHeader& header, std::uint64_t offset) noexcept {
  if (header.kind != static_cast<std::uint8_t>(layout::RecordKind::data)) return false;
  if (offset < wanted_) return false;
  if (not_before_ns_) [[unlikely]] {
    if (header.timestamp_ns < *not_before_ns_) return false;
    not_before_ns_.reset();  // the running maximum has reached it
  }
  return true;
}

// The ring.

const std::byte* PartitionCursor::body_in_ring(std::uint64_t position,
                                               std::uint64_t bytes) noexcept {
  const std::byte* const body = view_.at(position) + sizeof(RecordHeader);
  if (view_.mapping() == ring::Mapping::mirrored) return body;
  const std::uint64_t left = view_.ring_bytes() - (position & (view_.ring_bytes() - 1));
  if (bytes <= left - sizeof(RecordHeader)) return body;
  // Written through a mapping that is mirrored, read through one that is not. The end of the data
  // area lies in a held window once, so that there is one such record a poll.
  return copy_out(position + sizeof(RecordHeader), bytes) ? copied_.data() : nullptr;
}

/// Into private memory, put together where it passes the end of the data area.
bool PartitionCursor::copy_out(std::uint64_t position, std::uint64_t bytes) noexcept {
  try {
    if (copied_.size() < bytes) copied_.resize(bytes);
  } catch (const std::bad_alloc&) {
    return false;
  }
  const std::uint64_t left = view_.ring_bytes() - (position & (view_.ring_bytes() - 1));
  const std::uint64_t first = std::min(bytes, left);
  std::memcpy(copied_.data(), view_.at(position), first);
  if (first < bytes) std::memcpy(copied_.data() + first, view_.at(0), bytes - first);
  return true;
}

/// Whether the mapping lost pages since it was asked last. A page can be lost but once in it,
/// whatever goes on in others.
bool PartitionCursor::lost_more() noexcept {
  const std::uint32_t before = std::exchange(pages_lost_, shm::pages_lost_at(view_.at(0)));
  return pages_lost_ != before;
}

/// Moves over what is committed in front of `bound`, as far as the harvest has room: what each
/// record costs a consumer. So what it needs is in copies, which need not be loaded again behind
/// each stamp, and it does not wait for a header to know where the next one is, as long as records
/// look like the one before (Stride).
ring::Found PartitionCursor::take_run(std::uint64_t bound, Harvest& harvest) noexcept {
  const ring::PartitionView view = view_;
  const bool mirrored = view.mapping() == ring::Mapping::mirrored;
  const std::uint64_t wanted_from = not_before_ns_ ? kNowhere : wanted_;
  const std::uint32_t partition = partition_;
  ring::Place at = place_;
  ring::Stride stride(view.ring_bytes());
  ring::Found found = ring::Found::nothing;
  RecordView* to = harvest.records.free();
  const RecordView* const room = to + (harvest.records_max - harvest.records.size());
  while (to != room && at.position < bound) {
    found = stride.peek(view, at.position);
    if (found != ring::Found::record) break;
    __builtin_prefetch(view.at(at.position + kPrefetchBytes));
    const layout::HeaderWords words = stride.words();
    if (!stride.data() || at.offset < wanted_from) [[unlikely]] {
      const RecordHeader header = layout::header_of(words);
      if (!wanted(header, at.offset)) {
        at.pass(header);
        continue;
      }
    }
    const std::byte* body = view.at(at.position) + sizeof(RecordHeader);
    if (!mirrored) [[unlikely]] {
      body = body_in_ring(at.position, stride.bytes() - sizeof(RecordHeader));
      if (body == nullptr) break;
    }
    *to++ = view_of(layout::header_of(words), body, at.offset, partition);
    at.position += stride.bytes();
    ++at.offset;
  }
  harvest.records.take_until(to);
  place_ = at;
  return found;
}

Status PartitionCursor::collect_ring(Harvest& harvest) noexcept {
  if (copies_ && take_records(harvest)) [[unlikely]]
    return Status::ok;
  // A look without the locked operation first: most polls of most partitions find nothing. Who has
  // waited for it has looked, and sees it again below, once: what stood there may be gone.
  if (std::exchange(seen_at_, kNowhere) != place_.position && !something_came()) {
    if (only_log_has_it()) [[unlikely]]
      return left_ring(harvest);
    if (held_) let_go();
    if (log_) log_->rest();
    return Status::ok;
  }
  const std::uint64_t announced = hold(place_.position);
  if (announced == 0) return left_ring(harvest);
  if (copies_) [[unlikely]]
    return copy_ring(announced, harvest);
  held_ = true;
  held_from_ = place_.position;
  const ring::Place begun = place_;
  const auto begun_not_before_ns = not_before_ns_;
  const std::uint32_t lost = shm::pages_lost.load(std::memory_order::acquire);
  const std::size_t before = harvest.records.size();
  const ring::Found found =
      take_run(std::min({announced, reader_.end(), std::exchange(until_, kNowhere)}), harvest);
  const bool some_lost = shm::pages_lost.load(std::memory_order::acquire) != lost;
  if (place_.position > reader_.end() || (some_lost && lost_more())) [[unlikely]] {
    // Retired while it was read: again, up to its end. Or a page was lost, between a stamp and what
    // it vouches for perhaps: again, up to that page.
    harvest.records.drop_behind(before);
    place_ = begun;
    not_before_ns_ = begun_not_before_ns;
    return collect_ring(harvest);
  }
  if (mode_ == TopicMode::memory_overwrite && !reader_.still_there(held_from_)) {
    // Nothing of it may be believed, not even where it led.
    harvest.records.drop_behind(before);
    place_ = begun;
    not_before_ns_ = begun_not_before_ns;
    return left_ring(harvest);
  }
  if (harvest.records.size() == before) let_go();
  if (found != ring::Found::corrupt) return Status::ok;
  if (!only_log_has_it()) return Status::quarantined;
  return harvest.records.size() == before ? left_ring(harvest) : Status::ok;  // else the next time
}

/// Copies a run of records and gives what was whole when it was copied: nothing of it may have been
/// announced for reuse until then, as on topics that overwrite.
Status PartitionCursor::copy_ring(std::uint64_t announced, Harvest& harvest) noexcept {
  const std::uint64_t bound = std::min(announced, reader_.end());
  const std::size_t room = harvest.records_max - harvest.records.size();
  ring::Place end = place_;
  ring::Found found = ring::Found::nothing;
  RecordHeader header;
  for (std::size_t i = 0;
       i < room && end.position < bound && end.position - place_.position < kCopyBytesMax; ++i) {
    found = ring::peek(view_, end.position, header);
    if (found != ring::Found::record) break;
    ring::Place next = end;
    next.pass(header);
    // Only where it is written over while it is walked.
    if (next.position - place_.position > view_.ring_bytes()) break;
    end = next;
  }
  const std::uint64_t bytes = end.position - place_.position;
  const bool copied = copy_out(place_.position, bytes);
  // Retired while it was read: again, up to its end.
  if (end.position > reader_.end()) return collect_ring(harvest);
  if (!reader_.still_there(place_.position)) return left_ring(harvest);
  if (bytes == 0 && found == ring::Found::corrupt) {
    return only_log_has_it() ? left_ring(harvest) : Status::quarantined;
  }
  if (copied) chunk_ = std::span(copied_).first(bytes);
  static_cast<void>(take_records(harvest));
  return Status::ok;
}

/// What was wanted is announced for reuse.
Status PartitionCursor::left_ring(Harvest& harvest) noexcept {
  held_ = false;
  if (mode_ == TopicMode::persisted) {
    where_ = Where::log;
    return collect_log(harvest);
  }
  where_ = Where::unplaced;
  return place_in_ring_or_log(harvest);
}

// The log.

/// Takes what the log said about the wanted offset or place.
Status PartitionCursor::take_chunk(const LogChunk& chunk, Harvest& harvest) noexcept {
  in_vain_ = false;
  switch (chunk.kind) {
    case LogChunk::Kind::records:
      where_ = Where::log;
      place_ = {chunk.at.position - base_, chunk.at.offset};
      chunk_ = chunk.bytes;
      return Status::ok;
    case LogChunk::Kind::nothing: {
      // Perhaps in the ring, but not at this position: it begins anew with every ring. By offset,
      // then.
      if (where_ == Where::log) wanted_ = offset();
      where_ = Where::unplaced;
      place_ = {0, 0};
      // What earlier rings left behind is all in the log: the rest went with a lost ring.
      bool lost = wanted_ < base_offset_;
      if (lost) skip_gap(harvest, base_offset_, Status::not_found);
      in_vain_ = !enter_ring(wanted_);
      // Nor does the ring have it: it may have left memory before it was written. While that goes
      // on, the place where the log will go on may move once more.
      while (in_vain_) {
        const auto gap = log_gap_before(view_.board(), wanted_);
        if (!gap || wanted_ < gap->written) break;
        skip_gap(harvest, gap->to, Status::not_found);
        lost = true;
        in_vain_ = !enter_ring(wanted_);
      }
      if (lost) return Status::not_found;
      // Only the log could have it, and has not: the ring would send us back there for ever.
      return where_ == Where::ring && only_log_has_it() ? Status::quarantined : Status::ok;
    }
    case LogChunk::Kind::gap:
      // The ring may still have the end of what is lost on disk.
      if (const auto oldest = oldest_boundary(view_);
          chunk.reason == Status::corrupt && oldest && oldest->offset > offset() &&
          oldest->offset < chunk.at.offset) {
        skip_gap(harvest, oldest->offset, chunk.reason);
        where_ = Where::unplaced;
        return chunk.reason;
      }
      skip_gap(harvest, chunk.at.offset, chunk.reason);
      where_ = Where::log;
      place_ = {chunk.at.position - base_, chunk.at.offset};
      chunk_ = {};
      return chunk.reason;
    case LogChunk::Kind::failed:
      in_vain_ = true;
      return chunk.reason;
  }
  return Status::ok;
}

LogEnd PartitionCursor::log_end() const noexcept {
  // Relaxed: a hint. Where producers wait for the device, all may be written, and not yet synced.
  const layout::BoardPartition& board = view_.board();
  const std::uint64_t tail = view_.tail().load(std::memory_order::relaxed);
  const bool rests = view_.codec().unpack(tail).position ==
                         board.written_position.load(std::memory_order::relaxed) &&
                     board.hold.load(std::memory_order::relaxed) !=
                         static_cast<std::uint32_t>(layout::Hold::disk_slow);
  return rests ? LogEnd::rests : LogEnd::moves;
}

Status PartitionCursor::collect_log(Harvest& harvest) noexcept {
  if (held_) let_go();
  RecordHeader header;
  if (!whole_record(chunk_, header)) {
    chunk_ = {};
    const Status joined = join_ring();
    if (joined == Status::ok) return collect_ring(harvest);
    if (joined == Status::corrupt) return joined;
    log_->expect(log_end());
    const Status status = take_chunk(log_->read(log_point()), harvest);
    if (status != Status::ok) return status;
  }
  static_cast<void>(take_records(harvest));
  return Status::ok;
}

/// From private memory, copied or verified. False when no whole record is left there.
bool PartitionCursor::take_records(Harvest& harvest) noexcept {
  std::span<const std::byte> left = chunk_;
  ring::Place at = place_;
  RecordView* to = harvest.records.free();
  const RecordView* const room = to + (harvest.records_max - harvest.records.size());
  while (to != room) {
    RecordHeader header;
    if (!whole_record(left, header)) {
      left = {};
      break;
    }
    if (wanted(header, at.offset)) [[likely]] {
      const std::byte* const body = left.data() + sizeof header;
      *to++ = view_of(header, body, at.offset, partition_);
    }
    left = left.subspan(layout::record_bytes(header));
    at.pass(header);
  }
  harvest.records.take_until(to);
  const bool any = at.position != place_.position;
  chunk_ = left;
  place_ = at;
  return any;
}

}  // namespace ringway
