#include <unistd.h>

#include <memory>

#include "client/administration.hpp"
#include "shm/uuid.hpp"
#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/number_option.hpp"
#include "tools/terminal.hpp"
#include "tools/topic_options.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

Exit create_topic(const TopicOptions& options, const Common& common) {
  const TopicChoices choices = choices_of(options);
  Bus bus = connect(common);
  try {
    bus.create_topic(options.topic, choices);
  } catch (const Error& error) {
    throw named_by_flag(error);
  }
  const control::TopicDescription created = Administration(bus).describe(options.topic);
  Report report;
  report.add("Topic", "topic", Cell::of_text(options.topic));
  report.add("UUID", "uuid", Cell::of_text(shm::to_string(created.uuid)));
  report.add("Partitions", "partitions", Cell::of_number(created.settings.partitions));
  static_cast<void>(
      write_all(STDOUT_FILENO, report.render(common.format, style_of(STDOUT_FILENO))));
  return Exit::ok;
}

}  // namespace

void add_topic_create(CommandLine& line) {
  const auto options = std::make_shared<TopicOptions>();
  CLI::App& verb = line.verb(
      {.noun = "topic",
       .name = "create",
       .why = "Create a topic; what is not chosen here has the supervisor's defaults. The number "
              "of partitions stays as it is chosen. In ring and log a record takes 32 bytes, and "
              "its value, key and headers, rounded up to a multiple of 32: 64 for a value of 1 to "
              "32.",
       .examples = "  ringway topic create orders --partitions 4 --sync every_batch\n"
                   "  ringway topic create ticks --no-persist --when-full overwrite --ring 64MiB\n"
                   "  ringway topic create audit --read @staff --write root --retention-age 30d"},
      [options](const Common& common) { return create_topic(*options, common); });
  verb.add_option("NAME", options->topic,
                  "1 to 249 bytes, in levels separated by '/', e.g. plant/press/temperature")
      ->required();
  add_number(verb, "--partitions", options->partitions,
             "How many sequences its records are spread over by key (default 1)");
  add_alterable(verb, *options, LeftOut::has_default);
  CLI::Option* no_persist =
      verb.add_flag("--no-persist", options->no_persist, "Keep no log: records live in the ring");
  for (const char* of_a_log : {"--segment", "--sync", "--sync-interval", "--sync-bytes"}) {
    no_persist->excludes(verb.get_option(of_a_log));
  }
  verb.add_option("--when-full", options->when_full,
                  "What a full ring does without a log: block producers until the slowest consumer "
                  "has read (without one the oldest go), or overwrite the oldest records (default "
                  "block)")
      ->type_name("block|overwrite")
      ->needs(no_persist);
  add_accounts(verb, "--read", options->readers, "Users and @groups that may read it");
  add_accounts(verb, "--write", options->writers, "Users and @groups that may publish to it");
  add_accounts(verb, "--admin", options->admins,
               "Users and @groups that may alter and delete it, and its cursors");
}

}  // namespace ringway::cli
