#include <unistd.h>

#include <memory>

#include "client/administration.hpp"
#include "shm/uuid.hpp"
#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/quantity.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

struct CreateOptions {
  std::string topic;
  std::optional<std::uint32_t> partitions;
  std::string ring, segment, sync, sync_interval, when_full, retention_bytes, retention_age;
  bool no_persist = false;
  std::vector<std::string> readers, writers, admins;
};

SyncPolicy parse_sync(const std::string& text) {
  if (text == "every_batch") return SyncPolicy::every_batch;
  if (text == "interval") return SyncPolicy::interval;
  if (text == "never") return SyncPolicy::never;
  throw Error(ErrorCode::usage, "--sync '" + text + "'", "no such policy",
              "write every_batch, interval or never");
}

WhenFull parse_when_full(const std::string& text) {
  if (text == "block") return WhenFull::block;
  if (text == "overwrite") return WhenFull::overwrite;
  throw Error(ErrorCode::usage, "--when-full '" + text + "'", "no such behaviour",
              "write block or overwrite");
}

std::uint64_t parse_milliseconds(const char* flag, const std::string& text) {
  const auto length = parse_duration(flag, text);
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(length);
  if (whole != length) {
    throw Error(ErrorCode::usage, std::string(flag) + " '" + text + "'",
                "is no whole number of milliseconds", "write one, e.g. 5ms");
  }
  return static_cast<std::uint64_t>(whole.count());
}

TopicChoices choices_of(const CreateOptions& options) {
  TopicChoices choices;
  choices.partitions = options.partitions;
  if (!options.ring.empty()) choices.ring_bytes = parse_size("--ring", options.ring);
  if (!options.segment.empty()) choices.segment_bytes = parse_size("--segment", options.segment);
  if (!options.sync.empty()) choices.sync = parse_sync(options.sync);
  if (!options.sync_interval.empty()) {
    const std::uint64_t ms = parse_milliseconds("--sync-interval", options.sync_interval);
    choices.sync_interval_ms = static_cast<std::uint32_t>(std::min<std::uint64_t>(ms, UINT32_MAX));
  }
  if (options.no_persist) choices.persist = false;
  if (!options.when_full.empty()) choices.when_full = parse_when_full(options.when_full);
  if (!options.retention_bytes.empty()) {
    choices.retention_bytes = parse_size("--retention-bytes", options.retention_bytes);
  }
  if (!options.retention_age.empty()) {
    choices.retention_age_ms = parse_milliseconds("--retention-age", options.retention_age);
  }
  choices.readers = options.readers;
  choices.writers = options.writers;
  choices.admins = options.admins;
  return choices;
}

Exit create_topic(const CreateOptions& options, const Common& common) {
  const TopicChoices choices = choices_of(options);
  Bus bus = connect(common);
  bus.create_topic(options.topic, choices);
  const control::TopicDescription created = Administration(bus).describe(options.topic);
  Report report;
  report.add("Topic", "topic", Cell::of_text(options.topic));
  report.add("UUID", "uuid", Cell::of_text(shm::to_string(created.uuid)));
  report.add("Partitions", "partitions", Cell::of_number(created.settings.partitions));
  static_cast<void>(
      write_all(STDOUT_FILENO, report.render(common.format, style_of(STDOUT_FILENO))));
  return Exit::ok;
}

void add_accounts(CLI::App& verb, const char* flag, std::vector<std::string>& into,
                  const char* about) {
  verb.add_option(flag, into, about)->type_name("U,@G")->delimiter(',')->allow_extra_args(false);
}

}  // namespace

void add_topic_create(CommandLine& line) {
  const auto options = std::make_shared<CreateOptions>();
  CLI::App& verb = line.verb(
      {.noun = "topic",
       .name = "create",
       .why = "Create a topic; what is not chosen here has the supervisor's defaults",
       .examples = "  ringway topic create orders --partitions 4 --sync every_batch\n"
                   "  ringway topic create ticks --no-persist --when-full overwrite --ring 64MiB\n"
                   "  ringway topic create audit --read @staff --write root --retention-age 30d"},
      [options](const Common& common) { return create_topic(*options, common); });
  verb.add_option("NAME", options->topic,
                  "1 to 249 bytes, in levels separated by '/', e.g. plant/press/temperature")
      ->required();
  verb.add_option("--partitions", options->partitions,
                  "How many sequences its records are spread over by key (default 1)")
      ->type_name("N");
  verb.add_option("--ring", options->ring,
                  "Shared memory of each partition, a power of two from 64KiB (default 16MiB)")
      ->type_name("SIZE");
  verb.add_option("--segment", options->segment,
                  "Size of a file of its log, at least half the ring (default 256MiB)")
      ->type_name("SIZE");
  verb.add_option("--sync", options->sync,
                  "When written records are synced: every_batch, interval or never (default "
                  "interval)")
      ->type_name("POLICY");
  verb.add_option("--sync-interval", options->sync_interval,
                  "How long a record may wait for --sync interval (default 5ms)")
      ->type_name("DUR");
  CLI::Option* no_persist =
      verb.add_flag("--no-persist", options->no_persist, "Keep no log: records live in the ring");
  verb.add_option("--when-full", options->when_full,
                  "What a full ring does without a log: block producers until the slowest consumer "
                  "has read (without one the oldest go), or overwrite the oldest records (default "
                  "block)")
      ->type_name("WHAT")
      ->needs(no_persist);
  verb.add_option("--retention-bytes", options->retention_bytes,
                  "Remove the oldest segments of a partition beyond this (default: keep all)")
      ->type_name("SIZE");
  verb.add_option("--retention-age", options->retention_age,
                  "Remove segments that are older than this; never the newest (default: keep all)")
      ->type_name("DUR");
  add_accounts(verb, "--read", options->readers, "Users and @groups that may read it");
  add_accounts(verb, "--write", options->writers, "Users and @groups that may publish to it");
  add_accounts(verb, "--admin", options->admins, "Users and @groups that may delete it");
}

}  // namespace ringway::cli
