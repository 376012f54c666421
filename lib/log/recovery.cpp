#include "log/recovery.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "log/file_error.hpp"
#include "log/segment_name.hpp"
#include "ringway/error.hpp"

namespace ringway::log {
namespace {

using storage::FileSystem;
using storage::OpenMode;

constexpr int kReadAttempts = 3;
/// No log gets there: a name that says so is no segment's, and a floor behind it would go round.
constexpr std::uint64_t kOffsetMax = std::uint64_t{1} << 62;

/// Where the last segment ends: everything up to `end` verifies behind the durable position.
struct VerifiedEnd {
  LogPoint end;
  std::uint64_t bytes_end;  ///< of verified bytes, perhaps in the middle of a record
  std::int64_t running_max;
};

VerifiedEnd find_end(SegmentReader& reader) {
  VerifiedEnd found{reader.durable(), reader.durable().position,
                    reader.header().running_max_before};
  SegmentWalk walk(reader);
  walk.go_to(found.end);
  Record record;
  int refused = 0;
  for (ReadStatus status = ReadStatus::ok; status == ReadStatus::ok;) {
    status = walk.next(record);
    // What the device will not give is behind the durable end: lost in the end, but not at once.
    if (status == ReadStatus::io_error && ++refused < kReadAttempts) {
      walk.go_to(walk.at());
      status = ReadStatus::ok;
      continue;
    }
    if (status != ReadStatus::ok) break;
    if (record.header.kind == static_cast<std::uint8_t>(layout::RecordKind::data)) {
      found.running_max = std::max(found.running_max, record.header.timestamp_ns);
    }
  }
  found.end = walk.at();
  found.bytes_end = std::max(found.end.position, walk.verified_end());
  const Geometry geometry(reader.header());
  for (const BlockEntry* entry : reader.entries()) {
    if (geometry.block_end(entry->index) <= found.bytes_end) {
      found.running_max = std::max(found.running_max, entry->facts.running_max);
    }
  }
  for (const TailSlot& slot : reader.slots()) {
    if (slot.end_position <= found.end.position) {
      found.running_max = std::max(found.running_max, slot.facts.running_max);
    }
  }
  return found;
}

/// Where a slot or an entry says there was data, verified or not.
std::uint64_t claimed_end(const SegmentReader& reader) {
  const Geometry geometry(reader.header());
  std::uint64_t end = reader.durable().position;
  for (const TailSlot& slot : reader.slots()) end = std::max(end, slot.end_position);
  for (const BlockEntry* entry : reader.entries()) {
    if (entry->lost == 0) end = std::max(end, geometry.block_end(entry->index));
  }
  return end;
}

class Recovery {
 public:
  Recovery(FileSystem& file_system, const std::string& directory, RecoverMode mode,
           const LogIdentity* owner)
      : file_system_(file_system), directory_(directory), mode_(mode), owner_(owner) {}

  Recovered run() {
    list();
    open_segments();
    while (drop_superseded()) {
    }
    settle_ends();
    settle_floor();
    return std::move(result_);
  }

 private:
  std::string path_of(const std::string& name) const { return directory_ + "/" + name; }
  bool repairs() const noexcept { return mode_ != RecoverMode::inspect; }

  void list();
  void open_segments();
  std::unique_ptr<SegmentReader> open_reader(const std::string& name);
  void add_segment(const std::string& name, std::uint64_t base_offset, storage::File file,
                   std::uint64_t file_bytes);
  bool drop_superseded();
  void settle_ends();
  LogPoint end_in_front_of(const SegmentInfo& next, const SegmentInfo& before);
  LogPoint end_by_itself(const SegmentInfo& info);
  std::optional<LogPoint> end_without_successor(std::size_t segment);
  void settle_floor();
  void raise_floor(std::uint64_t base_offset, std::uint64_t file_bytes);
  void cut(const SegmentInfo& info, SegmentReader& reader, const VerifiedEnd& found);
  void rewrite(const storage::File& file, const std::string& path, std::uint64_t from,
               std::uint64_t end);
  void keep_torn(SegmentReader& reader, const SegmentInfo& info, std::uint64_t from,
                 std::uint64_t end);
  int copy_torn(SegmentReader& reader, const TornTail& torn, const std::string& path);

