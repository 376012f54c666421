#include "reader_stream.hpp"

#include <algorithm>

namespace storm_check {

/// A cursor never moves over what its last holder did not write down; and back from where it was
/// certain to stand only when all memory was lost since.
void ReaderStream::begin_behind(const CursorChain& chain, std::uint64_t position,
                                const std::vector<Loss>& losses) {
  next_ = chain.behind_seen;
  if (position > next_) {
    must_see_all_before(position);
  }
  const bool may_go_back = std::any_of(losses.begin(), losses.end(), [&](const Loss& loss) {
    return loss.of_all_memory() && loss.to_ns >= chain.kept_ns;
  });
  if (position < chain.kept && !may_go_back) {
    findings_.add("cursor taken back",
                  at(position) + ": it stood at " + std::to_string(chain.kept));
  }
  next_ = position;
}

bool ReaderStream::must_see_all_before(std::uint64_t offset) {
  const std::uint64_t missed = ledger_.next_at_last(next_);
  if (missed >= offset) return true;
  findings_.add("passed over", at(missed) + ": went on at " + std::to_string(offset));
  return false;
}

/// Where records went that a producer was told of, the reader is told that they did.
void ReaderStream::must_be_told_of_gaps_before(std::uint64_t offset) {
  std::uint64_t missing = next_;
  while ((missing = ledger_.next_told(missing)) < offset) {
    const auto gap = std::find_if(gaps_.begin(), gaps_.end(), [&](const auto& told) {
      return told.first <= missing && missing < told.second;
    });
    if (gap == gaps_.end()) {
      return findings_.add("passed over in silence",
                           at(missing) + ": went on at " + std::to_string(offset));
    }
    missing = gap->second;
  }
}

void ReaderStream::saw(const Run& run) {
  ledger_.seen(run);
  if (run.offset < next_) {
    findings_.add("delivered twice or out of order",
                  at(run.offset) + ": was at " + std::to_string(next_) + " already");
  } else if (run.offset > next_) {
    if (must_see_all_before(run.offset)) must_be_told_of_gaps_before(run.offset);
  }
  next_ = std::max(next_, run.offset + run.count);
}

void ReaderStream::gap(std::uint64_t from, std::uint64_t to, const std::string& reason,
                       bool may_be) {
  gaps_.emplace_back(from, to);
  if (!may_be || reason != "not_found") {
    findings_.add("gap without cause", at(from) + " up to " + std::to_string(to) + ": " + reason);
  }
  const std::uint64_t there = ledger_.next_at_last(from);
  if (there < to) findings_.add("gap without cause", at(there) + " is there");
}

void ReaderStream::watermarks(std::uint64_t durable, std::uint64_t written,
                              std::uint64_t committed) {
  // Read in this order, while they rise.
  const std::uint64_t now[] = {durable, written, committed};
  constexpr const char* kNames[] = {"durable", "written", "committed"};
  for (std::size_t i = 0; i < 3; ++i) {
    if (now[i] < levels_[i]) {
      findings_.add("level taken back",
                    at(now[i]) + ": " + kNames[i] + " stood at " + std::to_string(levels_[i]));
    }
    if (i > 0 && now[i] < now[i - 1]) {
      findings_.add("levels crossed", at(now[i]) + ": " + kNames[i] + " is behind " +
                                          kNames[i - 1] + " " + std::to_string(now[i - 1]));
    }
    levels_[i] = now[i];
  }
}

void ReaderStream::ended(std::uint64_t position, bool at_the_very_end) {
  must_see_all_before(position);
  const std::uint64_t missed = at_the_very_end ? ledger_.next_at_last(position) : kNone;
  if (missed != kNone) {
    findings_.add("not at the end", at(position) + ": " + std::to_string(missed) + " is there");
  }
}

}  // namespace storm_check
