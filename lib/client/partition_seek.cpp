// Where a cursor goes: where start points lie, and what has the wanted offset, ring or log. How far
// it is behind.

#include <algorithm>

#include "client/boundary_table.hpp"
#include "client/partition_cursor.hpp"

namespace ringway {

using layout::RecordHeader;
using layout::TopicMode;

std::uint64_t PartitionCursor::first_offset() const noexcept {
  return view_.board().first_offset.load(std::memory_order::acquire);
}

PartitionCursor::Target PartitionCursor::resolve(const StartPoint& to) noexcept {
  switch (to.kind) {
    case StartPoint::Kind::start:
      return {Status::ok, first_offset()};
    case StartPoint::Kind::end:
      return {Status::ok, walk_.offset()};
    case StartPoint::Kind::offset:
      if (to.offset > walk_.offset()) return {Status::beyond_end};
      if (to.offset < first_offset()) return {Status::not_found};
      return {Status::ok, to.offset};
    case StartPoint::Kind::timestamp:
      break;
  }
  Target target{Status::ok, first_offset(), to.timestamp_ns};
  if (mode_ != TopicMode::persisted) return target;
  const TimePlace place = log_->find_time(to.timestamp_ns);
  chunk_ = {};  // it was the log source's
  target.status = place.status;
  if (place.offset) {
    target.offset = std::max(target.offset, *place.offset);
  } else if (const auto oldest = oldest_boundary(view_)) {
    // It starts in the ring, or is yet to come.
    target.offset = std::max(target.offset, oldest->offset);
  }
  return target;
}

void PartitionCursor::go_to(const Target& target) noexcept {
  unpin();
  place_at(target);
}

void PartitionCursor::place_at(const Target& target) noexcept {
  where_ = Where::unplaced;
  held_ = false;
  place_ = {0, 0};
  chunk_ = {};
  in_vain_ = false;
  wanted_ = target.offset;
  not_before_ns_ = target.not_before_ns;
  // Who blocks producers holds its place from now on, not only from its first poll on.
  if (mode_ == TopicMode::memory_block) static_cast<void>(enter_ring(wanted_));
  show_offset();
}

void PartitionCursor::follow(const PartitionCursor& before) noexcept {
  const Target target{Status::ok, before.offset(), before.not_before_ns_};
  if (keeps_pin_) {
    follow_from_beginning(target);
  } else {
    place_at(target);
  }
  // What was committed last may not have been seen by the supervisor that went away.
  committed_ = before.committed_;
  slot_->committed.store(committed_, std::memory_order::release);
}

void PartitionCursor::mapped_anew(const ring::PartitionView& view) noexcept {
  view_ = view;
  reader_ = {view, *slot_};
  walk_ = CommittedWalk(view);
  pages_lost_ = 0;
}

/// The whole ring is pinned: however far ahead it is announced for reuse by now, nothing of it was
/// reused.
void PartitionCursor::follow_from_beginning(const Target& target) noexcept {
  const std::uint64_t announced = view_.announced().load(std::memory_order::acquire);
  ring::Place place{0, base_offset_};
  RecordHeader header;
  while (place.offset < target.offset && place.position < announced &&
         ring::peek(view_, place.position, header) == ring::Found::record) {
    place.pass(header);
  }
  where_ = Where::ring;
  place_ = place;
  wanted_ = target.offset;
  not_before_ns_ = target.not_before_ns;
  let_go();
  show_offset();
}

/// Finds the place of an offset in the ring and holds it. False when the ring does not have it.
bool PartitionCursor::enter_ring(std::uint64_t offset) noexcept {
  const auto boundary =
      latest_boundary(view_, [&](const ring::Place& place) { return place.offset <= offset; });
  if (!boundary) return false;
  const std::uint64_t announced = hold(boundary->position);
  if (announced == 0) return false;
  ring::Place place = *boundary;
  RecordHeader header;
  while (place.offset < offset && place.position < announced &&
         ring::peek(view_, place.position, header) == ring::Found::record) {
    place.pass(header);
  }
  const bool there = place.offset >= offset && place.position <= reader_.end() &&
                     (pins() || reader_.still_there(boundary->position));
  if (there) {
    place_ = place;
    where_ = Where::ring;
  }
  let_go();
  return there;
}

/// The log has brought the cursor to where the ring may have it. ok: it is in the ring.
Status PartitionCursor::join_ring() noexcept {
  if (base_ + place_.position < base_ || !in_window(view_, place_.position) || only_log_has_it()) {
    return Status::not_found;
  }
  // In memory only a ring runs ahead of its log. When it is lost its positions come again, but not
  // its offsets: what the log tells of is its successor's.
  if (place_.offset - base_offset_ >= view_.codec().offsets_end()) return Status::not_found;
  const auto boundary = latest_boundary(
      view_, [&](const ring::Place& place) { return place.position <= place_.position; });
  if (!boundary) return Status::not_found;
  const std::uint64_t announced = hold(boundary->position);
  if (announced == 0) return Status::not_found;
  ring::Place place = *boundary;
  RecordHeader header;
  while (place.position < place_.position && place.position < announced &&
         ring::peek(view_, place.position, header) == ring::Found::record) {
    place.pass(header);
  }
  Status status = Status::not_found;
  if (place.position >= place_.position && place.position <= reader_.end() &&
      (pins() || reader_.still_there(boundary->position))) {
    status = place == place_ ? Status::ok : Status::corrupt;
  }
  if (status == Status::ok) where_ = Where::ring;
  let_go();
  return status;
}

/// Finds the wanted offset anew: in the ring, else in the log, else behind a gap.
Status PartitionCursor::place_in_ring_or_log(Harvest& harvest) noexcept {
  const Status lost = mode_ == TopicMode::memory_overwrite ? Status::lapped : Status::not_found;
  wanted_ = offset();
  place_ = {0, 0};
  const std::uint64_t first = first_offset();
  Status status = Status::ok;
  if (wanted_ < first) {
    skip_gap(harvest, first, lost);
    status = lost;
  }
  if (enter_ring(wanted_)) return status;
  if (mode_ == TopicMode::persisted) {
    const Status taken = take_chunk(log_->read_offset(wanted_), harvest);
    return taken == Status::ok ? status : taken;
  }
  // The oldest that will not be gone at once.
  std::optional<ring::Place> oldest;
  const std::uint64_t margin = mode_ == TopicMode::memory_overwrite ? view_.ring_bytes() / 4 : 0;
  static_cast<void>(latest_boundary(view_, [&](const ring::Place& place) {
    if (oldest && !in_window(view_, place.position - margin)) return true;
    oldest = place;
    return false;
  }));
  if (!oldest) {
    // All of it was announced for reuse: only what is to come can be read.
    const ring::Place newest = walk_.place();
    if (newest.offset <= wanted_ || hold(newest.position) == 0) return status;
    skip_gap(harvest, newest.offset, lost);
    place_ = newest;
    where_ = Where::ring;
    let_go();
    return lost;
  }
  if (oldest->offset <= wanted_) return status;
  skip_gap(harvest, oldest->offset, lost);
  static_cast<void>(enter_ring(wanted_));
  return lost;
}

Lag PartitionCursor::lag() noexcept {
  const std::uint64_t committed = walk_.offset();
  Lag lag;
  if (committed <= offset()) return lag;
  lag.records = committed - offset();
  if (where_ == Where::unplaced && !enter_ring(offset()) && log_) {
    const LogChunk chunk = log_->read_offset(offset());
    if (chunk.kind == LogChunk::Kind::records) {
      where_ = Where::log;
      place_ = {chunk.at.position - base_, chunk.at.offset};
      chunk_ = chunk.bytes;
    }
  }
  if (where_ != Where::unplaced) lag.bytes = walk_.place().position - place_.position;
  return lag;
}

}  // namespace ringway
