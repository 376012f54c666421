#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>

#include "client/header_codec.hpp"
#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/escape.hpp"
#include "tools/note.hpp"
#include "tools/number_option.hpp"
#include "tools/publisher.hpp"
#include "tools/quantity.hpp"
#include "tools/terminal.hpp"
#include "tools/topic_error.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct ProduceOptions {
  std::string topic;
  std::vector<std::string> files;
  std::optional<std::string> key_delimiter;
  std::vector<std::string> headers;
  std::optional<std::uint32_t> partition;
  std::string delimiter = "\\n";
  bool length_prefixed = false;
  std::string wait = "committed";
  std::optional<std::uint64_t> rate;
  bool create = false;
  bool exclusive = false;
};

Level parse_level(const std::string& text) {
  if (text == "committed") return Level::committed;
  if (text == "written") return Level::written;
  if (text == "durable") return Level::durable;
  throw Error(ErrorCode::usage, fmt::format("--wait '{}'", text), "no such level",
              "write committed, written or durable");
}

std::vector<Header> parse_headers(const std::vector<std::string>& texts) {
  std::vector<Header> headers;
  for (const std::string_view text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) {
      throw Error(ErrorCode::usage, fmt::format("-H '{}'", text), "a header is key=value",
                  "write it as -H trace=17");
    }
    headers.push_back({.key = text.substr(0, equals), .value = text.substr(equals + 1)});
  }
  return headers;
}

std::size_t headers_bytes(const std::vector<Header>& headers) {
  const auto bytes = encoded_bytes(headers);
  if (!bytes) {
    throw Error(ErrorCode::usage, "-H", "all headers together have at most 65,535 bytes",
                "shorten them");
  }
  return *bytes;
}

/// Lets records pass at a steady pace, as fast as they come when there is none.
class Pace {
 public:
  explicit Pace(std::optional<std::uint64_t> records_per_s)
      : records_per_s_(records_per_s), start_(Clock::now()) {}

  /// Sleeps until the next record is due; returns early for a signal.
  void wait() noexcept {
    if (!records_per_s_) return;
    const std::uint64_t rate = *records_per_s_;
    const auto due = start_ + std::chrono::seconds(passed_ / rate) +
                     std::chrono::nanoseconds(passed_ % rate * 1'000'000'000 / rate);
    ++passed_;
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(due - Clock::now());
    if (left < kShortest) return;
    const timespec length{.tv_sec = left.count() / 1'000'000'000,
                          .tv_nsec = left.count() % 1'000'000'000};
    static_cast<void>(nanosleep(&length, nullptr));
  }
  bool steady() const noexcept { return records_per_s_.has_value(); }

 private:
  // A sleep takes about that long too much: high rates go in small bursts.
  static constexpr std::chrono::microseconds kShortest{100};

  std::optional<std::uint64_t> records_per_s_;
  Clock::time_point start_;
  std::uint64_t passed_ = 0;
};

Producer open_producer(Bus& bus, const ProduceOptions& options) {
  const ProducerOptions wanted{.partition = options.partition, .exclusive = options.exclusive};
  try {
    return bus.producer(options.topic, wanted);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found || !options.create) {
      throw advised(error, options.topic);
    }
  }
  try {
    bus.create_topic(options.topic);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::exists) throw;  // somebody was faster
  }
  return bus.producer(options.topic, wanted);
}

/// A topic without a log has one level only.
void check_level(Bus& bus, const ProduceOptions& options, Level level) {
  if (level == Level::committed) return;
  try {
    if (bus.settings(options.topic).persist) return;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::denied) return;  // who may write need not be shown settings
    throw;
  }
  throw Error(ErrorCode::usage, fmt::format("--wait {}", options.wait),
              fmt::format("{} keeps no log (--no-persist)", topic_thing(options.topic)),
              "wait for committed");
}

void summarize(const Publisher& publisher, std::chrono::nanoseconds taken, Format format) {
  const double seconds = std::chrono::duration<double>(taken).count();
  if (format == Format::table) {
    const auto rate = seconds > 0 ? static_cast<double>(publisher.records()) / seconds : 0;
    note(fmt::format("{}, {} in {} ({:.0f} records/s)", counted(publisher.records(), "record"),
                     counted(publisher.bytes(), "byte"), format_duration(taken), rate));
    return;
  }
  Json object = Json::object();
  object["records"] = publisher.records();
  object["bytes"] = publisher.bytes();
  object["seconds"] = seconds;
  static_cast<void>(write_all(STDOUT_FILENO, object.dump() + "\n"));
}

