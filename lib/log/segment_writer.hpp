#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "layout/record.hpp"
#include "log/compact_header.hpp"
#include "log/segment_format.hpp"
#include "log/segment_info.hpp"
#include "log/stream.hpp"
#include "storage/checksum.hpp"
#include "storage/file_system.hpp"
#include "storage/page_buffer.hpp"
#include "storage/write_engine.hpp"

namespace ringway::log {

/// When a new segment's file gets the name by which recovery and readers know it.
enum class Naming : unsigned char {
  at_once,
  later,  ///< take_name(): until then another one counts in its place
};

enum class WritePath : unsigned char {
  direct,    ///< past the page cache; through it where the file system refuses
  buffered,  ///< through the page cache
};

/// The appending side of one segment file: facts are noted record by record, then batches go out.
/// Owned by a PartitionLog and used by its thread. Nothing touches the disk before create(), and a
/// file is written by the one writer that created it. At most one batch and one sync are under way.
///
///   first <= durable <= written <= submitted <= noted <= capacity
///
/// Tail slots: a batch never overwrites the slot of the last durable state, of the state a sync
/// under way will make durable, nor of the last written state.
class SegmentWriter {
 public:
  /// `header` is complete but for its checksum.
  explicit SegmentWriter(const SegmentHeader& header);

  bool fits(std::uint64_t bytes) const noexcept {
    return noted_.position + bytes <= geometry_.capacity_end();
  }
  /// The record at noted(), which fits. Tens of millions a second.
  void note(const layout::RecordHeader& record) noexcept {
    if (noted_.position >= open_end_) close_blocks();
    if (open_.records == 0) open_.first_position = noted_.position;
    ++open_.records;
    ++records_;
    const std::uint64_t offsets = layout::record_offsets(record);
    if (record.kind == static_cast<std::uint8_t>(layout::RecordKind::data)) {
      note_time(record.timestamp_ns);
    }
    open_.offsets += offsets;
    noted_.offset += offsets;
    noted_.position += layout::record_bytes(record);
  }

  /// Makes the file, or a negative errno; then it may be tried again later. `recycled` is the path
  /// of a retired segment of this partition to reuse, or empty.
  int create(storage::FileSystem& file_system, const std::string& directory, WritePath path,
             const std::string& recycled, Naming naming);
  bool created() const noexcept { return created_; }
  /// Gives the file its name, durably. 0, or a negative errno.
  int take_name(storage::FileSystem& file_system);
  /// It has its name, though perhaps not after a loss of power: no other file has it any more.
  bool named() const noexcept { return named_; }
  /// It has its name for good: what is in it may be told.
  bool counts() const noexcept { return counts_; }
  /// Closes the file while nothing is under way; the next batch opens it again.
  void park() noexcept { file_.close(); }

  /// Nothing is under way and nothing waits to go out.
  bool drained() const noexcept { return idle() && durable_ == noted_; }
  bool idle() const noexcept { return !batch_ && !syncing_; }
  /// Nothing is written that a sync of the next batch alone would leave out.
  bool can_sync_with() const noexcept { return !syncing_ && written_ == durable_; }
  bool can_submit() const noexcept { return !batch_ && free_slot() < kTailSlots; }
  bool can_sync() const noexcept { return !syncing_ && written_ != durable_; }
  /// Everything is durable, and the file does not say so yet: a batch without records will.
  bool can_confirm() const noexcept { return created_ && drained() && durable_ != confirmed_; }

  /// Sends everything noted; the bytes from the first page on must lie in `stream` until wrote().
  /// A negative errno when there is no room: nothing was sent or changed. Needs can_submit().
  /// With `sync_token` it is synced, too, as by submit_sync(): needs can_sync_with().
  int submit(storage::FileSystem& file_system, storage::WriteEngine& engine, const Stream& stream,
             std::int64_t now_ns, std::uint64_t token, std::optional<std::uint64_t> sync_token);
  void wrote(int result) noexcept;
  int submit_sync(storage::FileSystem& file_system, storage::WriteEngine& engine,
                  std::uint64_t token);
  void synced(int result) noexcept;

  /// Gives back the space reserved behind the end. For a segment that is done with.
  void trim(storage::FileSystem& file_system) noexcept;

