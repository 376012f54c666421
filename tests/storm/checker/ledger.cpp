#include "ledger.hpp"

#include <algorithm>

namespace storm_check {
namespace {

constexpr unsigned kProducerShift = 40;

std::uint64_t name_of(std::uint32_t producer, std::uint64_t sequence) {
  return std::uint64_t{producer} << kProducerShift | sequence;
}
std::string text_of(std::uint64_t who) {
  return "record " + std::to_string(who & ((std::uint64_t{1} << kProducerShift) - 1)) +
         " of producer " + std::to_string(who >> kProducerShift);
}

}  // namespace

Ledger::Page& Ledger::page(std::uint64_t offset) {
  const std::uint64_t at = offset / kPage;
  if (at != page_at_) {
    auto& found = pages_[at];
    if (!found) found = std::make_unique<Page>();
    page_at_ = at;
    page_ = found.get();
  }
  return *page_;
}

const Ledger::Page* Ledger::page_if_there(std::uint64_t offset) const {
  const auto found = pages_.find(offset / kPage);
  return found == pages_.end() ? nullptr : found->second.get();
}

bool Ledger::has(std::uint64_t offset, Flag flag) const {
  const Page* const found = page_if_there(offset);
  return found != nullptr && (found->flags[offset % kPage] & flag) != 0;
}

// What was said.

void Ledger::told(const Run& run, std::int64_t t0, std::int64_t t1) {
  Writer& writer = writers_[run.producer];
  if (run.sequence != writer.told) {
    findings_.add("unreadable", at(run.offset) + ": producer " + std::to_string(run.producer) +
                                    " was told " + std::to_string(run.sequence) + " after " +
                                    std::to_string(writer.told));
  }
  writer.told = run.sequence + run.count;
  writer.last_told_ns = std::max(writer.last_told_ns, t1);
  for (std::uint64_t i = 0; i < run.count; ++i) {
    place(run.offset + i, run.producer, run.sequence + i, kTold);
  }
  runs_.push_back({run.offset, run.count, t0, t1});
  records_told_ += run.count;
}

void Ledger::told_level(Level level, std::uint64_t offset) {
  levels_[static_cast<std::size_t>(level)].push_back(offset);
}

void Ledger::aborted(std::uint64_t offset, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i)
    page(offset + i).flags[(offset + i) % kPage] |= kAborted;
}

void Ledger::at_last(const Run& run) {
  for (std::uint64_t i = 0; i < run.count; ++i) {
    note(run.offset + i, run.producer, run.sequence + i, kAtLast);
  }
  records_at_last_ += run.count;
}

void Ledger::seen(const Run& run) {
  for (std::uint64_t i = 0; i < run.count; ++i) {
    note(run.offset + i, run.producer, run.sequence + i, kSeen);
  }
}

/// Somebody saw it: it must be what its producer made there.
void Ledger::note(std::uint64_t offset, std::uint32_t producer, std::uint64_t sequence, Flag flag) {
  Page& here = page(offset);
  const std::uint64_t who = name_of(producer, sequence);
  const std::uint64_t known = here.who[offset % kPage];
  here.flags[offset % kPage] |= flag;
  if (known == who) return;
  const auto writer = writers_.find(producer);
  const std::uint64_t told = writer == writers_.end() ? 0 : writer->second.told;
  const std::uint64_t untold = not_ended_.contains(producer) ? kUntoldMax : 0;
  if (sequence >= told + untold) {
    if (!disputed_.emplace(offset, who).second) return;
    findings_.add("invented", at(offset) + ": " + text_of(who) + ", whose producer was told " +
                                  std::to_string(told));
    return;
  }
  place(offset, producer, sequence, flag);
}

