#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "client/administration.hpp"
#include "shm/clock.hpp"
#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/consuming.hpp"
#include "tools/note.hpp"
#include "tools/number_option.hpp"
#include "tools/reading_span.hpp"
#include "tools/record_printer.hpp"
#include "tools/topic_error.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

struct ConsumeOptions {
  std::string topic;
  std::string offset;
  std::uint64_t count = 0;  // no limit
  bool until_end = false;
  std::vector<std::uint32_t> partitions;
  std::string cursor;
  bool protects = false;
  std::string format;
  bool meta_only = false;
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
    ConsumerOptions how{.partitions = options.partitions, .cursor = options.cursor};
    if (options.protects) how.protects = true;
    return bus.consumer(options.topic, how);
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
  Consuming consuming({options.topic, options.count, options.cursor}, consumer, span, printer);
  consuming.run();
  return consuming.damaged() ? Exit::error : Exit::ok;
}

}  // namespace

void add_consume(CommandLine& line) {
  const auto options = std::make_shared<ConsumeOptions>();
  CLI::App& verb = line.verb(
      {.name = "consume",
       .why = "Print the records of a topic, from wherever you like, and follow it. Without -f "
              "each value is printed with a newline. Gaps (overwritten, removed by retention, lost "
              "before they were written, lost on disk) are told on standard error; the last make "
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
                  "the start), -N (before the end), N, N:M, @TIME, @-DUR (so long ago), @T1:T2, "
                  "as @-1h:-1m (default end)")
      ->type_name("RANGE");
  add_number(verb, "-n,--num", options->count,
             "End after so many records over all partitions; 0 for no limit")
      ->type_name("COUNT");
  verb.add_flag("-e,--exit", options->until_end,
                "End when everything that was committed at the beginning is read");
  add_partitions(verb, options->partitions, "Read only these; repeatable, or with commas");
  CLI::Option* const cursor =
      verb.add_option("--cursor", options->cursor,
                      "Go on at this named position, and move it over what has been printed; one "
                      "holder at a time. -o counts where it has no position yet: to move one, "
                      "delete it first (ringway cursor delete)")
          ->type_name("CURSOR");
  verb.add_flag("--protect", options->protects,
                "Let the cursor hold what it has not read from retention and trim, until it is "
                "deleted; without this one that is new does not, and another stays as it is")
      ->needs(cursor);
  verb.add_option("-f,--format", options->format,
                  "What to print of each record: %t topic %p partition %o offset %k key %v value "
                  "%h{...} headers %d time in ms, %k{hex} %v{base64} %d{rfc3339}; \\n \\t; as rpk "
                  "has it, and all of it in ringway-consume(1)")
      ->type_name("FORMAT");
  verb.add_flag("--meta-only", options->meta_only,
                "Leave out the value: partition, offset, time and the lengths of key and value, "
                "or what -f says of the rest; in JSON key and headers, too");
}

}  // namespace ringway::cli