  LogPoint first() const noexcept { return first_; }
  /// Where the log ended when this segment was begun, and how far a sync had confirmed it.
  LogPoint predecessor_end() const noexcept { return predecessor_end_; }
  LogPoint predecessor_durable() const noexcept { return predecessor_durable_; }
  std::int64_t running_max_before() const noexcept { return running_max_before_; }
  LogPoint noted() const noexcept { return noted_; }
  LogPoint written() const noexcept { return written_; }
  LogPoint durable() const noexcept { return durable_; }
  /// The latest timestamp up to durable() or a little later: what a successor there starts from.
  std::int64_t durable_running_max() const noexcept { return durable_running_max_; }
  std::int64_t written_running_max() const noexcept { return written_running_max_; }
  bool is_direct(storage::FileSystem& file_system) const noexcept {
    return file_.is_open() && file_system.is_direct(file_.descriptor());
  }
  SegmentInfo info() const;

 private:
  /// The block that hashed_ is in, from the first batch on: thousands may wait for theirs.
  struct OpenBlock {
    explicit OpenBlock(std::uint64_t segment_id) noexcept : checksum(data_seed(segment_id)) {}

    storage::PageBuffer page{kPageBytes};  // what lies behind image_end_
    storage::RunningChecksum checksum;
  };
  struct Batch {
    LogPoint end;
    LogPoint durable;
    std::uint64_t slot;
    std::int64_t running_max;
    storage::PageBuffer slot_memory;
    storage::PageBuffer table_memory;
    storage::PageBuffer page_memory;
  };
  struct Sync {
    LogPoint end;
    std::uint64_t slot;
    std::int64_t running_max;
  };

  void note_time(std::int64_t time) noexcept {
    open_.time_min = open_.data_records == 0 ? time : std::min(open_.time_min, time);
    open_.time_max = std::max(open_.time_max, time);
    open_.running_max = std::max(open_.running_max, time);
    ++open_.data_records;
  }
  void close_blocks() noexcept;
  int open_file(storage::FileSystem& file_system);
  int make_file(storage::FileSystem& file_system, const std::string& path);
  int reserve(storage::FileSystem& file_system, std::uint64_t end) noexcept;
  std::uint64_t free_slot() const noexcept;
  void add_image(Batch& batch, const Stream& stream, std::int64_t now_ns,
                 std::vector<storage::WritePiece>& pieces);
  void copy_to_open_page(std::uint64_t end, const Stream& stream, std::int64_t now_ns);
  void hash(std::span<const std::byte> bytes, std::int64_t now_ns);
  void add_entries(Batch& batch, std::vector<storage::WritePiece>& pieces);
  void add_slot(Batch& batch, std::int64_t now_ns, std::vector<storage::WritePiece>& pieces);

  CompactHeader header_;
  std::uint64_t segment_id_;
  LogPoint first_;
  LogPoint predecessor_end_;
  LogPoint predecessor_durable_;
  std::int64_t running_max_before_;
  Geometry geometry_;
  std::string directory_;
  std::string path_;
  WritePath write_path_ = WritePath::direct;
  storage::File file_;
  bool created_ = false;
  bool named_ = false;
  bool counts_ = false;
  std::uint64_t reserved_bytes_ = 0;

  LogPoint noted_;
  LogPoint written_;
  LogPoint durable_;
  LogPoint confirmed_;  // the durable end that the last written slot names
  std::int64_t durable_running_max_;

  // The block that noted_ is in, and those closed behind it that await their checksum.
  BlockFacts open_;
  std::uint64_t open_end_;
  std::uint64_t records_ = 0;
  std::int64_t time_min_ = kNoTime;
  std::int64_t time_max_ = kNoTime;
  std::vector<BlockFacts> closed_;

  // What went out: whole pages up to image_end_, a copy of the page behind it and checksums up to
  // hashed_.
  std::uint64_t image_end_;
  std::uint64_t hashed_;
  std::unique_ptr<OpenBlock> open_block_;
  std::uint64_t hashed_blocks_ = 0;
  std::vector<BlockEntry> page_entries_;  // of the table page the next entry goes to
  std::vector<BlockEntry> new_entries_;
  std::int64_t written_at_ns_ = 0;

  std::uint64_t sequence_ = 0;
  std::uint64_t written_slot_ = kTailSlots;  // none
  std::uint64_t durable_slot_ = kTailSlots;
  std::int64_t written_running_max_;
  std::optional<Batch> batch_;
  std::optional<Sync> syncing_;
};

}  // namespace ringway::log
