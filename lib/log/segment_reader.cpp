#include "log/segment_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "ringway/error.hpp"

namespace ringway::log {
namespace {

constexpr int kAttempts = 3;  // a live writer may be overwriting what is being read

SegmentHeader read_header(storage::FileSystem& file_system, const storage::File& file) {
  SegmentHeader header{};
  const std::int64_t got =
      file_system.read(file.descriptor(), std::as_writable_bytes(std::span(&header, 1)), 0);
  if (got < 0) throw ReadRefused(static_cast<int>(-got), "read of the header");
  if (got < static_cast<std::int64_t>(sizeof header)) {
    throw Error(ErrorCode::failed, "segment", "shorter than its header", "");
  }
  if (const char* defect = header_defect(header)) {
    throw Error(is_of_later_version(header) ? ErrorCode::incompatible : ErrorCode::failed,
                "segment", defect, "");
  }
  return header;
}

}  // namespace

SegmentReader::SegmentReader(storage::FileSystem& file_system, storage::File file, TableRead table)
    : file_system_(file_system),
      file_(std::move(file)),
      header_(read_header(file_system, file_)),
      geometry_(header_),
      durable_(first()),
      limit_{kNoBoundary, kNoBoundary} {
  int result = read_slots();
  if (result == 0 && table == TableRead::now) result = read_table(geometry_.table_entries);
  if (result < 0) throw ReadRefused(-result, "read of the block table");
}

void SegmentReader::limit_to(LogPoint end) noexcept {
  limit_ = end;
  if (end.position > durable_.position) durable_ = end;
}

void SegmentReader::trust_durable(LogPoint durable) noexcept {
  if (durable.position > durable_.position && durable.position <= geometry_.capacity_end()) {
    durable_ = durable;
  }
}

int SegmentReader::refresh() noexcept {
  if (const int result = read_slots(); result < 0) return result;
  // Entries behind the newest slot belong to a batch under way.
  const std::uint64_t known = slot_count_ > 0 ? slots_[0].block_index : geometry_.table_entries;
  return read_table(std::min(known, geometry_.table_entries));
}

int SegmentReader::read_slots() noexcept {
  std::array<TailSlot, kTailSlots> raw;
  const std::int64_t got = file_system_.read(
      file_.descriptor(), std::as_writable_bytes(std::span(raw)), geometry_.slot_file_pos(0));
  if (got < 0) return static_cast<int>(got);
  const auto whole = static_cast<std::size_t>(got) / sizeof(TailSlot);
  slot_count_ = 0;
  slots_sound_ = whole == raw.size();
  for (const TailSlot& slot : std::span(raw).first(whole)) {
    if (slot.checksum != checksum_of(slot, slot_seed(header_.segment_id)) ||
        slot.end_position < header_.first_position ||
        slot.end_position > geometry_.capacity_end() ||
        slot.block_index != geometry_.block_of(slot.end_position)) {
      slots_sound_ = slots_sound_ && slot.sequence == 0 && slot.checksum == 0;
      continue;
    }
    slots_[slot_count_++] = slot;
    trust_durable({slot.durable_position, slot.durable_offset});
  }
  std::sort(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(slot_count_),
            [](const TailSlot& a, const TailSlot& b) { return a.sequence > b.sequence; });
  return 0;
}

int SegmentReader::read_table(std::uint64_t entries_end) {
  std::uint64_t begin = 0;
  while (begin < table_.size() && has_entry(begin)) ++begin;
  if (begin >= entries_end) return 0;
  // Most of a table is empty: not worth memory of its own.
  std::array<BlockEntry, 128> raw;
  for (std::uint64_t index = begin; index < entries_end;) {
    const auto wanted = std::span(raw).first(std::min(raw.size(), entries_end - index));
    const std::int64_t got = file_system_.read(file_.descriptor(), std::as_writable_bytes(wanted),
                                               geometry_.entry_file_pos(index));
    if (got < 0) return static_cast<int>(got);
    const auto whole = static_cast<std::size_t>(got) / sizeof(BlockEntry);
    for (const BlockEntry& entry : wanted.first(whole)) take_entry(index++, entry);
    if (whole < wanted.size()) break;
  }
  return 0;
}

void SegmentReader::take_entry(std::uint64_t index, const BlockEntry& entry) {
  const BlockFacts& facts = entry.facts;
  const bool sound = entry.index == index &&
                     entry.checksum == checksum_of(entry, entry_seed(header_.segment_id, index)) &&
                     (facts.first_position == kNoBoundary ||
                      (facts.first_position >= geometry_.block_start(index) &&
                       facts.first_position < geometry_.block_end(index)));
  if (!sound || has_entry(index)) return;
  if (index >= table_.size()) {
    BlockEntry unknown{};
    unknown.index = kNoBoundary;
    table_.resize(index + 1, unknown);
  }
  table_[index] = entry;
  trust_durable({entry.durable_position, entry.durable_offset});
}

bool SegmentReader::has_entry(std::uint64_t index) const noexcept {
  return index < table_.size() && table_[index].index == index;
}

std::vector<const BlockEntry*> SegmentReader::entries() const {
  std::vector<const BlockEntry*> sound;
  for (std::uint64_t index = 0; index < table_.size(); ++index) {
    if (has_entry(index)) sound.push_back(&table_[index]);
  }
  return sound;
}

LogPoint SegmentReader::end() const noexcept {
  LogPoint end = durable_;
  if (slot_count_ > 0 && slots_[0].end_position > end.position) {
    end = {slots_[0].end_position, slots_[0].end_offset};
  }
  return end.position > limit_.position ? limit_ : end;
}

LogPoint SegmentReader::find_offset(std::uint64_t offset) const noexcept {
  LogPoint best = first();
  const auto consider = [&](const BlockFacts& facts) {
    if (facts.first_position != kNoBoundary && facts.first_offset <= offset &&
        facts.first_position > best.position && facts.first_position < limit_.position) {
      best = {facts.first_position, facts.first_offset};
    }
  };
  for (std::uint64_t index = table_.size(); index-- > 0 && best == first();) {
    if (has_entry(index)) consider(table_[index].facts);
  }
  for (const TailSlot& slot : slots()) consider(slot.facts);
  return best;
}

void SegmentReader::check_base_offset(std::uint64_t base_offset) const {
  if (header_.base_offset == base_offset) return;
  throw Error(ErrorCode::failed, "segment", "its name is another segment's", "");
}

void SegmentReader::check_owner(std::span<const std::uint8_t, 16> topic_uuid,
                                std::uint32_t partition) const {
  if (header_.partition == partition && std::ranges::equal(topic_uuid, header_.topic_uuid)) return;
  throw Error(ErrorCode::failed, "segment", "belongs to another topic or partition", "");
}

bool SegmentReader::begins_at_or_after(std::int64_t timestamp_ns) const noexcept {
  return header_.running_max_before != kNoTime && header_.running_max_before >= timestamp_ns;
}

LogPoint SegmentReader::find_time(std::int64_t timestamp_ns) const noexcept {
  if (begins_at_or_after(timestamp_ns)) return first();
  // What the blocks since that boundary hold is not known: their entries do not verify.
  std::optional<LogPoint> unknown_since;
  LogPoint last = first();
  for (std::uint64_t index = 0; index < table_.size(); ++index) {
    const BlockFacts& facts = table_[index].facts;
    if (!has_entry(index)) {
      if (!unknown_since) unknown_since = last;
      continue;
    }
    if (facts.first_position == kNoBoundary) continue;
    const LogPoint here{facts.first_position, facts.first_offset};
    if (facts.data_records > 0 && facts.running_max >= timestamp_ns) {
      return unknown_since.value_or(here);
    }
    last = here;
    unknown_since.reset();  // all before it is older
  }
  // Not in a complete block: behind the last boundary that any of them knows.
  for (const TailSlot& slot : slots()) {
    if (slot.facts.first_position != kNoBoundary && slot.facts.running_max >= timestamp_ns) {
      return unknown_since.value_or(LogPoint{slot.facts.first_position, slot.facts.first_offset});
    }
  }
  return find_offset(end().offset);
}

ReadStatus SegmentReader::load(LogPoint at, Run& run) {
  hole_ = {at, at, 0};
  if (at.position < header_.first_position || at.position >= limit_.position ||
      at.position >= geometry_.capacity_end()) {
    return ReadStatus::end;
  }
  const std::uint64_t block = geometry_.block_of(at.position);
  if (at.position < buffer_start_ || at.position >= buffer_end_) {
    buffer_start_ = buffer_end_ = geometry_.block_start(block);
    if (!extend(at.position)) return refuse(at, block);
  }
  layout::RecordHeader header;
  if (buffer_end_ - at.position < sizeof header) return refuse(at, block);  // no place of a record
  std::memcpy(&header, buffer_.data() + (at.position - buffer_start_), sizeof header);
  const std::uint64_t stop = std::min(limit_.position, geometry_.capacity_end());
  if (!layout::plausible(header, stop - at.position)) return refuse(at, block);
  while (at.position + layout::record_bytes(header) > buffer_end_) {
    discard_before(at.position);
    const std::uint64_t next = geometry_.block_of(buffer_end_);
    if (!extend(buffer_end_)) return refuse(at, next);
  }
  run.from = at;
  run.bytes = {buffer_.data() + (at.position - buffer_start_),
               std::min(buffer_end_, stop) - at.position};
  return ReadStatus::ok;
}

/// Verifies the block that buffer_end_ is in, so that the byte at `wanted` is held afterwards. What
/// was held of an open block is read again with it. On failure nothing is held any more.
bool SegmentReader::extend(std::uint64_t wanted) {
  const std::uint64_t index = geometry_.block_of(buffer_end_);
  if (index < geometry_.table_entries) {
    make_room(geometry_.block_start(index) + geometry_.block_bytes);
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      hole_.error = 0;
      if (attempt > 0 || !has_entry(index)) hole_.error = refresh();
      // An entry whose data never came may stand beside a slot that holds for a part of the block.
      buffer_end_ = geometry_.block_start(index);
      const bool verified =
          (has_entry(index) && read_complete_block(index)) || read_open_block(index);
      if (verified && buffer_end_ > wanted) return true;
    }
  }
  buffer_end_ = buffer_start_;
  return false;
}