  FileSystem& file_system_;
  const std::string& directory_;
  RecoverMode mode_;
  const LogIdentity* owner_;
  std::vector<std::string> all_names_;
  std::vector<std::pair<std::uint64_t, std::string>> names_;
  std::vector<std::pair<std::uint64_t, std::string>> set_aside_;  // damaged files of before
  struct Shape {
    Geometry geometry;
    bool slots_are_sound;
  };
  std::vector<Shape> shapes_;  // one per segment of result_
  std::unique_ptr<SegmentReader> last_;
  std::optional<VerifiedEnd> found_;  // of the last segment
  Recovered result_;
};

void Recovery::list() {
  const int listed = file_system_.list(directory_, all_names_);
  if (listed == -ENOENT) return;  // nothing was ever written
  require(listed, directory_, "list");
  for (const std::string& name : all_names_) {
    const auto parsed = parse_segment_name(name);
    if (!parsed) {
      result_.foreign.push_back(name);
    } else if (parsed->kind == SegmentName::Kind::segment) {
      names_.emplace_back(parsed->base_offset, name);
    } else if (parsed->kind == SegmentName::Kind::damaged) {
      set_aside_.emplace_back(parsed->base_offset, name);
    } else if (parsed->kind == SegmentName::Kind::unborn && repairs()) {
      require(file_system_.remove(path_of(name)), path_of(name), "remove");
    }
  }
  std::sort(names_.begin(), names_.end());
}

std::unique_ptr<SegmentReader> Recovery::open_reader(const std::string& name) {
  return std::make_unique<SegmentReader>(
      file_system_, open_or_throw(file_system_, path_of(name), OpenMode::read));
}

void Recovery::open_segments() {
  for (const auto& [base_offset, name] : names_) {
    const int descriptor = file_system_.open(path_of(name), OpenMode::read);
    if (descriptor == -ENOENT) continue;  // retired meanwhile
    require(descriptor, path_of(name), "open");
    storage::File file(file_system_, descriptor);
    const std::int64_t bytes = file_system_.size(descriptor);
    require(bytes, path_of(name), "size");
    try {
      add_segment(name, base_offset, std::move(file), static_cast<std::uint64_t>(bytes));
    } catch (const ReadRefused& refused) {
      // Whoever writes behind it takes its place: not before it is known what is in it.
      if (repairs()) {
        throw Error(ErrorCode::failed, path_of(name), refused.rule(),
                    "start again when the device works, or move the file out of the directory");
      }
      result_.damaged.push_back({name, refused.rule(), base_offset,
                                 static_cast<std::uint64_t>(bytes), ErrorCode::unavailable});
    } catch (const Error& error) {
      if (repairs() && error.code() == ErrorCode::incompatible) {
        throw Error(ErrorCode::incompatible, path_of(name), error.rule(),
                    "start the ringwayd that wrote it, or a later one");
      }
      result_.damaged.push_back(
          {name, error.rule(), base_offset, static_cast<std::uint64_t>(bytes), error.code()});
    }
  }
}

void Recovery::add_segment(const std::string& name, std::uint64_t base_offset, storage::File file,
                           std::uint64_t file_bytes) {
  const SegmentReader reader(file_system_, std::move(file), TableRead::later);
  const SegmentHeader& header = reader.header();
  const auto refuse = [&](const char* rule) { throw Error(ErrorCode::failed, name, rule, ""); };
  reader.check_base_offset(base_offset);
  if (owner_ != nullptr) reader.check_owner(owner_->topic_uuid, owner_->partition);
  if (!result_.segments.empty() && header.first_position < result_.segments.back().first.position) {
    refuse("its positions lie before those of an older segment");
  }
  SegmentInfo info;
  info.name = name;
  info.base_position = header.base_position;
  info.first = reader.first();
  info.end = reader.end();
  info.predecessor_end = predecessor_end(header);
  info.predecessor_durable = predecessor_durable(header);
  info.running_max = header.running_max_before;
  info.written_at_ns = header.created_at_ns;
  info.file_bytes = file_bytes;
  if (!reader.slots().empty()) {
    const TailSlot& newest = reader.slots().front();
    info.time_min = newest.time_min;
    info.time_max = newest.time_max;
    info.running_max = newest.facts.running_max;
    info.written_at_ns = newest.facts.written_at_ns;
  }
  shapes_.push_back({Geometry(header), reader.slots_are_sound()});
  result_.segments.push_back(info);
}

/// An empty last segment that truncates written records away was made after a failure of the
/// device, and lost with the power what it held: without it they still count.
bool Recovery::drop_superseded() {
  std::vector<SegmentInfo>& segments = result_.segments;
  if (segments.empty()) return false;
  last_ = open_reader(segments.back().name);
  found_ = find_end(*last_);
  if (segments.size() < 2 || found_->end.offset != segments.back().first.offset) return false;
  const auto before = open_reader(segments[segments.size() - 2].name);
  if (find_end(*before).end.offset <= segments.back().first.offset) return false;
  const std::string path = path_of(segments.back().name);
  segments.pop_back();
  shapes_.pop_back();
  if (repairs()) require(file_system_.remove(path), path, "remove");
  return true;
}

/// Where the log ends in front of a gap. What no sync has confirmed there may be gone by now.
LogPoint Recovery::end_in_front_of(const SegmentInfo& next, const SegmentInfo& before) {
  SegmentReader reader(file_system_,
                       open_or_throw(file_system_, path_of(before.name), OpenMode::read),
                       TableRead::later);
  reader.trust_durable(next.predecessor_durable);
  const LogPoint end = find_end(reader).end;
  return end.position < next.predecessor_end.position ? end : next.predecessor_end;
}

/// Where a segment ends of which no other one tells: behind all that verifies in it, since what has
/// a later one behind it was written to its end. Blocks in front of that which do not are holes.
LogPoint Recovery::end_by_itself(const SegmentInfo& info) {
  const int descriptor = file_system_.open(path_of(info.name), OpenMode::read);
  if (descriptor == -ENOENT) return info.end;  // retired meanwhile
  require(descriptor, path_of(info.name), "open");
  std::optional<SegmentReader> opened;
  try {
    opened.emplace(file_system_, storage::File(file_system_, descriptor));
  } catch (const ReadRefused&) {
    return info.end;  // whoever reads it is told
  }
  SegmentReader& reader = *opened;
  const std::vector<const BlockEntry*> entries = reader.entries();
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    const BlockFacts& facts = (*entry)->facts;
    if (facts.first_position == kNoBoundary) continue;
    const LogPoint boundary{facts.first_position, facts.first_offset};
    if (boundary.position <= reader.durable().position) break;
    SegmentWalk walk(reader);
    walk.go_to(boundary);
    Record record;
    if (walk.next(record) != ReadStatus::ok) continue;
    reader.trust_durable(boundary);
    break;
  }
  return find_end(reader).end;
}

/// Of a segment that its successor does not follow: it never went as far as that one says.
std::optional<LogPoint> Recovery::end_without_successor(std::size_t segment) {
  const SegmentInfo& info = result_.segments[segment];
  const Shape& shape = shapes_[segment];
  const SegmentInfo& next = result_.segments[segment + 1];
  if (next.predecessor_end.position > shape.geometry.capacity_end()) return end_by_itself(info);
  // A slot that is lost may have told of more.
  const std::uint64_t told = next.predecessor_durable.position;
  if (!shape.slots_are_sound || info.end.position >= told) return std::nullopt;
  LogPoint end = end_by_itself(info);
  if (end.position < info.end.position) end = info.end;  // what of that does not verify is a hole
  if (end.position >= told) return std::nullopt;
  return end;
}

void Recovery::settle_ends() {
  std::vector<SegmentInfo>& segments = result_.segments;
  if (segments.empty()) return;
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
    // The successor knows where this one ended, unless the file between them is missing.
    SegmentInfo& next = segments[i + 1];
    if (const auto end = end_without_successor(i)) {
      segments[i].end = *end;
      continue;
    }
    if (next.predecessor_durable != next.predecessor_end) {
      next.predecessor_end = end_in_front_of(next, segments[i]);
    }
    const LogPoint end = next.predecessor_end;
    segments[i].end = end.position < segments[i].first.position ? segments[i].first : end;
  }
  SegmentInfo& last = segments.back();
  last.end = found_->end;
  last.running_max = found_->running_max;
  result_.end = result_.durable = last.end;
  for (const SegmentInfo& segment : segments) {
    result_.running_max = std::max(result_.running_max, segment.running_max);
  }
  if (repairs()) cut(last, *last_, *found_);
}

