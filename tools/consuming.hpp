#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ringway/consumer.hpp"
#include "tools/reading_span.hpp"
#include "tools/record_printer.hpp"

namespace ringway::cli {

/// The loop from poll to standard output. Lives for one run of a verb, used by one thread; what it
/// is given outlives it.
class Consuming {
 public:
  struct Options {
    std::string topic;
    std::uint64_t count = 0;  ///< 0: no limit
    std::string cursor{};     ///< moved over what has left
  };

  Consuming(Options options, Consumer& consumer, ReadingSpan& span, RecordPrinter& printer)
      : options_(std::move(options)),
        consumer_(consumer),
        span_(span),
        printer_(printer),
        left_(options_.count != 0 ? options_.count : UINT64_MAX),
        wanted_(left_) {}

  /// Until the span's end, the count, a signal, or a reader that leaves. Throws Error.
  void run();

  bool damaged() const noexcept { return damaged_; }  ///< some of it does not verify
  bool ended() const noexcept { return ended_; }      ///< all that was wanted has left
  std::uint64_t records() const noexcept { return wanted_ - left_; }

 private:
  std::size_t take(const RecordBatch& batch);
  void go_back_before(const RecordBatch& batch);
  void note_gap(const Gap& gap);
  void say_gap();
  void judge(Status status);
  void finish_badly();
  bool flush();

  const Options options_;
  Consumer& consumer_;
  ReadingSpan& span_;
  RecordPrinter& printer_;
  std::uint64_t left_;
  const std::uint64_t wanted_;
  std::string out_;
  std::optional<Gap> gap_;
  bool damaged_ = false;
  bool ended_ = false;
  bool waits_ = false;
};

}  // namespace ringway::cli
