#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/status_trouble.hpp"
#include "daemon/event_log.hpp"
#include "daemon/served_topic.hpp"
#include "log/recovery.hpp"
#include "log/stream.hpp"

namespace ringway::daemon {

/// What consumers do not get of a topic's log, as far as this supervisor has found out: at its
/// start, or when somebody came to it. Until the next start, or until retention has taken it. A
/// file is lost when it is unreadable or missing; else there are holes in it. Control thread only.
class LogDamage {
 public:
  enum class Kind : std::uint8_t {
    unreadable,  ///< a file that cannot be followed
    missing,     ///< a file that is not there any more
    hole,        ///< blocks within a file that do not verify
  };
  struct Range {
    Kind kind{};
    std::uint32_t partition = 0;
    log::LogPoint from;
    log::LogPoint to;  ///< offset kUnknown: nobody can tell
    std::string file;  ///< name within the partition's directory
    std::string rule;  ///< what is wrong with it
  };
  static constexpr std::uint64_t kUnknown = UINT64_MAX;

  /// Logs it as well; not when it is known, or empty, or so many holes are that nobody needs to
  /// hear of more. Of a file that is known the end is the last that was noted.
  void note(const EventLog& log, const ServedTopic& topic, Range range);
  /// The same of what no file has.
  void note_missing(const EventLog& log, const ServedTopic& topic, std::uint32_t partition,
                    const log::MissingRange& range);
  /// Whether it is known that consumers do not get that one.
  bool has(std::uint32_t partition, std::uint64_t offset) const noexcept;
  /// The end of what lost files had, from that offset on.
  std::optional<log::LogPoint> end_of_lost_files(std::uint32_t partition,
                                                 std::uint64_t offset) const noexcept;
  /// The first offset of the first lost file that begins in [from, to).
  std::optional<std::uint64_t> lost_file_in(std::uint32_t partition, std::uint64_t from,
                                            std::uint64_t to) const noexcept;
  /// What `status` tells of it.
  std::vector<control::StatusTrouble> troubles(const ServedTopic& topic) const;
  std::size_t count(const ServedTopic& topic) const noexcept;

 private:
  const Range* lost_file_with(std::uint32_t partition, std::uint64_t offset) const noexcept;

  /// By partition and first offset.
  std::map<std::pair<std::uint32_t, std::uint64_t>, Range> lost_files_;
  std::vector<Range> holes_;
};

}  // namespace ringway::daemon