void Recovery::cut(const SegmentInfo& info, SegmentReader& reader, const VerifiedEnd& found) {
  const Geometry geometry(reader.header());
  const std::int64_t size = reader.file_bytes();
  require(size, path_of(info.name), "size");
  const std::uint64_t keep = geometry.file_pos(page_floor(found.bytes_end));
  const std::uint64_t claimed = claimed_end(reader);
  const std::uint64_t data_end =
      static_cast<std::uint64_t>(size) <= geometry.data_start
          ? geometry.base_position
          : geometry.base_position + (static_cast<std::uint64_t>(size) - geometry.data_start);
  if (claimed > found.bytes_end && data_end > page_ceil(found.bytes_end)) {
    keep_torn(reader, info, found.bytes_end, std::min(claimed, data_end));
  }
  const bool all_durable = found.end == reader.durable();
  if (static_cast<std::uint64_t>(size) <= keep && all_durable) return;
  const std::string path = path_of(info.name);
  const storage::File file = open_or_throw(file_system_, path, OpenMode::write);
  if (static_cast<std::uint64_t>(size) > keep) {
    require(file_system_.truncate(file.descriptor(), keep), path, "truncate");
  }
  // Nothing but reserved space went: whether it comes back makes no difference to anybody.
  if (all_durable && claimed <= found.bytes_end) return;
  if (!all_durable) {
    // Entries of blocks that end at or before the durable end, and the slot naming it, are durable.
    // Those behind what was found speak of nothing any more.
    const std::uint64_t open_block = geometry.block_of(reader.durable().position);
    const std::uint64_t last_block = geometry.block_of(found.bytes_end);
    rewrite(file, path, page_floor(geometry.entry_file_pos(open_block)),
            page_ceil(geometry.entry_file_pos(last_block)));
    rewrite(file, path, geometry.slot_file_pos(0), geometry.data_start);
    rewrite(file, path, geometry.file_pos(page_floor(reader.durable().position)), keep);
  }
  if (mode_ == RecoverMode::adopt) {
    result_.durable = reader.durable();
  } else {
    require(file_system_.sync(file.descriptor()), path, "fdatasync");
  }
}

