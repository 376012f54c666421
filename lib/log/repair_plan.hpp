#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "log/partition_log.hpp"
#include "log/segment_format.hpp"
#include "log/stream.hpp"
#include "storage/file_system.hpp"

namespace ringway::log {

enum class Mending : unsigned char {
  restore_header,  ///< written once more as it was; nothing is lost
  take_out,        ///< the file goes as a whole, as nothing in it can be followed
  set_aside,       ///< behind the log's end it stays beside the log as NAME.damaged-N, since
                   ///< recovery learns from it which offsets may have been used
  write_off,       ///< blocks that do not verify are said to be lost; all others stay
  fill_in,         ///< a segment without data that says what is lost between two others
};

/// A table entry, and where in the file it goes.
struct Mark {
  std::uint64_t file_pos;
  BlockEntry entry;
};

struct Mend {
  Mending how;
  std::string file;   ///< name within the partition's directory; of the new one for fill_in
  std::string wrong;  ///< what is the matter with it, for people
  LogPoint from;      ///< records that readers do not get: none where it is `to`
  LogPoint to;
  std::uint64_t file_pos = 0;    ///< where in the file that begins
  std::uint64_t file_bytes = 0;  ///< how much of it is kept aside
  std::string set_aside_as{};
  std::optional<SegmentHeader> header{};  ///< restore_header, fill_in
  std::vector<Mark> marks{};              ///< write_off, fill_in

  std::uint64_t offsets() const noexcept { return to.offset - from.offset; }
  std::uint64_t bytes() const noexcept { return to.position - from.position; }
};

/// What is to be done about a partition's log, in this order, so that every byte that verifies can
/// be read and every gap is told of. Empty: it is sound, or what is amiss has been told before.
using RepairPlan = std::vector<Mend>;

/// Reads all of the log and changes nothing. `clean_end`: where an orderly stop left the log, if
/// one did. A torn tail is none of its business: the next supervisor may have it in its ring.
/// Throws Error where the device refuses, or a file is of a later version of the format.
RepairPlan plan_repair(storage::FileSystem& file_system, const std::string& directory,
                       const LogIdentity& owner, std::optional<LogPoint> clean_end);

}  // namespace ringway::log
