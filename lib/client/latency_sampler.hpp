#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "layout/session.hpp"
#include "ringway/record.hpp"

namespace ringway {

/// Samples how long records take from their claim to the poll that gives them out, into the slot
/// where the supervisor looks: one of 1,021, and the first one behind a sleep. A poll that found
/// nothing counts like one record, so that who looks again and again has samples of rare records,
/// too. Only of what was published since start(): what was there before says nothing of how soon
/// records come. One consumer's; one thread at a time.
class LatencySampler {
 public:
  /// A prime: polls that are alike are sampled at all their places in turn.
  static constexpr std::size_t kEvery = 1021;

  /// The consumer is there, or was put elsewhere.
  void start(std::int64_t now_ns) noexcept { since_ns_ = now_ns; }
  /// It has slept: the next record is a sample.
  void slept() noexcept { left_ = 0; }

  /// A poll is about to give these out. `clock`, CLOCK_REALTIME in nanoseconds, is read where one
  /// of them is due as a sample, history or not.
  template <class Clock>
  [[gnu::always_inline]] void give_out(std::span<const RecordView> records, layout::Slot& slot,
                                       Clock&& clock) noexcept {
    const std::size_t passed = std::max<std::size_t>(records.size(), 1);
    if (passed <= left_) [[likely]] {
      left_ -= passed;
    } else if (!records.empty()) {
      take(records, slot, clock);
    }
  }

 private:
  template <class Clock>
  [[gnu::noinline, gnu::cold]] void take(std::span<const RecordView> records, layout::Slot& slot,
                                         Clock& clock) noexcept {
    const std::int64_t now = clock();
    since_ns_ = std::min(since_ns_, now);  // the clock was set back
    std::size_t at = left_;
    for (; at < records.size(); at += kEvery) {
      const std::int64_t published = records[at].timestamp_ns();
      if (published < since_ns_) continue;
      // Two processes' readings of one clock, or what a producer likes.
      const std::int64_t took = now > published ? now - published : 0;
      count(slot, std::min(static_cast<std::uint64_t>(took), layout::kLatencyNsMax));
    }
    left_ = at - records.size();
  }

  static void count(layout::Slot& slot, std::uint64_t ns) noexcept {
    // Relaxed: numbers for people; only this consumer writes them.
    const auto more = [](auto& word, auto by) {
      word.store(word.load(std::memory_order::relaxed) + by, std::memory_order::relaxed);
    };
    more(layout::latency_count(slot, layout::latency_bucket(ns)), std::uint32_t{1});
    more(slot.latency_sum_ns, ns);
  }

  std::size_t left_ = 0;  // records to be passed before the next sample
  std::int64_t since_ns_ = 0;
};

}  // namespace ringway
