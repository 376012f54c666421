#include "log/repair_plan.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "layout/record.hpp"
#include "log/file_error.hpp"
#include "log/restored_headers.hpp"
#include "log/segment_name.hpp"
#include "log/verify.hpp"
#include "ringway/error.hpp"

namespace ringway::log {
namespace {

std::string reason(const Hole& hole) {
  return hole.error < 0 ? std::string(std::strerror(-hole.error)) : "bytes do not verify";
}

class Planning {
 public:
  Planning(storage::FileSystem& file_system, const std::string& directory,
           const LogIdentity& owner, std::optional<LogPoint> clean_end)
      : file_system_(file_system),
        view_(file_system),
        directory_(directory),
        owner_(owner),
        clean_end_(clean_end.value_or(LogPoint{})) {}

  RepairPlan run() {
    restore_headers();
    report_ = verify_log(view_, directory_, {}, clean_end_, &owner_);
    take_files();
    for (const NamedHole& named : report_.holes) {
      if (!named.hole.known) mend(named);
    }
    return std::move(plan_);
  }

 private:
  std::string path_of(const std::string& name) const { return directory_ + "/" + name; }
  const std::vector<SegmentInfo>& segments() const { return report_.recovered.segments; }

  void restore_headers();
  void take_files();
  void take_file(Mend mend);
  void fill_front(const DamagedFile& file);
  void mend(const NamedHole& named);
  void write_off(const Hole& hole, std::size_t segment);
  void fill_in(LogPoint from, LogPoint to, const SegmentInfo* before, const SegmentInfo* behind);
  storage::File open(storage::FileSystem& file_system, const std::string& name) const {
    return open_or_throw(file_system, path_of(name), storage::OpenMode::read);
  }

