#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "log/recovery.hpp"

namespace ringway::log {

/// A hole, and the segment it is in. For records that no file has, the one that began with them.
struct NamedHole {
  std::string segment;
  Hole hole;

  bool file_is_missing() const noexcept { return hole.end_block == 0 && hole.error == 0; }
};

struct LogReport {
  Recovered recovered;  ///< what is there; damaged and foreign files too
  std::uint64_t segments = 0;
  std::uint64_t blocks = 0;   ///< complete ones
  std::uint64_t records = 0;  ///< skips not counted
  std::uint64_t skipped_offsets = 0;
  std::uint64_t bytes = 0;  ///< of the records that verify
  std::vector<NamedHole> holes;
  LogPoint end;  ///< of the last record that verifies
  /// What the newest tail slot tells of behind `end` and does not verify: under way while somebody
  /// writes, torn by a crash otherwise, and then to be cut by the next supervisor.
  std::optional<Hole> unverified_tail;

  /// Nothing is wrong but what a repair has told of already.
  bool clean() const noexcept {
    return recovered.damaged.empty() &&
           std::all_of(holes.begin(), holes.end(),
                       [](const NamedHole& named) { return named.hole.known; });
  }
};

/// Reads every record of a partition's log, verifying every block, and gives data records to
/// `visit` until it says false. Changes nothing; works beside a supervisor that writes, and beside
/// none. A segment retired meanwhile is passed over. What lies before `durable`, where somebody
/// knows more than the files say, must verify. `owner` as in recover(). Throws Error when the
/// directory cannot be read.
LogReport verify_log(storage::FileSystem& file_system, const std::string& directory,
                     const std::function<bool(const Record&)>& visit = {}, LogPoint durable = {},
                     const LogIdentity* owner = nullptr);

/// What cannot be read of a segment at that offset, if so. `end` where it is sealed. Reads what
/// lies between the last boundary known in front of it and there. Throws Error where the file is no
/// segment, or header or table are refused.
std::optional<Hole> hole_at(storage::FileSystem& file_system, const std::string& path,
                            std::uint64_t offset, const std::optional<LogPoint>& end);

}  // namespace ringway::log