/// Writes the same bytes again. A sync alone would prove nothing: where an earlier one failed, the
/// kernel holds pages that it takes for clean and that are not on the device.
void Recovery::rewrite(const storage::File& file, const std::string& path, std::uint64_t from,
                       std::uint64_t end) {
  std::vector<std::byte> bytes(std::min<std::uint64_t>(end - std::min(from, end), 1024 * 1024));
  while (from < end) {
    const auto piece = std::span(bytes).first(std::min<std::uint64_t>(bytes.size(), end - from));
    const std::int64_t got = file_system_.read(file.descriptor(), piece, from);
    require(got, path, "read");
    if (got == 0) return;
    const auto read = piece.first(static_cast<std::size_t>(got));
    require(file_system_.write(file.descriptor(), read, from), path, "write");
    from += read.size();
  }
}

void Recovery::keep_torn(SegmentReader& reader, const SegmentInfo& info, std::uint64_t from,
                         std::uint64_t end) {
  TornTail torn{torn_name(info.first.offset, from), from, end - from};
  const std::string path = path_of(torn.name);
  const int copied = copy_torn(reader, torn, path);
  if (copied == -ENOSPC || copied == -EDQUOT) {
    // It is evidence for people, no record: not worth keeping the partition out of service.
    file_system_.remove(path);
    torn.name.clear();
  } else {
    require(copied, path, "copy");
  }
  result_.torn = torn;
}