  storage::FileSystem& file_system_;
  RestoredHeaders view_;
  const std::string& directory_;
  const LogIdentity& owner_;
  LogPoint clean_end_;
  std::vector<std::string> names_;
  LogReport report_;
  RepairPlan plan_;
};

void Planning::restore_headers() {
  const int listed = file_system_.list(directory_, names_);
  if (listed != -ENOENT) require(listed, directory_, "list");  // as recover() has it
  std::sort(names_.begin(), names_.end());
  for (const std::string& name : names_) {
    const auto parsed = parse_segment_name(name);
    if (!parsed || parsed->kind != SegmentName::Kind::segment) continue;
    const storage::File file = open(file_system_, name);
    SegmentHeader found{};
    const std::int64_t got =
        file_system_.read(file.descriptor(), std::as_writable_bytes(std::span(&found, 1)), 0);
    // What the device does not give, verify_log() finds.
    if (got != static_cast<std::int64_t>(sizeof found)) continue;
    const char* const defect = header_defect(found);
    if (defect == nullptr) continue;
    if (const auto header = restored_header(found, owner_, parsed->base_offset)) {
      view_.add(path_of(name), *header);
      plan_.push_back({.how = Mending::restore_header,
                       .file = name,
                       .wrong = defect,
                       .from = {},
                       .to = {},
                       .file_bytes = sizeof found,
                       .header = header});
    }
  }
}

void Planning::take_files() {
  const std::uint64_t end = std::max(report_.recovered.end.offset, clean_end_.offset);
  for (const DamagedFile& file : report_.recovered.damaged) {
    if (file.code == ErrorCode::unavailable) {
      throw Error(ErrorCode::failed, path_of(file.name), file.rule,
                  "repair it again when the device works, or move the file out of the directory");
    }
    if (file.code == ErrorCode::incompatible) {
      throw Error(ErrorCode::incompatible, path_of(file.name), file.rule,
                  "use the ringway of that version, or move the file out of the directory");
    }
    Mend mend{.how = Mending::take_out,
              .file = file.name,
              .wrong = file.rule,
              .from = {},
              .to = {},
              .file_bytes = file.file_bytes};
    if (file.base_offset >= end) {
      mend.how = Mending::set_aside;
      mend.set_aside_as = free_damaged_name(file.base_offset, names_);
      names_.push_back(mend.set_aside_as);
    }
    take_file(std::move(mend));
  }
  const auto& damaged = report_.recovered.damaged;  // by offset
  if (!damaged.empty() && damaged.front().base_offset < end) fill_front(damaged.front());
}

/// Nothing else is done to a file that goes: it is kept as it was found.
void Planning::take_file(Mend mend) {
  std::erase_if(plan_, [&](const Mend& other) {
    return other.how == Mending::restore_header && other.file == mend.file;
  });
  plan_.push_back(std::move(mend));
}

/// It was the oldest. How much of the log it held, only its size tells; a record, where it has one.
void Planning::fill_front(const DamagedFile& file) {
  const SegmentInfo* const behind = segments().empty() ? nullptr : &segments().front();
  if (behind != nullptr && file.base_offset >= behind->first.offset) return;
  const LogPoint to = behind != nullptr ? behind->predecessor_end : clean_end_;
  if (file.base_offset >= to.offset) return;
  const std::uint64_t held =
      std::max<std::uint64_t>(layout::round_up_to_unit(file.file_bytes), layout::kUnitBytes);
  const std::uint64_t bytes = std::min(held, to.position);
  fill_in({to.position - bytes, file.base_offset}, to, nullptr, behind);
}

void Planning::mend(const NamedHole& named) {
  const Hole& hole = named.hole;
  if (hole.to.position <= hole.from.position) {
    throw Error(ErrorCode::failed, path_of(named.segment), reason(hole),
                "repair it again when the device works, or copy the disk to another one");
  }
  if (!named.file_is_missing()) {
    const auto found =
        std::find_if(segments().begin(), segments().end(),
                     [&](const SegmentInfo& segment) { return segment.name == named.segment; });
    return write_off(hole, static_cast<std::size_t>(found - segments().begin()));
  }
  const auto behind = std::find_if(
      segments().begin(), segments().end(),
      [&](const SegmentInfo& segment) { return segment.first.offset >= hole.to.offset; });
  fill_in(hole.from, hole.to, behind != segments().begin() ? &*std::prev(behind) : nullptr,
          behind != segments().end() ? &*behind : nullptr);
}

void Planning::write_off(const Hole& hole, std::size_t segment) {
  const SegmentInfo& info = segments()[segment];
  SegmentReader reader(view_, open(view_, info.name));
  if (segment + 1 < segments().size()) reader.limit_to(info.end);
  reader.trust_durable(clean_end_);
  const Geometry geometry(reader.header());
  const auto file_pos = [&](std::uint64_t block) {
    return geometry.file_pos(geometry.block_start(block));
  };
  Mend mend{.how = Mending::write_off,
            .file = info.name,
            .wrong = reason(hole),
            .from = hole.from,
            .to = hole.to,
            .file_pos = file_pos(hole.first_block),
            .file_bytes = file_pos(hole.end_block) - file_pos(hole.first_block)};
  BlockEntry before{};  // what stays known where an entry is gone, too
  before.facts.running_max = reader.header().running_max_before;
  before.facts.written_at_ns = reader.header().created_at_ns;
  const std::vector<const BlockEntry*> entries = reader.entries();
  auto next = entries.begin();
  for (std::uint64_t block = 0; block < std::min(hole.end_block, geometry.table_entries); ++block) {
    const bool has = next != entries.end() && (*next)->index == block;
    if (has) before = **next++;
    if (block < hole.first_block || (has && block != hole.first_block)) continue;
    BlockEntry entry = before;
    if (!has) {
      entry = BlockEntry{};
      entry.index = block;
      entry.facts.first_position = kNoBoundary;
      entry.facts.first_offset = hole.to.offset;
      entry.facts.time_min = entry.facts.time_max = kNoTime;
      entry.facts.running_max = before.facts.running_max;
      entry.facts.written_at_ns = before.facts.written_at_ns;
    }
    entry.lost = 1;
    entry.durable_position = reader.durable().position;
    entry.durable_offset = reader.durable().offset;
    entry.checksum = checksum_of(entry, entry_seed(reader.header().segment_id, block));
    mend.marks.push_back({geometry.entry_file_pos(block), entry});
  }
  plan_.push_back(std::move(mend));
}

/// Positions may be jumped over: room for the last one that is lost is enough.
void Planning::fill_in(LogPoint from, LogPoint to, const SegmentInfo* before,
                       const SegmentInfo* behind) {
  LogPoint predecessor = from, predecessor_durable = from;
  if (before != nullptr && before->first.offset == from.offset) {  // it needs the name
    predecessor = before->predecessor_end;
    predecessor_durable = before->predecessor_durable;
    take_file({.how = Mending::take_out,
               .file = before->name,
               .wrong = "holds nothing, and what is missing behind it takes its name",
               .from = {},
               .to = {},
               .file_bytes = before->file_bytes});
  }
  SegmentHeader header = fresh_header(to.position - layout::kUnitBytes, 1, kPageBytes);
  std::copy(owner_.topic_uuid.begin(), owner_.topic_uuid.end(), header.topic_uuid);
  header.partition = owner_.partition;
  header.base_offset = from.offset;
  header.predecessor_end_position = predecessor.position;
  header.predecessor_end_offset = predecessor.offset;
  header.predecessor_unsynced_bytes = predecessor.position - predecessor_durable.position;
  header.predecessor_unsynced_offsets = predecessor.offset - predecessor_durable.offset;
  // Neither look-up by time nor retention by age may stop at it for longer than at its neighbours.
  header.running_max_before = report_.recovered.running_max;
  header.created_at_ns = before != nullptr ? before->written_at_ns : 0;
  if (behind != nullptr) {
    const SegmentReader reader(view_, open(view_, behind->name), TableRead::later);
    header.running_max_before = reader.header().running_max_before;
    header.created_at_ns = reader.header().created_at_ns;
  }
  header.checksum = checksum_of(header, 0);
  if (const char* const defect = header_defect(header)) {
    throw Error(ErrorCode::failed, path_of(segment_name(from.offset)),
                std::string("what is missing there cannot be filled in: ") + defect,
                "leave the directory as it is, and report it with what 'log verify' says");
  }
  BlockEntry entry{};
  entry.facts.first_position = header.first_position;
  entry.facts.first_offset = from.offset;
  entry.facts.offsets = to.offset - from.offset;
  entry.facts.time_min = entry.facts.time_max = kNoTime;
  entry.facts.running_max = header.running_max_before;
  entry.facts.written_at_ns = header.created_at_ns;
  entry.durable_position = to.position;
  entry.durable_offset = to.offset;
  entry.lost = 1;
  entry.checksum = checksum_of(entry, entry_seed(header.segment_id, 0));
  plan_.push_back({.how = Mending::fill_in,
                   .file = segment_name(from.offset),
                   .wrong = "no segment holds what was here",
                   .from = from,
                   .to = to,
                   .header = header,
                   .marks = {{Geometry(header).entry_file_pos(0), entry}}});
}

}  // namespace

RepairPlan plan_repair(storage::FileSystem& file_system, const std::string& directory,
                       const LogIdentity& owner, std::optional<LogPoint> clean_end) {
  return Planning(file_system, directory, owner, clean_end).run();
}

}  // namespace ringway::log