void Ledger::place(std::uint64_t offset, std::uint32_t producer, std::uint64_t sequence,
                   Flag flag) {
  Page& here = page(offset);
  const std::uint64_t who = name_of(producer, sequence);
  std::uint64_t& known = here.who[offset % kPage];
  here.flags[offset % kPage] |= flag;
  if (known != 0 && known != who) {
    if (!disputed_.emplace(offset, who).second) return;
    findings_.add("offset names two records",
                  at(offset) + ": " + text_of(known) + " and " + text_of(who));
    return;
  }
  known = who;
  auto& offset_of = writers_[producer].offset_of;
  if (offset_of.size() <= sequence) offset_of.resize(sequence + 1, kNone);
  if (offset_of[sequence] != kNone && offset_of[sequence] != offset) {
    findings_.add("doubled", text_of(who) + " at " + at(offset_of[sequence]) + " and at " +
                                 std::to_string(offset));
    return;
  }
  offset_of[sequence] = offset;
}

void Ledger::watermarks_at_last(std::uint64_t durable, std::uint64_t written,
                                std::uint64_t committed) {
  const std::uint64_t at_last[] = {committed, written, durable};
  constexpr const char* kNames[] = {"committed", "written", "durable"};
  for (std::size_t level = 0; level < 3; ++level) {
    if (levels_[level].empty()) continue;
    const std::uint64_t most = *std::max_element(levels_[level].begin(), levels_[level].end());
    if (most < at_last[level]) continue;
    findings_.add("level taken back", at(most) + " was told to be " + kNames[level] +
                                          "; at last this level stands at " +
                                          std::to_string(at_last[level]));
  }
}

std::uint64_t Ledger::next(std::uint64_t offset, Flag flag) const {
  for (auto page = pages_.lower_bound(offset / kPage); page != pages_.end(); ++page) {
    const std::uint64_t begin = page->first * kPage;
    for (std::uint64_t i = offset > begin ? offset - begin : 0; i < kPage; ++i) {
      if ((page->second->flags[i] & flag) != 0) return begin + i;
    }
  }
  return kNone;
}

// What has to be true of it.

void Ledger::judge(std::vector<Loss>& losses) {
  judge_order();
  judge_aborted();
  judge_middle(losses);

  // Of what is there at last: begun_before[i] is the latest beginning of runs_[0..i],
  // over_behind[i] the earliest end of runs_[i..].
  std::sort(runs_.begin(), runs_.end(),
            [](const ToldRun& a, const ToldRun& b) { return a.offset < b.offset; });
  std::vector<std::int64_t> begun_before(runs_.size());
  std::vector<std::int64_t> over_behind(runs_.size());
  std::int64_t latest = std::numeric_limits<std::int64_t>::min();
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    if (has(runs_[i].offset, kAtLast)) latest = std::max(latest, runs_[i].t0);
    begun_before[i] = latest;
  }
  std::int64_t earliest = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = runs_.size(); i-- > 0;) {
    if (has(runs_[i].offset + runs_[i].count - 1, kAtLast)) {
      earliest = std::min(earliest, runs_[i].t1);
    }
    over_behind[i] = earliest;
  }
  for (const Hole& hole : holes()) judge_hole(hole, losses, begun_before, over_behind);
}

void Ledger::judge_order() {
  for (const auto& [producer, writer] : writers_) {
    std::uint64_t before = kNone;
    for (std::uint64_t sequence = 0; sequence < writer.offset_of.size(); ++sequence) {
      const std::uint64_t offset = writer.offset_of[sequence];
      if (offset == kNone) continue;
      if (before != kNone && offset <= before) {
        findings_.add("reordered", at(offset) + ": " + text_of(name_of(producer, sequence)) +
                                       " comes behind its successors, which are at " +
                                       std::to_string(before));
      }
      before = offset;
    }
  }
}

void Ledger::judge_aborted() {
  for (const auto& [index, page] : pages_) {
    for (std::uint64_t i = 0; i < kPage; ++i) {
      if ((page->flags[i] & kAborted) != 0 && (page->flags[i] & (kSeen | kAtLast)) != 0) {
        findings_.add("aborted but seen", at(index * kPage + i));
      }
    }
  }
}

