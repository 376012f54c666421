#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "client/administration.hpp"
#include "shm/clock.hpp"
#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/confirmation.hpp"
#include "tools/number_option.hpp"
#include "tools/offset_range.hpp"
#include "tools/terminal.hpp"
#include "tools/topic_error.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

struct TrimOptions {
  std::string topic;
  std::string before;
  std::optional<std::uint32_t> partition;
  bool dry_run = false;
  bool yes = false;
};

constexpr std::string_view kPlaces = "an offset, end, @TIME or @-DUR, e.g. 1000000 or @-7d";

/// What --before means.
void set_limit(control::TrimTopic& trim, const std::string& before) {
  const OffsetRange range =
      parse_offset_range("--before", before, shm::realtime_ns(), "write " + std::string(kPlaces));
  const Place& place = range.from;
  if (!range.to && place.kind == Place::Kind::offset) {
    trim.before_offset = place.records;
  } else if (!range.to && place.kind == Place::Kind::time) {
    trim.before_time_ns = place.time_ns;
  } else if (!range.to && place.kind == Place::Kind::end && place.records == 0) {
    trim.before_offset = UINT64_MAX;
  } else {
    throw Error(ErrorCode::usage, fmt::format("--before '{}'", before),
                "is no single offset or time", "write " + std::string(kPlaces));
  }
}

std::string reason(const control::TrimmedPartition& trimmed) {
  if (trimmed.kept_by == "segment") return "the next segment holds later records, too";
  if (trimmed.kept_by == "last") return "the newest segment stays";
  if (trimmed.kept_by == "cursor") return fmt::format("cursor '{}' protects it", trimmed.cursor);
  return trimmed.kept_by;
}

Exit trim_topic(const TrimOptions& options, const Common& common) {
  control::TrimTopic trim{
      .name = options.topic, .partition = options.partition, .dry_run = options.dry_run};
  set_limit(trim, options.before);
  const std::string thing = topic_thing(options.topic);
  Bus bus = connect(common);
  if (!options.dry_run && !options.yes &&
      !confirmed(fmt::format("Delete what lies before {} in {}?", options.before, thing), thing,
                 "trimming it deletes records")) {
    return Exit::error;
  }
  std::vector<control::TrimmedPartition> trimmed;
  try {
    trimmed = Administration(bus).trim(trim);
  } catch (const Error& error) {
    throw advised(error, options.topic);
  }
  Rows rows{{"PARTITION", "partition", Align::right},
            {options.dry_run ? "WOULD REMOVE" : "REMOVED", "segments", Align::right},
            {"BYTES", "bytes", Align::right},
            {"FIRST OFFSET", "first_offset", Align::right},
            {"WHY NO MORE", "kept_by"}};
  for (const control::TrimmedPartition& one : trimmed) {
    const std::string why = reason(one);
    rows.add({Cell::of_number(one.partition), Cell::of_number(one.segments),
              Cell::of_bytes(one.bytes), Cell::of_number(one.first_offset),
              why.empty() ? Cell::none() : Cell::of_text(why)});
  }
  static_cast<void>(write_all(STDOUT_FILENO, rows.render(common.format, style_of(STDOUT_FILENO))));
  return Exit::ok;
}

}  // namespace

void add_topic_trim(CommandLine& line) {
  const auto options = std::make_shared<TrimOptions>();
  CLI::App& verb = line.verb(
      {.noun = "topic",
       .name = "trim",
       .why = "Delete the oldest records of a topic's log by hand, as retention does by itself. "
              "Files go as a whole: those whose records all lie before the given place, but for "
              "the newest and for what a cursor protects (ringway consume --protect); the first "
              "offset moves to the beginning of "
              "what is left. Consumers that stood before it are told of a gap. Needs the right to "
              "administer the topic. Asks on a terminal, and needs --yes elsewhere.",
       .examples = "  ringway topic trim orders --before @-7d --dry-run\n"
                   "  ringway topic trim orders --before 1000000 -p 0 --yes\n"
                   "  ringway topic trim orders --before end --yes"},
      [options](const Common& common) { return trim_topic(*options, common); });
  verb.add_option("TOPIC", options->topic, "Topic to trim")->required();
  verb.add_option("--before", options->before,
                  "What is to go: records before this offset, or @TIME, or @-DUR (so long ago); "
                  "end: all that can")
      ->type_name("PLACE")
      ->required();
  add_number(verb, "-p,--partition", options->partition, "Only this partition (default: all)")
      ->type_name("PARTITION");
  verb.add_flag("--dry-run", options->dry_run, "Say what would go, and delete nothing");
  verb.add_flag("--yes", options->yes, "Do not ask");
}

}  // namespace ringway::cli
