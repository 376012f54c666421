// In this order, so that a crash at any point leaves a log as it was, or nearer to being repaired:
//
//   1. The pieces are copied, each synced; files that cannot be followed get a second name there;
//      the note, which says all that follows, is written and synced; then the directory is. Nothing
//      of the log has changed: without a note they are a repair that never began.
//   2. Those files lose their name in the log, but where a segment that fills in is to take it, and
//      the directory is synced. No reader got anything from them, and the records they held are a
//      gap with them and without them. What is set aside behind the end keeps a name that recovery
//      knows: it never forgets which offsets may have been used.
//   3. Headers that do not verify are written over, and synced. Torn, one does not verify either,
//      and is restored again: all that makes it out lies in its first sector and in its checksum.
//   4. The table entries of lost blocks are marked, and synced. No entry straddles a sector, which
//      is written whole or not at all, and its neighbours are repeated byte for byte. Each mark is
//      true for itself, and no reader takes notice of it that has the block.
//   5. What fills in comes last, whole and synced before it has its name, like any segment: in the
//      place of the damaged one of that name, at once.
//
// Data is never written over: blocks that a device gives again, or that somebody puts back, count.

#include "log/repair.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "log/file_error.hpp"
#include "log/segment_name.hpp"

namespace ringway::log {
namespace {

using storage::FileSystem;
using storage::OpenMode;

constexpr std::uint64_t kCopyBytes = 1024 * 1024;

class Repair {
 public:
  Repair(FileSystem& file_system, const std::string& directory, const RepairPlan& plan,
         const std::string& cut_directory)
      : file_system_(file_system),
        directory_(directory),
        plan_(plan),
        cut_directory_(directory + "/" + cut_directory) {}

  void run(const std::string& preface) {
    try {
      keep(preface);
    } catch (...) {
      for (const std::string& path : kept_) file_system_.remove(path);
      throw;
    }
    move_out();
    for (const Mend& mend : plan_) {
      if (mend.how == Mending::restore_header) write_header(mend);
      if (mend.how == Mending::write_off) write_marks(mend);
    }
    for (const Mend& mend : plan_) {
      if (mend.how == Mending::fill_in) fill_in(mend);
    }
  }

 private:
  std::string path_of(const std::string& name) const { return directory_ + "/" + name; }
  storage::File open(const std::string& path, OpenMode mode) const {
    return open_or_throw(file_system_, path, mode);
  }
  storage::File create(const std::string& path);
  void write(const storage::File& file, const std::string& path, std::span<const std::byte> bytes,
             std::uint64_t file_pos) const;
  void sync(const storage::File& file, const std::string& path) const {
    require(file_system_.sync(file.descriptor()), path, "fdatasync");
  }
  void sync_directory(const std::string& path) const {
    require(file_system_.sync_directory(path), path, "sync");
  }

  void keep(const std::string& preface);
  void keep_piece(const std::string& name, std::uint64_t file_pos, std::uint64_t bytes);
  void link(const std::string& name);
  void move_out();
  void write_header(const Mend& mend) const;
  void write_marks(const Mend& mend) const;
  void fill_in(const Mend& mend) const;

