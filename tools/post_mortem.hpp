#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "control/messages.hpp"
#include "layout/record.hpp"
#include "tools/inspected_topic.hpp"
#include "tools/log_tail.hpp"
#include "tools/output.hpp"

namespace ringway::cli {

/// What is still to be found out of a topic whose processes died: the last records of each
/// partition and who published them, where consumers stood, who is dead, and what nobody can know
/// any more. Records' bytes are not in it. Owned by one verb, used by one thread.
class PostMortem {
 public:
  /// `kept`: named cursors as the catalog has them.
  PostMortem(std::string topic, std::vector<control::CursorListing> kept, std::size_t records);

  /// What the log of a partition has below an offset: its last `count` records, oldest first.
  using Logged = std::function<std::vector<LoggedRecord>(std::uint32_t partition,
                                                         std::size_t count, std::uint64_t below)>;

  /// A partition whose memory somebody still holds; `logged` is asked for what its ring lacks. The
  /// memory outlives this.
  void look(InspectedTopic& memory, std::uint32_t partition, const Logged& logged);
  /// One of which only the log is left.
  void look(const LogTail& log, std::uint32_t partition);

  /// `found` says what it was read from.
  std::string render(const std::string& found, Format format, Style style);

 private:
  void add_record(std::uint32_t partition, std::uint64_t offset,
                  const layout::RecordHeader& header);
  void add_kept(std::uint32_t partition, std::uint64_t end);
  void add_handles(InspectedTopic& memory, std::uint32_t partition, std::uint64_t committed);
  void unknown(const std::string& what);

  std::string topic_;
  std::vector<control::CursorListing> kept_;
  std::size_t records_max_;
  std::vector<Handle> handles_;
  std::map<std::uint32_t, Handle> producers_;  // by identity
  const InspectedTopic* memory_ = nullptr;  // none: read from the log
  std::vector<std::string> unknown_;
  Rows partitions_, records_, producer_rows_, cursors_;
};

}  // namespace ringway::cli
