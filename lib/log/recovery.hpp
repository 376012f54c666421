#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "log/partition_log.hpp"
#include "log/segment_info.hpp"
#include "log/segment_reader.hpp"
#include "ringway/error.hpp"
#include "storage/file_system.hpp"

namespace ringway::log {

enum class RecoverMode : unsigned char {
  repair,   ///< by the supervisor, before it writes: cuts the torn tail, removes what was unborn
  adopt,    ///< the same for a ring that lives: the last sync is left to PartitionLog
  inspect,  ///< by anybody, at any time: changes nothing
};

/// A file that has a segment's name and cannot be followed. It is left where it is, or renamed when
/// the next segment needs the name.
struct DamagedFile {
  std::string name;
  std::string rule;  ///< what is wrong with it
  std::uint64_t base_offset;
  std::uint64_t file_bytes;
  /// failed: its bytes are wrong; incompatible: of a later version; unavailable: not to be read.
  ErrorCode code = ErrorCode::failed;
};

/// Records in [from, to) that a file had which is not there any more.
struct MissingRange {
  LogPoint from;
  LogPoint to;
};

/// Between a segment and the one behind it: that one says how far the log went.
std::optional<MissingRange> missing_between(const SegmentInfo& before,
                                            const SegmentInfo& behind) noexcept;

/// What lay behind the end of the log and does not verify, kept in a file of its own.
struct TornTail {
  std::string name;  ///< "" when the disk was too full to keep it
  std::uint64_t position;
  std::uint64_t bytes;
};

/// What a partition's directory holds after any crash.
struct Recovered {
  std::vector<SegmentInfo> segments;  ///< oldest first
  LogPoint end;                       ///< of the last record that counts
  LogPoint durable;                   ///< end, where mode is repair
  std::int64_t running_max = kNoTime;
  LogPoint floor;  ///< no offset or position at or behind it was ever used; end, or behind damage
  std::vector<DamagedFile> damaged;
  std::vector<std::string> foreign;  ///< names that are none of the log's
  std::optional<TornTail> torn;

  /// What is missing, as far as the files tell.
  std::vector<MissingRange> missing() const;
  /// What is missing behind them, where somebody knows that the log went on to `known`.
  std::optional<MissingRange> missing_behind_end(LogPoint known) const;
  /// A damaged file that is left may have held it: that is what is the matter then.
  bool has_damaged_file_for(LogPoint from, LogPoint to) const noexcept;

  /// The ring lives: it holds everything from page_floor(end) on.
  LogStart go_on() const {
    LogStart start = jump(end);
    start.in_ring = true;
    return start;
  }
  /// The ring was lost or released: a new one starts at `at`, at or behind `floor`, page aligned.
  LogStart jump(LogPoint at) const { return {at, end, running_max, segments, durable}; }
};

/// Reads headers and tail slots of all segments, and of the last one the table and the data behind
/// its durable position. `owner`: segments of another topic or partition count as damaged. Throws
/// Error when the directory cannot be read, or in repair mode not be mended.
Recovered recover(storage::FileSystem& file_system, const std::string& directory, RecoverMode mode,
                  const LogIdentity* owner = nullptr);

}  // namespace ringway::log
