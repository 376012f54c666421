#pragma once

// How a segment is read (any thread, one at a time per reader):
//
//   SegmentReader reader(file_system, storage::File(file_system, descriptor_from_supervisor));
//   reader.limit_to(info.end);                // a sealed segment: it ends exactly there
//   reader.trust_durable(board.durable);      // the one being written: what must be readable
//   SegmentWalk walk(reader);
//   walk.go_to(reader.find_offset(wanted));   // or find_time(); what is wanted comes from there on
//   Record record;
//   switch (walk.next(record)) {
//     case ReadStatus::ok:       use record.header, record.body, record.at; pass over skips
//     case ReadStatus::end:      nothing further in this segment now: the next one, the ring, or
//                                later again
//     case ReadStatus::hole:     reader.hole() is lost for good: count it, walk.go_to(hole.to)
//     case ReadStatus::io_error: reader.hole().error says what the device said; the same choice
//   }
//
// record.body stays as it is until the next call of next() or load() on this reader: who hands out
// several records at once takes all of one run (load()) and walks it without further loads.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "layout/record.hpp"
#include "log/segment_format.hpp"
#include "log/stream.hpp"
#include "ringway/error.hpp"
#include "storage/file_system.hpp"
#include "storage/page_buffer.hpp"

namespace ringway::log {

enum class ReadStatus : unsigned char {
  ok,
  end,       ///< Nothing that verifies lies at or behind this point now.
  hole,      ///< Bytes that were durable do not verify: see hole().
  io_error,  ///< The device would not give the bytes: see hole().
};

/// Records lost between two boundaries. `error` is a negative errno, or 0 when bytes were read but
/// did not verify.
struct Hole {
  LogPoint from;
  LogPoint to;
  int error = 0;
  std::uint64_t first_block = 0;  ///< the one that was refused
  std::uint64_t end_block = 0;    ///< those in front of it have no boundary to go on at
  bool known = false;             ///< a repair has said so of all of them
};

/// Verified bytes from a boundary on. They end at a verified byte, not at a boundary.
struct Run {
  LogPoint from;
  std::span<const std::byte> bytes;
};

/// The device would not give what every reader of a segment needs: that says nothing about it.
class ReadRefused : public Error {
 public:
  ReadRefused(int error_number, const std::string& attempted)
      : Error(system_error(error_number, "segment", attempted)) {}
};

/// When the block table is read: `later` is enough for who wants header and tail slots only.
enum class TableRead : unsigned char { now, later };

/// A segment file, open for reading, perhaps while it is being written. Everything in it is
/// untrusted: the header, entries and slots are checked, data is read into a private buffer and
/// given out only when its checksum agrees. Not movable; one thread at a time.
class SegmentReader {
 public:
  /// Reads header, table and tail slots. Throws Error when the file is no segment of this format,
  /// ReadRefused when nobody can tell.
  SegmentReader(storage::FileSystem& file_system, storage::File file,
                TableRead table = TableRead::now);
  SegmentReader(const SegmentReader&) = delete;
  SegmentReader& operator=(const SegmentReader&) = delete;

  const SegmentHeader& header() const noexcept { return header_; }
  LogPoint first() const noexcept { return {header_.first_position, header_.base_offset}; }
  /// Throws Error when it is not the segment of that first offset, or is another log's.
  void check_base_offset(std::uint64_t base_offset) const;
  void check_owner(std::span<const std::uint8_t, 16> topic_uuid, std::uint32_t partition) const;

  /// Nothing at or behind `end` is shown, everything before it counts as durable.
  void limit_to(LogPoint end) noexcept;
  /// What is before `durable` and does not verify is a hole, not the end.
  void trust_durable(LogPoint durable) noexcept;
  LogPoint durable() const noexcept { return durable_; }

  /// Looks again at what a live writer may have added. 0 or a negative errno.
  int refresh() noexcept;
  /// Where the newest tail slot says the segment ends (its data may still be under way), or the
  /// limit. Never before durable().
  LogPoint end() const noexcept;

