#include "log/segment_writer.hpp"

#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "log/segment_name.hpp"

namespace ringway::log {
namespace {

constexpr std::uint64_t kReserveStepMin = 256 * 1024;
constexpr std::uint64_t kReserveStepMax = 16 * 1024 * 1024;
constexpr std::uint64_t kEntriesPerPage = kPageBytes / sizeof(BlockEntry);

BlockFacts fresh_facts(LogPoint at, std::int64_t running_max) noexcept {
  BlockFacts facts{};
  facts.first_position = kNoBoundary;
  facts.first_offset = at.offset;
  facts.time_min = kNoTime;
  facts.time_max = kNoTime;
  facts.running_max = running_max;
  return facts;
}

}  // namespace

SegmentWriter::SegmentWriter(const SegmentHeader& header)
    : header_(header),
      segment_id_(header.segment_id),
      first_{header.first_position, header.base_offset},
      predecessor_end_(log::predecessor_end(header)),
      predecessor_durable_(log::predecessor_durable(header)),
      running_max_before_(header.running_max_before),
      geometry_(header),
      noted_(first_),
      written_(noted_),
      durable_(noted_),
      confirmed_(noted_),
      durable_running_max_(header.running_max_before),
      open_(fresh_facts(noted_, header.running_max_before)),
      open_end_(geometry_.block_end(0)),
      image_end_(header.base_position),
      hashed_(header.base_position),
      written_running_max_(header.running_max_before) {}

int SegmentWriter::create(storage::FileSystem& file_system, const std::string& directory,
                          WritePath path, const std::string& recycled, Naming naming) {
  const std::string unborn = directory + "/" + unborn_name(first_.offset);
  directory_ = directory;
  path_ = unborn;
  write_path_ = path;
  // First, whoever made it: nothing is put into a directory before that is durable.
  int result = file_system.make_directories(directory);
  if (result < 0) return result;
  if (!recycled.empty()) {
    const int renamed = file_system.rename(recycled, unborn);
    if (renamed < 0 && renamed != -ENOENT) return renamed;  // an earlier try may have used it up
    // Nothing of its new life may be found under its old name.
    if (renamed == 0) result = file_system.sync_directory(directory);
  }
  if (result == 0) result = make_file(file_system, unborn);
  if (result == 0 && naming == Naming::at_once) result = take_name(file_system);
  if (result < 0) {
    file_.close();
    file_system.remove(unborn);
    return result;
  }
  created_ = true;
  return 0;
}

int SegmentWriter::take_name(storage::FileSystem& file_system) {
  const std::string name = directory_ + "/" + segment_name(first_.offset);
  if (const int result = file_system.rename(path_, name); result < 0) return result;
  named_ = true;
  path_ = name;
  const int result = file_system.sync_directory(directory_);
  counts_ = result == 0;
  return result;
}

int SegmentWriter::make_file(storage::FileSystem& file_system, const std::string& path) {
  using storage::OpenMode;
  int descriptor = file_system.open(
      path, write_path_ == WritePath::direct ? OpenMode::create_direct : OpenMode::create);
  if (descriptor == -EINVAL && write_path_ == WritePath::direct) {
    write_path_ = WritePath::buffered;
    descriptor = file_system.open(path, OpenMode::create);
  }
  if (descriptor < 0) return descriptor;
  file_ = storage::File(file_system, descriptor);
  reserved_bytes_ = 0;
  if (const int result = reserve(file_system, geometry_.base_position); result < 0) return result;
  storage::PageBuffer page(kPageBytes);
  new (page.data()) SegmentHeader(header_.whole());
  if (const int result = file_system.write(descriptor, page.span(), 0); result < 0) return result;
  return file_system.sync(descriptor);
}

int SegmentWriter::open_file(storage::FileSystem& file_system) {
  if (file_.is_open()) return 0;
  using storage::OpenMode;
  const int descriptor = file_system.open(
      path_, write_path_ == WritePath::direct ? OpenMode::write_direct : OpenMode::write);
  if (descriptor < 0) return descriptor;
  file_ = storage::File(file_system, descriptor);
  return 0;
}

int SegmentWriter::reserve(storage::FileSystem& file_system, std::uint64_t end) noexcept {
  const std::uint64_t wanted = geometry_.file_pos(page_ceil(end));
  if (wanted <= reserved_bytes_) return 0;
  // Ahead by what is there already, so that idle topics stay small and busy ones seldom ask.
  const std::uint64_t ahead = std::clamp(reserved_bytes_, kReserveStepMin, kReserveStepMax);
  std::uint64_t target = std::min(wanted + ahead, geometry_.file_pos(geometry_.capacity_end()));
  int result = file_system.reserve(file_.descriptor(), target);
  if (result == -ENOSPC && target > wanted) {
    target = wanted;
    result = file_system.reserve(file_.descriptor(), target);
  }
  if (result == 0) reserved_bytes_ = target;
  return result;
}

void SegmentWriter::close_blocks() noexcept {
  while (noted_.position >= open_end_) {
    if (open_.data_records > 0) {
      time_min_ = time_min_ == kNoTime ? open_.time_min : std::min(time_min_, open_.time_min);
      time_max_ = std::max(time_max_, open_.time_max);
    }
    closed_.push_back(open_);
    open_ = fresh_facts(noted_, open_.running_max);
    open_end_ += geometry_.block_bytes;
  }
}

std::uint64_t SegmentWriter::free_slot() const noexcept {
  for (std::uint64_t slot = 0; slot < kTailSlots; ++slot) {
    if (slot != written_slot_ && slot != durable_slot_ && !(syncing_ && syncing_->slot == slot)) {
      return slot;
    }
  }
  return kTailSlots;
}

int SegmentWriter::submit(storage::FileSystem& file_system, storage::WriteEngine& engine,
                          const Stream& stream, std::int64_t now_ns, std::uint64_t token,
                          std::optional<std::uint64_t> sync_token) {
  assert(created_ && can_submit() && (!sync_token || can_sync_with()));
  if (const int result = open_file(file_system); result < 0) return result;
  if (const int result = reserve(file_system, noted_.position); result < 0) return result;
  if (!open_block_) open_block_ = std::make_unique<OpenBlock>(segment_id_);
  close_blocks();
  written_at_ns_ = now_ns;
  batch_.emplace();
  batch_->end = noted_;
  batch_->durable = durable_;
  batch_->slot = free_slot();
  batch_->running_max = open_.running_max;

  std::vector<storage::WritePiece> pieces;
  add_image(*batch_, stream, now_ns, pieces);
  add_entries(*batch_, pieces);
  add_slot(*batch_, now_ns, pieces);
  if (sync_token) {
    syncing_ = Sync{batch_->end, batch_->slot, batch_->running_max};
    engine.submit_synced_writes(file_.descriptor(), pieces, token, *sync_token);
  } else {
    engine.submit_writes(file_.descriptor(), pieces, token);
  }
  return 0;
}

/// Whole pages go out of the ring, but for one that a tail slot has the beginning of: what is done
/// to the ring afterwards must not change what was made durable.
void SegmentWriter::add_image(Batch& batch, const Stream& stream, std::int64_t now_ns,
                              std::vector<storage::WritePiece>& pieces) {
  const std::uint64_t image_end = page_floor(batch.end.position);
  if (image_end > image_end_ && hashed_ > image_end_) {
    copy_to_open_page(image_end_ + kPageBytes, stream, now_ns);
    batch.page_memory = std::exchange(open_block_->page, storage::PageBuffer(kPageBytes));
    pieces.push_back(
        {batch.page_memory.data(), batch.page_memory.size(), geometry_.file_pos(image_end_)});
    image_end_ += kPageBytes;
  }
  std::uint64_t file_pos = geometry_.file_pos(image_end_);
  for (const auto span : stream.spans(image_end_, image_end)) {
    if (!span.empty()) pieces.push_back({span.data(), span.size(), file_pos});
    file_pos += span.size();
    hash(span, now_ns);
  }
  image_end_ = image_end;
  copy_to_open_page(batch.end.position, stream, now_ns);
}

void SegmentWriter::copy_to_open_page(std::uint64_t end, const Stream& stream,
                                      std::int64_t now_ns) {
  std::byte* const to = open_block_->page.data() + (hashed_ - image_end_);
  const auto from = stream.spans(hashed_, end)[0];  // a page never wraps
  if (from.empty()) return;
  std::memcpy(to, from.data(), from.size());
  hash({to, from.size()}, now_ns);
}

void SegmentWriter::hash(std::span<const std::byte> bytes, std::int64_t now_ns) {
  while (!bytes.empty()) {
    const std::uint64_t block_end = geometry_.block_end(hashed_blocks_);
    const auto part = bytes.first(std::min(bytes.size(), block_end - hashed_));
    open_block_->checksum.add(part);
    hashed_ += part.size();
    bytes = bytes.subspan(part.size());
    if (hashed_ < block_end) return;
    BlockEntry entry{};
    entry.facts = closed_[new_entries_.size()];
    entry.facts.written_at_ns = now_ns;
    entry.index = hashed_blocks_++;
    entry.data_checksum = open_block_->checksum.value();
    entry.durable_position = durable_.position;
    entry.durable_offset = durable_.offset;
    entry.checksum = checksum_of(entry, entry_seed(segment_id_, entry.index));
    new_entries_.push_back(entry);
    open_block_->checksum.restart(data_seed(segment_id_));
  }
}

void SegmentWriter::add_entries(Batch& batch, std::vector<storage::WritePiece>& pieces) {
  if (new_entries_.empty()) return;
  // Earlier entries of the page are repeated byte for byte: a torn page leaves them as they were.
  const std::uint64_t page = new_entries_.front().index / kEntriesPerPage;
  page_entries_.insert(page_entries_.end(), new_entries_.begin(), new_entries_.end());
  closed_.erase(closed_.begin(),
                closed_.begin() + static_cast<std::ptrdiff_t>(new_entries_.size()));
  new_entries_.clear();
  const std::uint64_t pages = Geometry::table_pages(page_entries_.size());
  batch.table_memory = storage::PageBuffer(pages * kPageBytes);
  std::memcpy(batch.table_memory.data(), page_entries_.data(),
              page_entries_.size() * sizeof(BlockEntry));
  pieces.push_back({batch.table_memory.data(), batch.table_memory.size(),
                    geometry_.entry_file_pos(page * kEntriesPerPage)});
  const std::uint64_t whole = page_entries_.size() / kEntriesPerPage * kEntriesPerPage;
  page_entries_.erase(page_entries_.begin(),
                      page_entries_.begin() + static_cast<std::ptrdiff_t>(whole));
}

void SegmentWriter::add_slot(Batch& batch, std::int64_t now_ns,
                             std::vector<storage::WritePiece>& pieces) {
  batch.slot_memory = storage::PageBuffer(sizeof(TailSlot));
  auto& slot = *new (batch.slot_memory.data()) TailSlot{};
  std::memcpy(slot.page, open_block_->page.data(), batch.end.position - image_end_);
  slot.sequence = ++sequence_;
  slot.end_position = batch.end.position;
  slot.end_offset = batch.end.offset;
  slot.block_index = hashed_blocks_;
  slot.facts = open_;
  slot.facts.written_at_ns = now_ns;
  slot.data_checksum = open_block_->checksum.value();
  slot.durable_position = durable_.position;
  slot.durable_offset = durable_.offset;
  const SegmentInfo now = info();
  slot.records = records_;
  slot.time_min = now.time_min;
  slot.time_max = now.time_max;
  slot.checksum = checksum_of(slot, slot_seed(segment_id_));
  pieces.push_back(
      {batch.slot_memory.data(), batch.slot_memory.size(), geometry_.slot_file_pos(batch.slot)});
}

void SegmentWriter::wrote(int result) noexcept {
  if (result == 0) {
    written_ = batch_->end;
    confirmed_ = batch_->durable;
    written_slot_ = batch_->slot;
    written_running_max_ = batch_->running_max;
  }
  batch_.reset();
}

int SegmentWriter::submit_sync(storage::FileSystem& file_system, storage::WriteEngine& engine,
                               std::uint64_t token) {
  assert(can_sync());
  if (const int result = open_file(file_system); result < 0) return result;
  syncing_ = Sync{written_, written_slot_, written_running_max_};
  engine.submit_sync(file_.descriptor(), token);
  return 0;
}

void SegmentWriter::synced(int result) noexcept {
  if (result == 0) {
    durable_ = syncing_->end;
    durable_slot_ = syncing_->slot;
    durable_running_max_ = syncing_->running_max;
  }
  syncing_.reset();
}

void SegmentWriter::trim(storage::FileSystem& file_system) noexcept {
  if (open_file(file_system) < 0) return;
  const std::uint64_t bytes = geometry_.file_pos(image_end_);
  // Only space is at stake: what is not given back now goes with the segment.
  if (file_system.truncate(file_.descriptor(), bytes) == 0) reserved_bytes_ = bytes;
}

SegmentInfo SegmentWriter::info() const {
  SegmentInfo info;
  info.name = segment_name(first_.offset);
  info.base_position = geometry_.base_position;
  info.first = first();
  info.end = written_;
  info.predecessor_end = predecessor_end_;
  info.predecessor_durable = predecessor_durable_;
  info.time_min = time_min_;
  info.time_max = std::max(time_max_, open_.time_max);
  if (open_.data_records > 0) {
    info.time_min = time_min_ == kNoTime ? open_.time_min : std::min(time_min_, open_.time_min);
  }
  info.running_max = open_.running_max;
  info.written_at_ns = written_at_ns_;
  info.file_bytes = reserved_bytes_;
  return info;
}

}  // namespace ringway::log