/// What a producer published between two records that are known was committed before the second,
/// whether or not its line was written.
void Ledger::judge_middle(const std::vector<Loss>& losses) {
  for (const auto& [producer, writer] : writers_) {
    const bool may_be_gone = std::any_of(losses.begin(), losses.end(), [&](const Loss& loss) {
      return loss.concerns(name_) && loss.to_ns >= writer.last_told_ns;
    });
    if (may_be_gone) continue;
    for (std::uint64_t sequence = 0; sequence < writer.offset_of.size(); ++sequence) {
      if (writer.offset_of[sequence] != kNone) continue;
      findings_.add("lost", name_ + ": " + text_of(name_of(producer, sequence)) +
                                ", whose successors are there");
    }
  }
}

std::vector<Ledger::Hole> Ledger::holes() const {
  std::vector<Hole> holes;
  Hole hole;
  const auto close = [&](std::uint64_t next) {
    hole.next = next;
    if (!hole.missing.empty()) holes.push_back(std::move(hole));
    hole = {};
  };
  for (const auto& [index, page] : pages_) {
    for (std::uint64_t i = 0; i < kPage; ++i) {
      const std::uint8_t flags = page->flags[i];
      if ((flags & kAtLast) != 0) {
        close(index * kPage + i);
      } else if ((flags & (kTold | kSeen)) != 0) {
        hole.missing.push_back(index * kPage + i);
      }
    }
  }
  close(kNone);
  return holes;
}

/// What is missing may be so only where one ring ended with a loss of all memory and the next
/// began, or where it left the ring while the disk refused: all that is there before it began to be
/// published before the loss, all that is there behind it was published after it, and nothing of it
/// was told to be written.
void Ledger::judge_hole(const Hole& hole, std::vector<Loss>& losses,
                        const std::vector<std::int64_t>& begun_before,
                        const std::vector<std::int64_t>& over_behind) {
  const std::uint64_t first = hole.missing.front();
  const auto run_at = [&](std::uint64_t offset) {
    return std::upper_bound(runs_.begin(), runs_.end(), offset,
                            [](std::uint64_t at, const ToldRun& run) { return at < run.offset; });
  };
  const auto before = run_at(first);
  const std::int64_t begun = before == runs_.begin() ? std::numeric_limits<std::int64_t>::min()
                                                     : begun_before[before - runs_.begin() - 1];
  const auto after = hole.next == kNone ? runs_.end() : run_at(hole.next - 1);
  const std::int64_t over = after == runs_.end() ? std::numeric_limits<std::int64_t>::max()
                                                 : over_behind[after - runs_.begin()];
  const auto loss = std::find_if(losses.begin(), losses.end(), [&](const Loss& one) {
    return one.concerns(name_) && begun <= one.to_ns && over >= one.from_ns;
  });

  // How many of the missing lie at or before an offset that was told the level, in the same ring.
  const std::uint64_t ring_end = loss != losses.end() ? hole.next : kNone;
  const auto behind = [&](Level level) {
    std::uint64_t count = 0;
    for (const std::uint64_t offset : levels_[static_cast<std::size_t>(level)]) {
      if (offset < first || offset >= ring_end) continue;
      const auto end = std::upper_bound(hole.missing.begin(), hole.missing.end(), offset);
      count = std::max<std::uint64_t>(count, end - hole.missing.begin());
    }
    return count;
  };
  const std::uint64_t durable = behind(Level::durable);
  const std::uint64_t written = std::max(durable, behind(Level::written));
  const std::uint64_t other = hole.missing.size() - written;
  std::string where = at(first);
  if (hole.missing.size() > 1) {
    where += " and " + std::to_string(hole.missing.size() - 1) + " more up to " +
             std::to_string(hole.missing.back());
  }
  if (durable > 0) findings_.add("lost though durable", where, durable);
  if (written > durable) findings_.add("lost though written", where, written - durable);
  if (loss != losses.end()) {
    loss->records += other;
  } else if (other > 0) {
    findings_.add("lost", where, other);
  }
}

}  // namespace storm_check