  /// The last known boundary at or before the offset.
  LogPoint find_offset(std::uint64_t offset) const noexcept;
  /// Whether the first record at or after the time is before this segment.
  bool begins_at_or_after(std::int64_t timestamp_ns) const noexcept;
  /// A boundary no later than the first record at or after the time, whether that can be read or
  /// not.
  LogPoint find_time(std::int64_t timestamp_ns) const noexcept;

  /// Verified bytes from the boundary `at`, with at least the whole record there. They stay as they
  /// are until the next load().
  ReadStatus load(LogPoint at, Run& run);
  /// What the last load() could not give.
  const Hole& hole() const noexcept { return hole_; }

  /// Table entries that verify, and tail slots that do, newest first (their data is not checked).
  std::vector<const BlockEntry*> entries() const;
  std::span<const TailSlot> slots() const noexcept { return std::span(slots_).first(slot_count_); }
  /// No slot was written that does not verify: what they say of the end is the whole truth.
  bool slots_are_sound() const noexcept { return slots_sound_; }

  /// For advice about how it is read.
  int descriptor() const noexcept { return file_.descriptor(); }

  // For recovery.
  std::int64_t file_bytes() noexcept { return file_system_.size(file_.descriptor()); }
  /// Unverified data, for keeping aside. Bytes read or a negative errno.
  std::int64_t read_raw(std::uint64_t position, std::span<std::byte> into) noexcept {
    return file_system_.read(file_.descriptor(), into, geometry_.file_pos(position));
  }

 private:
  int read_slots() noexcept;
  int read_table(std::uint64_t entries_end);
  void take_entry(std::uint64_t index, const BlockEntry& entry);
  bool has_entry(std::uint64_t index) const noexcept;
  bool extend(std::uint64_t wanted);
  bool read_complete_block(std::uint64_t index);
  bool read_open_block(std::uint64_t index);
  std::int64_t read_data(std::uint64_t position, std::uint64_t bytes);
  void make_room(std::uint64_t end);
  void discard_before(std::uint64_t position) noexcept;
  ReadStatus refuse(LogPoint at, std::uint64_t bad_block) noexcept;
  void settle_hole(std::uint64_t bad_block) noexcept;
  bool is_known_hole() const noexcept;

  storage::FileSystem& file_system_;
  storage::File file_;
  SegmentHeader header_;
  Geometry geometry_;
  LogPoint durable_;
  LogPoint limit_;                 // position kNoBoundary: none
  std::vector<BlockEntry> table_;  // index kNoBoundary: does not verify
  std::array<TailSlot, kTailSlots> slots_;
  std::size_t slot_count_ = 0;
  bool slots_sound_ = false;
  // Verified bytes, from a page on: the end of a block, whole blocks, perhaps an open one.
  storage::PageBuffer buffer_;
  std::uint64_t buffer_start_ = 0;
  std::uint64_t buffer_end_ = 0;
  Hole hole_;
};

struct Record {
  layout::RecordHeader header;
  std::span<const std::byte> body;  ///< payload, key, headers; empty for a skip
  LogPoint at;
};

/// Reads a segment record by record, skips included. The reader must outlive it, and serves no
/// other walk meanwhile.
class SegmentWalk {
 public:
  explicit SegmentWalk(SegmentReader& reader) noexcept : reader_(reader), at_(reader.first()) {}

  LogPoint at() const noexcept { return at_; }
  /// Where the bytes that were read so far and verify end, perhaps in the middle of a record.
  std::uint64_t verified_end() const noexcept { return verified_end_; }
  /// `at` is a boundary.
  void go_to(LogPoint at) noexcept;
  ReadStatus next(Record& record);

 private:
  SegmentReader& reader_;
  LogPoint at_;
  Run run_{};
  std::uint64_t verified_end_ = 0;
};

}  // namespace ringway::log
