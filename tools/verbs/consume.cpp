#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <utility>

#include "client/administration.hpp"
#include "shm/clock.hpp"
#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/gap_note.hpp"
#include "tools/number_option.hpp"
#include "tools/reading_span.hpp"
#include "tools/record_printer.hpp"
#include "tools/stop_signal.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

constexpr std::size_t kPollRecords = 1024;
constexpr std::size_t kFlushBytes = 256 * 1024;
constexpr std::chrono::milliseconds kIdle{250};

struct ConsumeOptions {
  std::string topic;
  std::string offset;
  std::uint64_t count = 0;  // no limit
  bool until_end = false;
  std::vector<std::uint32_t> partitions;
  std::string cursor;
  std::string format;
  bool meta_only = false;
};

/// The loop from poll to standard output. Lives for one run of the verb.
class Consuming {
 public:
  Consuming(const ConsumeOptions& options, Consumer& consumer, ReadingSpan& span,
            RecordPrinter& printer)
      : options_(options),
        consumer_(consumer),
        span_(span),
        printer_(printer),
        left_(options.count != 0 ? options.count : UINT64_MAX) {}

  Exit run() {
    const StopSignal stop(consumer_);
    while (left_ > 0 && !span_.finished(shm::realtime_ns()) && !stop.requested()) {
      const std::size_t wanted = std::min<std::uint64_t>(kPollRecords, left_);
      if (take(consumer_.poll(wanted)) > 0) {
        if (out_.size() >= kFlushBytes && !flush()) return verdict();
        continue;
      }
      // Nothing more for now: what there is goes out before the wait.
      if (!flush()) return verdict();
      if (span_.finished(shm::realtime_ns())) break;
      take(consumer_.poll(wanted, kIdle));
    }
    printer_.end(out_);
    static_cast<void>(flush());
    return verdict();
  }

 private:
  std::size_t take(const RecordBatch& batch) {
    const RecordPrinter::Mark before = printer_.mark(out_);
    const std::uint64_t left_before = left_;
    for (const RecordView& record : batch) {
      if (!span_.wants(record)) continue;
      printer_.append(out_, record);
      --left_;
    }
    const Status intact = batch.empty() ? Status::ok : consumer_.validate();
    if (intact != Status::ok) {
      printer_.rewind(out_, before);
      left_ = left_before;
    }
    if (intact == Status::lapped) {  // written over while it was looked at
      for (const RecordView& record : batch) {
        note_gap({record.partition(), record.offset(), record.offset() + 1, Status::lapped});
      }
    }
    if (intact == Status::quarantined) {  // no longer there: the cursor stays in front of it
      std::map<std::uint32_t, std::uint64_t> first;
      for (const RecordView& record : batch) first.try_emplace(record.partition(), record.offset());
      for (const auto& [partition, offset] : first) {
        static_cast<void>(consumer_.seek(partition, at_offset(offset)));
      }
      judge(intact);
    }
    const Status status = batch.status();
    const std::size_t records = batch.size();
    consumer_.advance();  // nobody waits for them while the output is blocked: they are text now
    for (const Gap& gap : consumer_.take_gaps()) note_gap(gap);
    say_gap();
    judge(status);
    return records;
  }

  /// Joins what hangs together, so that it is one line.
  void note_gap(const Gap& gap) {
    if (gap_ && gap_->partition == gap.partition && gap_->to == gap.from &&
        gap_->reason == gap.reason) {
      gap_->to = gap.to;
      return;
    }
    say_gap();
    gap_ = gap;
  }
  void say_gap() {
    if (!gap_) return;
    damaged_ = damaged_ || gap_->reason == Status::corrupt;
    note(gap_note(options_.topic, *gap_, consumer_.first_offset(gap_->partition)));
    gap_.reset();
  }

  void judge(Status status) {
    if (status != Status::disconnected) {
      waits_ = false;
    } else if (!std::exchange(waits_, true)) {
      note("waiting for the supervisor: what comes next is on disk");
    }
    switch (status) {
      case Status::quarantined:
        finish_badly();
        throw Error(ErrorCode::failed, topic_thing(options_.topic),
                    "a ring's content is corrupt: what follows cannot be read",
                    fmt::format("see: ringway inspect {}", shell_quoted(options_.topic)));
      case Status::closed:
        finish_badly();
        throw Error(ErrorCode::not_found, topic_thing(options_.topic),
                    "it was deleted, or the right to read it was taken away",
                    "see: ringway topic list");
      default:
        break;  // gaps were told; the rest passes
    }
  }
  void finish_badly() {
    printer_.end(out_);
    static_cast<void>(flush());
  }

  /// False when nobody reads any more. A cursor moves only over what has left.
  bool flush() {
    if (!out_.empty() && write_all(STDOUT_FILENO, out_) != Written::all) return false;
    out_.clear();
    if (!options_.cursor.empty()) static_cast<void>(consumer_.commit());
    return true;
  }

