#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ledger.hpp"

namespace storm_check {

/// One named cursor, from one holder to the next.
struct CursorChain {
  std::uint64_t behind_seen = 0;  ///< offset behind the last record that a holder wrote down
  std::uint64_t kept = 0;         ///< where it was certain to stand
  std::int64_t kept_ns = 0;
};

/// What one consumer saw of one partition, line by line.
class ReaderStream {
 public:
  ReaderStream(std::string reader, Ledger& ledger, Findings& findings)
      : reader_(std::move(reader)), ledger_(ledger), findings_(findings) {}

  /// The place to begin with, if not the one that it says itself.
  void begin_at_first() { next_ = 0; }
  void begin_at(std::uint64_t position) { next_ = position; }
  void begin_behind(const CursorChain& chain, std::uint64_t position,
                    const std::vector<Loss>& losses);
  void saw(const Run& run);
  void gap(std::uint64_t from, std::uint64_t to, const std::string& reason, bool may_be);
  void watermarks(std::uint64_t durable, std::uint64_t written, std::uint64_t committed);
  void ended(std::uint64_t position, bool at_the_very_end);

  std::uint64_t next() const { return next_; }

 private:
  std::string at(std::uint64_t offset) const { return reader_ + " at " + ledger_.at(offset); }
  bool must_see_all_before(std::uint64_t offset);
  void must_be_told_of_gaps_before(std::uint64_t offset);

  const std::string reader_;
  Ledger& ledger_;
  Findings& findings_;
  std::uint64_t next_ = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> gaps_;  // told so far
  std::uint64_t levels_[3] = {};
};

}  // namespace storm_check
