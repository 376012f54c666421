#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "control/topic_settings.hpp"
#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/export_file.hpp"
#include "tools/publisher.hpp"
#include "tools/record_source.hpp"
#include "tools/stop_signal.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

struct ImportOptions {
  std::string topic;
  std::string file = "-";
  bool create = false;
};

/// The lines of one file, with the name of each.
class Lines {
 public:
  explicit Lines(const std::string& file)
      : name_(file == "-" ? "standard input" : file),
        source_({file}, {.before_read = [this] { return !stopped(); }}) {}

  /// From now on; it outlives this.
  void end_with(const StopSignal& stop) noexcept { stop_ = &stop; }

  /// Nothing behind the last one, or when asked to stop.
  std::optional<std::string_view> next() {
    InputRecord line;
    for (;;) {
      switch (source_.next(line)) {
        case RecordSource::Outcome::record:
          ++number_;
          return line.value;
        case RecordSource::Outcome::end:
          return std::nullopt;
        case RecordSource::Outcome::interrupted:
          if (stopped()) return std::nullopt;
      }
    }
  }
  /// Since end_with(): then what is missing may be in the file.
  bool stopped() const noexcept { return stop_ != nullptr && stop_->requested(); }
  std::string place() const { return fmt::format("{}, line {}", name_, number_); }
  const std::string& name() const noexcept { return name_; }

 private:
  std::string name_;
  const StopSignal* stop_ = nullptr;
  RecordSource source_;
  std::uint64_t number_ = 0;
};

void demand_topic(Bus& bus, const ImportOptions& options, const ExportHead& head) {
  TopicSettings settings;
  try {
    settings = bus.settings(options.topic);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found || !options.create) {
      throw advised(error, options.topic);
    }
    TopicChoices choices = control::topic_choices_from_json(control::to_json(head.settings));
    choices.readers.clear();  // accounts of another host may be nobody's here
    choices.writers.clear();
    choices.admins.clear();
    bus.create_topic(options.topic, choices);
    return;
  }
  if (settings.partitions == head.settings.partitions) return;
  throw Error(ErrorCode::usage, topic_thing(options.topic),
              fmt::format("it has {} partitions, the export {}", settings.partitions,
                          head.settings.partitions),
              "import it into a topic with as many; --create makes one");
}

void publish(Publisher& publisher, const ExportedRecord& record) {
  std::vector<Header> headers;
  for (const auto& header : record.headers) headers.push_back({header.key, header.value});
  PublishOptions options{.headers = headers,
                         .partition = record.partition,
                         .timestamp_ns = record.timestamp_ns};
  if (record.key) options.key = *record.key;
  publisher.publish(record.value, options);
}

/// Another export behind the first one, as cat(1) makes it, must not be lost without a word.
void demand_end(Lines& lines) {
  if (!lines.next()) return;
  throw Error(ErrorCode::usage, lines.place(),
              "stands behind the last line of an export; what came before it is published",
              "import one export at a time");
}

/// Until the last line. Throws where there is none.
void publish_all(Lines& lines, Publisher& publisher, std::uint32_t partitions) {
  while (const auto line = lines.next()) {
    const ExportedLine read = parse_export_line(*line, lines.place());
    if (!read.record) {
      if (read.records == publisher.records()) return demand_end(lines);
      throw Error(ErrorCode::failed, lines.place(),
                  fmt::format("tells of {} records, and {} came before it", read.records,
                              publisher.records()),
                  "export the topic again");
    }
    if (read.record->partition >= partitions) {
      throw Error(ErrorCode::usage, lines.place(),
                  fmt::format("its partition {} is not one of {}, as the first line has it",
                              read.record->partition, partitions),
                  "give what 'ringway topic export' wrote");
    }
    publish(publisher, *read.record);
  }
  if (lines.stopped()) {
    throw Error(ErrorCode::failed, lines.name(),
                fmt::format("interrupted; {} records are published", publisher.records()),
                "import it into a new topic, or without the lines of those records");
  }
  throw Error(ErrorCode::failed, lines.name(),
              fmt::format("is cut short: behind {} records its last line is missing",
                          publisher.records()),
              "export the topic again; what was read is published");
}

Exit import_topic(const ImportOptions& options, const Common& common) {
  Bus bus = connect(common);
  Lines lines(options.file);
  const auto first = lines.next();
  if (!first) {
    throw Error(ErrorCode::usage, lines.name(), "is empty",
                "give what 'ringway topic export' wrote");
  }
  const ExportHead head = parse_export_head(*first, lines.place());
  demand_topic(bus, options, head);
  Producer producer = bus.producer(options.topic);
  const StopSignal stop(producer);
  lines.end_with(stop);
  Publisher publisher(producer, stop, {.topic = options.topic, .patience = common.timeout});
  publish_all(lines, publisher, head.settings.partitions);
  Report report;
  report.add("Topic", "topic", Cell::of_text(options.topic));
  report.add("Records", "records", Cell::of_number(publisher.records()));
  report.add("Bytes", "bytes", Cell::of_bytes(publisher.bytes()));
  static_cast<void>(
      write_all(STDOUT_FILENO, report.render(common.format, style_of(STDOUT_FILENO))));
  return Exit::ok;
}

}  // namespace

void add_topic_import(CommandLine& line) {
  const auto options = std::make_shared<ImportOptions>();
  CLI::App& verb = line.verb(
      {.noun = "topic",
       .name = "import",
       .why = "Publish what 'ringway topic export' wrote: each record into the partition it had, in "
              "its order, with its key, headers and time. Offsets begin anew, behind what the "
              "topic has. Where a line is wrong, or the last one missing, what came before it is "
              "published, and the exit status is not 0.",
       .examples = "  ringway topic import copy orders.jsonl --create\n"
                   "  gzip -dc orders.jsonl.gz | ringway topic import orders"},
      [options](const Common& common) { return import_topic(*options, common); });
  verb.add_option("TOPIC", options->topic, "Topic to publish to, with as many partitions")
      ->required();
  verb.add_option("FILE", options->file, "File to read, '-' for standard input (the default)");
  verb.add_flag("--create", options->create,
                "Create the topic, with the settings it had but for rights, if it is missing");
}

}  // namespace ringway::cli