  Exit verdict() const { return damaged_ ? Exit::error : Exit::ok; }

  const ConsumeOptions& options_;
  Consumer& consumer_;
  ReadingSpan& span_;
  RecordPrinter& printer_;
  std::uint64_t left_;
  std::string out_;
  std::optional<Gap> gap_;
  bool damaged_ = false;
  bool waits_ = false;
};

/// Which partitions the named cursor has a position in.
std::vector<bool> kept_positions(const Bus& bus, const ConsumeOptions& options,
                                 std::uint32_t partitions) {
  std::vector<bool> kept(partitions, false);
  if (options.cursor.empty()) return kept;
  for (const control::CursorListing& cursor : Administration(bus).cursors(options.topic)) {
    if (cursor.name != options.cursor) continue;
    for (std::size_t p = 0; p < std::min(kept.size(), cursor.offsets.size()); ++p) {
      kept[p] = cursor.offsets[p].has_value();
    }
  }
  return kept;
}

Consumer open_consumer(Bus& bus, const ConsumeOptions& options) {
  try {
    return bus.consumer(options.topic,
                        {.partitions = options.partitions, .cursor = options.cursor});
  } catch (const Error& error) {
    throw advised(error, options.topic);
  }
}

Exit consume(const ConsumeOptions& options, const Common& common) {
  RecordPrinter printer(options.topic, common.format, options.format,
                        options.meta_only ? Detail::meta_only : Detail::all);
  const std::string offset = options.offset.empty() ? "end" : options.offset;
  const OffsetRange range = parse_offset_range("-o", offset, shm::realtime_ns());
  if (range.to && !options.cursor.empty()) {
    throw Error(ErrorCode::usage, fmt::format("-o '{}'", offset), "a cursor has a start and no end",
                "use -e or -n to end, or read the range without --cursor");
  }
  Bus bus = connect(common);
  Consumer consumer = open_consumer(bus, options);
  const std::vector<bool> kept = kept_positions(bus, options, consumer.partitions());
  if (!options.offset.empty() && std::find(kept.begin(), kept.end(), true) != kept.end()) {
    note(fmt::format("cursor '{}' has a position and goes on there; -o counts where it has none",
                     options.cursor));
  }
  ReadingSpan span(consumer);
  span.start(options.topic, range, kept,
             options.until_end ? ReadingSpan::AtEnd::end : ReadingSpan::AtEnd::wait);
  return Consuming(options, consumer, span, printer).run();
}

}  // namespace

void add_consume(CommandLine& line) {
  const auto options = std::make_shared<ConsumeOptions>();
  CLI::App& verb = line.verb(
      {.name = "consume",
       .why = "Print the records of a topic, from wherever you like, and follow it. Without -f "
              "each value is printed with a newline. Gaps (overwritten, removed by retention, lost "
              "before they were written, damaged) are told on standard error; damaged ones make "
              "the exit status 1. SIGINT ends it with 0.",
       .examples = "  ringway consume orders                          # what comes from now on\n"
                   "  ringway consume orders -o start -e              # everything there is\n"
                   "  ringway consume orders -o -10 -n 10 -f '%p %o %k %v\\n'\n"
                   "  ringway consume orders -o @-1h:end --output jsonl\n"
                   "  ringway consume orders --cursor billing         # goes on where it was"},
      [options](const Common& common) { return consume(*options, common); });
  verb.add_option("TOPIC", options->topic, "Topic to read")->required();
  verb.add_option("-o,--offset", options->offset,
                  "Where to start, and perhaps to end, in each partition: start, end, +N (behind "
                  "the start), -N (before the end), N, N:M, @TIME, @-DUR (so long ago), @T1:T2 "
                  "(default end)")
      ->type_name("RANGE");
  add_number(verb, "-n,--num", options->count,
             "End after so many records over all partitions; 0 for no limit")
      ->type_name("COUNT");
  verb.add_flag("-e,--exit", options->until_end,
                "End when everything that was committed at the beginning is read");
  add_partitions(verb, options->partitions, "Read only these; repeatable, or with commas");
  verb.add_option("--cursor", options->cursor,
                  "Go on at this named position, and move it over what has been printed; one "
                  "holder at a time. -o counts where it has no position yet")
      ->type_name("CURSOR");
  verb.add_option("-f,--format", options->format,
                  "What to print of each record: %t topic %p partition %o offset %k key %v value "
                  "%h{...} headers %d time in ms, %k{hex} %v{base64} %d{rfc3339} and so on as in "
                  "rpk; \\n \\t")
      ->type_name("FORMAT");
  verb.add_flag("--meta-only", options->meta_only,
                "Leave out the value: partition, offset, time and the lengths of key and value, "
                "or what -f says of the rest; in JSON key and headers, too");
}

}  // namespace ringway::cli