int Recovery::copy_torn(SegmentReader& reader, const TornTail& torn, const std::string& path) {
  const int descriptor = file_system_.open(path, OpenMode::create);
  if (descriptor < 0) return descriptor;
  const storage::File aside(file_system_, descriptor);
  std::vector<std::byte> bytes(std::min<std::uint64_t>(torn.bytes, 1024 * 1024));
  for (std::uint64_t done = 0; done < torn.bytes;) {
    const auto piece =
        std::span(bytes).first(std::min<std::uint64_t>(bytes.size(), torn.bytes - done));
    const std::int64_t got = reader.read_raw(torn.position + done, piece);
    if (got <= 0) break;  // what the device does not give cannot be kept
    const auto read = piece.first(static_cast<std::size_t>(got));
    if (const int result = file_system_.write(descriptor, read, done); result < 0) return result;
    done += read.size();
  }
  if (const int result = file_system_.sync(descriptor); result < 0) return result;
  return file_system_.sync_directory(directory_);
}

/// For a file that cannot be read and does not lie before the end.
void Recovery::raise_floor(std::uint64_t base_offset, std::uint64_t file_bytes) {
  if (base_offset < result_.end.offset || base_offset >= kOffsetMax) return;
  // It may have held this many records, all of them seen by somebody.
  const std::uint64_t units = file_bytes / layout::kUnitBytes + 1;
  result_.floor.offset = std::max(result_.floor.offset, base_offset + units);
  result_.floor.position =
      std::max(result_.floor.position, page_ceil(result_.end.position + file_bytes + 1));
}

void Recovery::settle_floor() {
  result_.floor = result_.end;
  // Who set it aside may have died before anything was written behind the floor.
  for (const auto& [base_offset, name] : set_aside_) {
    const int descriptor = file_system_.open(path_of(name), OpenMode::read);
    if (descriptor == -ENOENT) continue;
    require(descriptor, path_of(name), "open");
    const storage::File file(file_system_, descriptor);
    const std::int64_t bytes = file_system_.size(descriptor);
    require(bytes, path_of(name), "size");
    raise_floor(base_offset, static_cast<std::uint64_t>(bytes));
  }
  for (DamagedFile& file : result_.damaged) {
    raise_floor(file.base_offset, file.file_bytes);
    if (file.base_offset != result_.end.offset || !repairs()) continue;
    const std::string name = free_damaged_name(file.base_offset, all_names_);
    require(file_system_.rename(path_of(file.name), path_of(name)), path_of(file.name), "rename");
    file.name = name;
  }
}

}  // namespace

std::optional<MissingRange> missing_between(const SegmentInfo& before,
                                            const SegmentInfo& behind) noexcept {
  if (behind.predecessor_end.offset <= before.end.offset) return std::nullopt;
  return MissingRange{before.end, behind.predecessor_end};
}

std::vector<MissingRange> Recovered::missing() const {
  std::vector<MissingRange> ranges;
  for (std::size_t i = 1; i < segments.size(); ++i) {
    const auto range = missing_between(segments[i - 1], segments[i]);
    if (range && !has_damaged_file_for(range->from, range->to)) ranges.push_back(*range);
  }
  return ranges;
}

std::optional<MissingRange> Recovered::missing_behind_end(LogPoint known) const {
  if (known.offset <= end.offset || has_damaged_file_for(end, known)) return std::nullopt;
  return MissingRange{end, known};
}

bool Recovered::has_damaged_file_for(LogPoint from, LogPoint to) const noexcept {
  return std::ranges::any_of(damaged, [&](const DamagedFile& file) {
    return file.base_offset >= from.offset && file.base_offset < to.offset;
  });
}

Recovered recover(storage::FileSystem& file_system, const std::string& directory, RecoverMode mode,
                  const LogIdentity* owner) {
  return Recovery(file_system, directory, mode, owner).run();
}

}  // namespace ringway::log