bool SegmentReader::read_complete_block(std::uint64_t index) {
  const std::uint64_t start = geometry_.block_start(index);
  const std::int64_t got = read_data(start, geometry_.block_bytes);
  if (got < 0) hole_.error = static_cast<int>(got);
  if (got != static_cast<std::int64_t>(geometry_.block_bytes)) return false;
  const std::span block(buffer_.data() + (start - buffer_start_), geometry_.block_bytes);
  if (storage::checksum(block, data_seed(header_.segment_id)) != table_[index].data_checksum) {
    return false;
  }
  buffer_end_ = start + geometry_.block_bytes;
  return true;
}

bool SegmentReader::read_open_block(std::uint64_t index) {
  const std::uint64_t start = geometry_.block_start(index);
  for (const TailSlot& slot : slots()) {
    if (slot.block_index != index || slot.end_position == start) continue;
    const std::uint64_t page = page_floor(slot.end_position);
    const std::int64_t got = page == start ? 0 : read_data(start, page - start);
    if (got < 0) hole_.error = static_cast<int>(got);
    if (got != static_cast<std::int64_t>(page - start)) continue;
    std::byte* block = buffer_.data() + (start - buffer_start_);
    if (slot.end_position > page) {
      std::memcpy(block + (page - start), slot.page, slot.end_position - page);
    }
    if (storage::checksum({block, slot.end_position - start}, data_seed(header_.segment_id)) ==
        slot.data_checksum) {
      buffer_end_ = slot.end_position;
      return true;
    }
  }
  return false;
}