void publish_all(RecordSource& source, Publisher& publisher, Pace pace, const StopSignal& stop) {
  InputRecord record;
  for (;;) {
    const RecordSource::Outcome outcome = source.next(record);
    if (outcome == RecordSource::Outcome::end) break;
    if (outcome == RecordSource::Outcome::interrupted) {
      if (stop.requested()) break;
      continue;
    }
    pace.wait();
    // What was read goes out first; at a steady pace that could be a day's work.
    if (pace.steady() && stop.requested()) break;
    publisher.publish(record);
  }
  publisher.wait();
}

Exit produce(const ProduceOptions& options, const Common& common) {
  const Level level = parse_level(options.wait);
  const std::vector<Header> headers = parse_headers(options.headers);
  const std::size_t extra_bytes = headers_bytes(headers);
  SourceOptions source_options;
  source_options.framing = options.length_prefixed ? Framing::length_prefixed : Framing::delimited;
  source_options.delimiter = unescape("-D", options.delimiter);
  if (options.key_delimiter) {
    source_options.key_delimiter = unescape("-K", *options.key_delimiter);
  }

  Bus bus = connect(common);
  Producer producer = open_producer(bus, options);
  check_level(bus, options, level);
  const StopSignal stop(producer);
  ProgressLine progress;
  const bool shows_progress = progress.visible() && isatty(STDIN_FILENO) == 0;  // nobody types
  Publisher publisher(
      producer, stop,
      {.topic = options.topic, .headers = headers, .level = level, .patience = common.timeout});
  source_options.record_bytes_max =
      producer.record_bytes_max() - extra_bytes +
      (options.key_delimiter ? source_options.key_delimiter->size() : 0);
  source_options.before_read = [&] {
    if (shows_progress) progress.show(counted(publisher.records(), "record"));
    return !stop.requested();
  };
  RecordSource source(options.files, std::move(source_options));

  const Clock::time_point start = Clock::now();
  const auto end = [&] {
    progress.clear();
    summarize(publisher, Clock::now() - start, common.format);
  };
  try {
    publish_all(source, publisher, Pace(options.rate), stop);
  } catch (const Error&) {
    end();  // so many are published all the same
    throw;
  }
  end();
  return Exit::ok;
}

}  // namespace

void add_produce(CommandLine& line) {
  const auto options = std::make_shared<ProduceOptions>();
  CLI::App& verb = line.verb(
      {.name = "produce",
       .why =
           "Publish the lines of files, or of standard input, as records. Each is visible as "
           "soon as it was read; records and bytes are told at the end, also where it fails. Rides "
           "over restarts of the supervisor. The first SIGINT ends it once what was read is "
           "published; where that cannot be in --timeout, with exit status 6, and tells what is "
           "not.",
       .examples = "  ringway produce orders orders.txt --create\n"
                   "  tail -F access.log | ringway produce access -K ' '\n"
                   "  ringway produce orders --wait durable --rate 1000 <orders.txt"},
      [options](const Common& common) { return produce(*options, common); });
  verb.add_option("TOPIC", options->topic, "Topic to publish to")->required();
  verb.add_option("FILE", options->files, "Files to read, '-' for standard input (the default)");
  verb.add_option("-K,--key-delimiter", options->key_delimiter,
                  "Splits each record at its first DELIM into key and value")
      ->type_name("DELIM");
  verb.add_option("-H,--header", options->headers, "A header key=value of every record; repeatable")
      ->type_name("K=V")
      ->allow_extra_args(false);
  add_number(verb, "-p,--partition", options->partition,
             "Publish everything there (default: by key; records without one in turn, 64KiB "
             "at a time)")
      ->type_name("PARTITION");
  CLI::Option* delimiter =
      verb.add_option("-D,--delimiter", options->delimiter,
                      "What ends a record, with \\n \\t \\0 \\xNN (default \\n)")
          ->type_name("DELIM");
  verb.add_flag("--length-prefixed", options->length_prefixed,
                "Each record is a big-endian u32 and so many bytes: what consume -f "
                "'%V{big32}%v' prints")
      ->excludes(delimiter);
  verb.add_option("--wait", options->wait,
                  "Level that everything must reach before the end; exit status 1 where something "
                  "never will, 6 where it has not when a SIGINT ends the waiting (default "
                  "committed)")
      ->type_name("committed|written|durable");
  add_number(verb, "--rate", options->rate, "Records per second (default: as fast as they come)",
             {.low = 1});
  verb.add_flag("--exclusive", options->exclusive,
                "As the topic's only producer, which is faster, until another one comes; refused "
                "while there are others");
  verb.add_flag("--create", options->create, "Create the topic, with defaults, if it is missing");
}

}  // namespace ringway::cli
