#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "findings.hpp"

namespace storm_check {

/// As many records as a producer may publish before it writes down that it was told.
inline constexpr std::uint64_t kUntoldMax = 32;
inline constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

/// What lets records be gone, between the two times: a moment at which neither a supervisor nor a
/// keeper had the rings, or the disk refusing a topic that goes on in memory only. Never what was
/// written by then.
struct Loss {
  std::int64_t from_ns;
  std::int64_t to_ns;
  std::string topic;          ///< that the disk refused; empty: all memory was lost
  std::uint64_t records = 0;  ///< that were told or seen, and went with it

  bool of_all_memory() const { return topic.empty(); }
  bool concerns(const std::string& partition) const {
    return of_all_memory() || partition.starts_with(topic + "/");
  }
};

/// COUNT records in a row of one producer, at offsets in a row.
struct Run {
  std::uint64_t offset;
  std::uint64_t count;
  std::uint32_t producer;
  std::uint64_t sequence;
};

enum class Level : unsigned char { committed, written, durable };

/// Everything that was ever said about one partition, and what has to be true of it.
class Ledger {
 public:
  /// `not_ended`: the producers of the topic that wrote no end, whose last records may be untold;
  /// those that were killed before their first line of this partition are among them.
  Ledger(std::string name, const std::set<std::uint32_t>& not_ended, Findings& findings)
      : name_(std::move(name)), not_ended_(not_ended), findings_(findings) {}

  // Producers come first, then the last replay, then everybody else.
  void told(const Run& run, std::int64_t t0, std::int64_t t1);
  void told_level(Level level, std::uint64_t offset);
  void aborted(std::uint64_t offset, std::uint64_t count);
  void at_last(const Run& run);
  void seen(const Run& run);
  void watermarks_at_last(std::uint64_t durable, std::uint64_t written, std::uint64_t committed);

  /// The first offset at or behind this one that the last replay gave; kNone when there is none.
  std::uint64_t next_at_last(std::uint64_t offset) const { return next(offset, kAtLast); }
  /// Likewise of what a producer was told.
  std::uint64_t next_told(std::uint64_t offset) const { return next(offset, kTold); }
  std::uint64_t records_told() const { return records_told_; }
  std::uint64_t records_at_last() const { return records_at_last_; }
  std::string at(std::uint64_t offset) const { return name_ + "/" + std::to_string(offset); }

  /// Once everything is in.
  void judge(std::vector<Loss>& losses);

 private:
  enum Flag : std::uint8_t { kTold = 1, kSeen = 2, kAtLast = 4, kAborted = 8 };
  static constexpr std::uint64_t kPage = 4096;
  struct Page {
    std::uint64_t who[kPage] = {};  // producer << 40 | sequence; 0: nobody knows
    std::uint8_t flags[kPage] = {};
  };
  struct ToldRun {
    std::uint64_t offset;
    std::uint64_t count;
    std::int64_t t0;
    std::int64_t t1;
  };
  struct Writer {
    std::vector<std::uint64_t> offset_of;  // by sequence; kNone: nowhere
    std::uint64_t told = 0;                // sequences below it were told
    std::int64_t last_told_ns = 0;
  };
  struct Hole {  ///< records that somebody was told of or saw, and that are not there at last
    std::uint64_t next = kNone;  // first offset behind it that is there
    std::vector<std::uint64_t> missing;
  };

  Page& page(std::uint64_t offset);
  const Page* page_if_there(std::uint64_t offset) const;
  std::uint64_t next(std::uint64_t offset, Flag flag) const;
  bool has(std::uint64_t offset, Flag flag) const;
  void note(std::uint64_t offset, std::uint32_t producer, std::uint64_t sequence, Flag flag);
  void place(std::uint64_t offset, std::uint32_t producer, std::uint64_t sequence, Flag flag);
  std::vector<Hole> holes() const;
  void judge_order();
  void judge_aborted();
  void judge_middle(const std::vector<Loss>& losses);
  void judge_hole(const Hole& hole, std::vector<Loss>& losses,
                  const std::vector<std::int64_t>& begun_before,
                  const std::vector<std::int64_t>& over_behind);

  const std::string name_;
  const std::set<std::uint32_t>& not_ended_;
  Findings& findings_;
  std::map<std::uint64_t, std::unique_ptr<Page>> pages_;
  std::uint64_t page_at_ = kNone;
  Page* page_ = nullptr;
  std::map<std::uint32_t, Writer> writers_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> disputed_;  // offset, who: found already
  std::vector<ToldRun> runs_;
  std::vector<std::uint64_t> levels_[3];  // offsets told to have reached each
  std::uint64_t records_told_ = 0;
  std::uint64_t records_at_last_ = 0;
};

}  // namespace storm_check