std::int64_t SegmentReader::read_data(std::uint64_t position, std::uint64_t bytes) {
  return file_system_.read(file_.descriptor(), {buffer_.data() + (position - buffer_start_), bytes},
                           geometry_.file_pos(position));
}

void SegmentReader::make_room(std::uint64_t end) {
  const std::uint64_t wanted = end - buffer_start_;
  if (wanted <= buffer_.size()) return;
  storage::PageBuffer larger(std::max<std::uint64_t>(wanted, 2 * buffer_.size()));
  if (buffer_end_ > buffer_start_) {
    std::memcpy(larger.data(), buffer_.data(), buffer_end_ - buffer_start_);
  }
  buffer_ = std::move(larger);
}

/// Of a complete block only the end is wanted still; an open one is read again from its start.
/// Whole pages, so that what is read behind them stays aligned.
void SegmentReader::discard_before(std::uint64_t position) noexcept {
  const std::uint64_t open = geometry_.block_start(geometry_.block_of(buffer_end_));
  const std::uint64_t start = std::min(page_floor(position), open);
  if (start <= buffer_start_) return;
  std::memmove(buffer_.data(), buffer_.data() + (start - buffer_start_), buffer_end_ - start);
  buffer_start_ = start;
}

/// Below the durable position what cannot be had is a hole; behind it the log just ends here.
ReadStatus SegmentReader::refuse(LogPoint at, std::uint64_t bad_block) noexcept {
  if (at.position < durable_.position) {
    settle_hole(bad_block);
    return hole_.error < 0 ? ReadStatus::io_error : ReadStatus::hole;
  }
  return hole_.error < 0 ? ReadStatus::io_error : ReadStatus::end;
}

/// It goes up to the first boundary behind the block that anybody knows.
void SegmentReader::settle_hole(std::uint64_t bad_block) noexcept {
  const auto goes_on = [&](std::uint64_t index, const BlockFacts& facts) {
    if (index <= bad_block || facts.first_position == kNoBoundary) return false;
    hole_.to = {facts.first_position, facts.first_offset};
    hole_.end_block = index;
    return true;
  };
  bool found = false;
  for (std::uint64_t next = bad_block + 1; !found && next < table_.size(); ++next) {
    found = has_entry(next) && goes_on(next, table_[next].facts);
  }
  for (std::size_t slot = 0; !found && slot < slot_count_; ++slot) {
    found = goes_on(slots_[slot].block_index, slots_[slot].facts);
  }
  const LogPoint end = durable_.position > limit_.position ? limit_ : durable_;
  if (!found || hole_.to.position > limit_.position) {
    hole_.to = end;
    hole_.end_block = geometry_.block_of(end.position - 1) + 1;
  }
  hole_.first_block = bad_block;
  hole_.known = is_known_hole();
}

bool SegmentReader::is_known_hole() const noexcept {
  for (std::uint64_t index = hole_.first_block; index < hole_.end_block; ++index) {
    const bool has = has_entry(index);
    if (!has || (table_[index].lost == 0 && index == hole_.first_block)) return false;
  }
  return hole_.first_block < hole_.end_block;
}

}  // namespace ringway::log