  FileSystem& file_system_;
  const std::string& directory_;
  const RepairPlan& plan_;
  const std::string cut_directory_;
  std::vector<std::string> kept_;
  std::vector<std::string> linked_;  // files that have a second name
  std::string note_;
};

storage::File Repair::create(const std::string& path) {
  kept_.push_back(path);
  return open(path, OpenMode::create);
}

void Repair::write(const storage::File& file, const std::string& path,
                   std::span<const std::byte> bytes, std::uint64_t file_pos) const {
  require(file_system_.write(file.descriptor(), bytes, file_pos), path, "write");
}

void Repair::keep(const std::string& preface) {
  require(file_system_.make_directories(cut_directory_), cut_directory_, "make");
  note_ = preface;
  std::vector<std::string> heads;  // files whose beginning is kept
  for (const Mend& mend : plan_) {
    const bool writes_over = mend.how == Mending::restore_header || mend.how == Mending::write_off;
    note_ += fmt::format("\n{}: {}.\n", mend.file, mend.wrong);
    if (mend.offsets() > 0) {
      note_ += fmt::format("  offsets {} to {} are lost, {} bytes of the log\n", mend.from.offset,
                           mend.to.offset - 1, mend.bytes());
    }
    if (mend.how == Mending::take_out) {
      link(mend.file);
      note_ += "  the file is here, as it was\n";
    }
    if (mend.how == Mending::set_aside) {
      note_ += "  is beside the log as " + mend.set_aside_as + "\n";
    }
    if (mend.how == Mending::restore_header) note_ += "  its header is written again as it was\n";
    if (mend.how == Mending::write_off) note_ += "  blocks are marked as lost in its table\n";
    if (mend.how == Mending::fill_in) note_ += "  a segment without data says so\n";
    if (writes_over && std::ranges::find(heads, mend.file) == heads.end()) {
      heads.push_back(mend.file);
      std::uint64_t bytes = sizeof(SegmentHeader);
      for (const Mend& other : plan_) {
        if (other.file != mend.file || other.marks.empty()) continue;
        bytes = std::max(bytes, page_ceil(other.marks.back().file_pos + sizeof(BlockEntry)));
      }
      keep_piece(mend.file, 0, bytes);
    }
    if (mend.how == Mending::write_off) keep_piece(mend.file, mend.file_pos, mend.file_bytes);
  }
  const std::string path = cut_directory_ + "/" + kCutNote;
  const storage::File note = create(path);
  write(note, path, std::as_bytes(std::span(note_)), 0);
  sync(note, path);
  sync_directory(cut_directory_);
}

/// Pages that the device does not give are zeros in it, and the note says how many.
void Repair::keep_piece(const std::string& name, std::uint64_t file_pos, std::uint64_t bytes) {
  const storage::File from = open(path_of(name), OpenMode::read);
  const std::string piece = fmt::format("{}.at-{}", name, file_pos);
  const std::string path = cut_directory_ + "/" + piece;
  const storage::File to = create(path);
  std::vector<std::byte> buffer(std::min(bytes, kCopyBytes));
  std::uint64_t refused = 0, done = 0;
  while (done < bytes) {
    auto part = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), bytes - done));
    std::int64_t got = file_system_.read(from.descriptor(), part, file_pos + done);
    if (got < 0) {
      part = part.first(std::min<std::uint64_t>(part.size(), kPageBytes));
      got = file_system_.read(from.descriptor(), part, file_pos + done);
    }
    if (got == 0) break;
    if (got < 0) {
      ++refused;
      std::memset(part.data(), 0, part.size());
    } else {
      part = part.first(static_cast<std::size_t>(got));
    }
    write(to, path, part, done);
    done += part.size();
  }
  sync(to, path);
  note_ += fmt::format("  {} has its bytes {} to {}, as they were\n", piece, file_pos,
                       file_pos + done);
  if (refused > 0) {
    note_ += fmt::format("  but {} pages of 4 KiB, which the device does not give\n", refused);
  }
}

/// Where there are no second names it is moved later.
void Repair::link(const std::string& name) {
  const std::string to = cut_directory_ + "/" + name;
  const int result = file_system_.link(path_of(name), to);
  if (result == -EPERM || result == -EOPNOTSUPP) return;
  require(result, path_of(name), "link");
  kept_.push_back(to);
  linked_.push_back(name);
}

void Repair::move_out() {
  for (const Mend& mend : plan_) {
    const std::string path = path_of(mend.file);
    if (mend.how == Mending::set_aside) {
      require(file_system_.rename(path, path_of(mend.set_aside_as)), path, "rename");
    }
    if (mend.how != Mending::take_out) continue;
    const bool linked = std::ranges::find(linked_, mend.file) != linked_.end();
    const bool is_replaced = std::ranges::any_of(plan_, [&](const Mend& other) {
      return other.how == Mending::fill_in && other.file == mend.file;
    });
    if (!linked) {
      require(file_system_.rename(path, cut_directory_ + "/" + mend.file), path, "rename");
    } else if (!is_replaced) {
      require(file_system_.remove(path), path, "remove");
    }
  }
  sync_directory(cut_directory_);
  sync_directory(directory_);
}

void Repair::write_header(const Mend& mend) const {
  const std::string path = path_of(mend.file);
  const storage::File file = open(path, OpenMode::write);
  write(file, path, std::as_bytes(std::span(&*mend.header, 1)), 0);
  sync(file, path);
}

void Repair::write_marks(const Mend& mend) const {
  const std::string path = path_of(mend.file);
  const storage::File file = open(path, OpenMode::write);
  for (const Mark& mark : mend.marks) {
    write(file, path, std::as_bytes(std::span(&mark.entry, 1)), mark.file_pos);
  }
  sync(file, path);
}

void Repair::fill_in(const Mend& mend) const {
  const std::string path = path_of(unborn_name(mend.from.offset));
  // Whatever has the name goes, and is not written through: it may be a link to another file.
  const int removed = file_system_.remove(path);
  if (removed != -ENOENT) require(removed, path, "remove");
  const storage::File file = open(path, OpenMode::create);
  std::vector<std::byte> bytes(mend.header->data_start);
  std::memcpy(bytes.data(), &*mend.header, sizeof(SegmentHeader));
  for (const Mark& mark : mend.marks) {
    std::memcpy(bytes.data() + mark.file_pos, &mark.entry, sizeof mark.entry);
  }
  write(file, path, bytes, 0);
  sync(file, path);
  require(file_system_.rename(path, path_of(mend.file)), path, "rename");
  sync_directory(directory_);
}

}  // namespace

void repair_log(FileSystem& file_system, const std::string& directory, const RepairPlan& plan,
                const std::string& cut_directory, const std::string& preface) {
  Repair(file_system, directory, plan, cut_directory).run(preface);
}

}  // namespace ringway::log
