#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "control/topic_settings.hpp"
#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/export_file.hpp"
#include "tools/number_option.hpp"
#include "tools/publisher.hpp"
#include "tools/quantity.hpp"
#include "tools/record_source.hpp"
#include "tools/stop_signal.hpp"
#include "tools/terminal.hpp"
#include "tools/topic_error.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

struct ImportOptions {
  std::string topic;
  std::string file = "-";
  std::uint64_t from_line = 2;
  bool create = false;
};

constexpr std::uint64_t kHeadBytesMax = std::uint64_t{1} << 20;
/// A byte is \u0000 at most, and an empty header 22 bytes where the ring has four.
constexpr std::uint64_t kGrowth = 6;

/// The lines of one file, with the name of each.
class Lines {
 public:
  explicit Lines(const std::string& file)
      : name_(file == "-" ? "standard input" : file),
        source_({file}, {.record_bytes_max = kHeadBytesMax,
                         .before_read = [this] { return !stopped(); }}) {}

  /// Of the topic whose lines come next.
  void expect_records_of(std::uint64_t record_bytes_max) noexcept {
    source_.limit(kHeadBytesMax + kGrowth * record_bytes_max);
  }

  /// From now on; it outlives this.
  void end_with(const StopSignal& stop) noexcept { stop_ = &stop; }

  /// Nothing behind the last one, or when asked to stop.
  std::optional<std::string_view> next() {
    InputRecord line;
    for (;;) {
      switch (read(line)) {
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
  /// Of the last one, from 1.
  std::uint64_t number() const noexcept { return number_; }
  /// The file ends with the last one, and no newline: written in part, if it makes no sense.
  bool undelimited() const noexcept { return source_.undelimited(); }
  std::string place() const { return fmt::format("{}, line {}", name_, number_); }
  const std::string& name() const noexcept { return name_; }

 private:
  RecordSource::Outcome read(InputRecord& line) {
    try {
      return source_.next(line);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::limit) throw;
      throw Error(ErrorCode::usage, error.thing(), "is longer than any line of such an export",
                  "give what 'ringway topic export' wrote");
    }
  }

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
    const Error missing = advised(error, options.topic);
    if (missing.code() != ErrorCode::not_found) throw missing;
    if (!options.create) {
      throw Error(missing.code(), missing.thing(), missing.rule(),
                  "add --create, and it is made with the settings that it had");
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
              "import it into a topic with as many, or into a new one with --create");
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

/// What `parse` makes of the line.
template <class Parse>
auto parsed(Parse parse, const Lines& lines, std::string_view line) {
  try {
    return parse(line, lines.place());
  } catch (const Error&) {
    const bool cut = lines.undelimited() && line.starts_with('{') && !nlohmann::json::accept(line);
    if (!cut) throw;
    throw Error(ErrorCode::failed, lines.place(), "is cut short: the file ends within it",
                "export the topic again");
  }
}

/// Another export behind the first one, as cat(1) makes it, must not be lost without a word.
void demand_end(Lines& lines) {
  if (!lines.next()) return;
  throw Error(ErrorCode::usage, lines.place(), "stands behind the last line of an export",
              "import one export at a time");
}

/// Of the lines between first and last. Throws where one is wrong, or there is no last one.
class Import {
 public:
  Import(Lines& lines, Publisher& publisher, const ImportOptions& options, std::uint32_t partitions)
      : lines_(lines), publisher_(publisher), options_(options), partitions_(partitions) {}

  void run() {
    try {
      while (const auto line = lines_.next()) {
        if (lines_.number() < options_.from_line) continue;
        const ExportedLine read = parsed(parse_export_line, lines_, *line);
        if (!read.record) return end(read.records);
        publish(*read.record);
        next_line_ = lines_.number() + 1;
      }
      throw end_is_missing();
    } catch (const Error& error) {
      throw with_progress(error);
    }
  }

 private:
  void publish(const ExportedRecord& record) {
    if (record.partition >= partitions_) {
      throw Error(ErrorCode::usage, lines_.place(),
                  fmt::format("its partition {} is not one of {}, as the first line has it",
                              record.partition, partitions_),
                  "give what 'ringway topic export' wrote");
    }
    cli::publish(publisher_, record);
  }

  void end(std::uint64_t records) {
    next_line_.reset();
    const std::uint64_t before = lines_.number() - 2;
    if (records == before) return demand_end(lines_);
    throw Error(ErrorCode::failed, lines_.place(),
                fmt::format("tells of {}, and {} came before it", counted(records, "record"),
                            before),
                "export the topic again");
  }

  Error end_is_missing() {
    if (lines_.stopped()) {
      return Error(ErrorCode::failed, lines_.name(), "interrupted", "import it again");
    }
    if (options_.from_line > 2 && options_.from_line > lines_.number()) {
      next_line_.reset();
      return Error(ErrorCode::usage, fmt::format("--from-line {}", options_.from_line),
                   fmt::format("{} has {}", lines_.name(), counted(lines_.number(), "line")),
                   "name one that it has");
    }
    return Error(ErrorCode::failed, lines_.name(), "is cut short: its last line is missing",
                 "export the topic again");
  }

  /// The error, and what is published all the same.
  Error with_progress(const Error& error) const {
    const std::uint64_t records = publisher_.records();
    return Error(error.code(), error.thing(),
                 fmt::format("{}; {} published", error.rule(),
                             records == 1 ? "1 record is" : fmt::format("{} records are", records)),
                 next_line_.value_or(2) == 2
                     ? error.fix()
                     : fmt::format("{}, and go on with --from-line {}", error.fix(), *next_line_));
  }

  Lines& lines_;
  Publisher& publisher_;
  const ImportOptions& options_;
  const std::uint32_t partitions_;
  /// The first that is not published; none where going on makes no sense.
  std::optional<std::uint64_t> next_line_ = options_.from_line;
};

Exit import_topic(const ImportOptions& options, const Common& common) {
  Bus bus = connect(common);
  Lines lines(options.file);
  const auto first = lines.next();
  if (!first) {
    throw Error(ErrorCode::usage, lines.name(), "is empty",
                "give what 'ringway topic export' wrote");
  }
  const ExportHead head = parsed(parse_export_head, lines, *first);
  demand_topic(bus, options, head);
  Producer producer = bus.producer(options.topic);
  const StopSignal stop(producer);
  lines.end_with(stop);
  lines.expect_records_of(producer.record_bytes_max());
  Publisher publisher(producer, stop, {.topic = options.topic, .patience = common.timeout});
  Import(lines, publisher, options, head.settings.partitions).run();
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
       .why = "Publish what 'ringway topic export' wrote: each record into the partition it had, "
              "in its order, with its key, headers and time. Offsets begin anew, behind what the "
              "topic has. Where a line is wrong, or the last one missing, what came before it is "
              "published, the error says how many records that are and the line to go on with, "
              "and the exit status is not 0.",
       .examples = "  ringway topic import copy orders.jsonl --create\n"
                   "  gzip -dc orders.jsonl.gz | ringway topic import orders"},
      [options](const Common& common) { return import_topic(*options, common); });
  verb.add_option("TOPIC", options->topic, "Topic to publish to, with as many partitions")
      ->required();
  verb.add_option("FILE", options->file, "File to read, '-' for standard input (the default)");
  add_number(verb, "--from-line", options->from_line,
             "Publish this line and what follows; those between the first and it are left out: "
             "to go on where an import ended (default 2)",
             {.low = 2});
  verb.add_flag("--create", options->create,
                "Create the topic, with the settings it had but for rights, if it is missing");
}

}  // namespace ringway::cli
