#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "client/administration.hpp"
#include "shm/clock.hpp"
#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/consuming.hpp"
#include "tools/export_file.hpp"
#include "tools/number_option.hpp"
#include "tools/terminal.hpp"
#include "tools/topic_error.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

struct ExportOptions {
  std::string topic;
  std::string offset = "start";
  std::vector<std::uint32_t> partitions;
};

Exit export_topic(const ExportOptions& options, const Common& common) {
  const OffsetRange range = parse_offset_range("-o", options.offset, shm::realtime_ns());
  RecordPrinter printer(options.topic, Format::jsonl, "", Detail::all);
  Bus bus = connect(common);
  try {
    const TopicSettings settings = Administration(bus).describe(options.topic).settings;
    Consumer consumer = bus.consumer(options.topic, {.partitions = options.partitions});
    ReadingSpan span(consumer);
    span.start(options.topic, range, std::vector<bool>(consumer.partitions(), false),
               ReadingSpan::AtEnd::end);
    if (write_all(STDOUT_FILENO, export_head(options.topic, settings)) != Written::all) {
      return Exit::error;
    }
    Consuming consuming({.topic = options.topic}, consumer, span, printer);
    consuming.run();
    if (!consuming.ended()) return Exit::error;
    static_cast<void>(write_all(STDOUT_FILENO, export_end(consuming.records())));
    return consuming.damaged() ? Exit::error : Exit::ok;
  } catch (const Error& error) {
    throw advised(error, options.topic);
  }
}

}  // namespace

void add_topic_export(CommandLine& line) {
  const auto options = std::make_shared<ExportOptions>();
  CLI::App& verb = line.verb(
      {.noun = "topic",
       .name = "export",
       .why = "Write a topic's records to standard output, as lines of JSON that 'ringway topic "
              "import' reads, here or on another host: all that was committed when it began. The "
              "first line has the topic's settings, the last one the number of records, each other "
              "a record as 'ringway consume --output jsonl' prints it: partition, timestamp_ns, "
              "key, value and headers of it are read again, bytes that are not UTF-8 are "
              "{\"base64\":\"...\"}. Gaps are told on standard error; damaged ones make the exit "
              "status 1, as does being interrupted, and then the last line is missing.",
       .examples = "  ringway topic export orders >orders.jsonl\n"
                   "  ringway topic export orders -o @-1h:end | gzip >orders.jsonl.gz"},
      [options](const Common& common) { return export_topic(*options, common); });
  verb.add_option("TOPIC", options->topic, "Topic to read")->required();
  verb.add_option("-o,--offset", options->offset,
                  "Where to start, and perhaps to end, in each partition, as for consume: N, N:M, "
                  "+N, -N, @TIME, @-DUR (so long ago), @T1:T2 (default start)")
      ->type_name("RANGE");
  add_partitions(verb, options->partitions, "Only these; repeatable, or with commas");
}

}  // namespace ringway::cli
