#include <unistd.h>

#include <memory>

#include "client/administration.hpp"
#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/terminal.hpp"
#include "tools/topic_options.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

Exit alter_topic(const TopicOptions& options, const Common& common) {
  const TopicChoices choices = choices_of(options);
  if (choices == TopicChoices{}) {
    throw Error(ErrorCode::usage, topic_thing(options.topic), "nothing to alter was named",
                "see ringway topic alter --help");
  }
  Bus bus = connect(common);
  try {
    bus.alter_topic(options.topic, choices);
  } catch (const Error& error) {
    throw named_by_flag(error);
  }
  const control::TopicDescription altered = Administration(bus).describe(options.topic);
  Report report;
  report.add("Topic", "topic", Cell::of_text(options.topic));
  report.add("Ring", "ring_bytes", Cell::of_bytes(altered.settings.ring_bytes));
  static_cast<void>(
      write_all(STDOUT_FILENO, report.render(common.format, style_of(STDOUT_FILENO))));
  return Exit::ok;
}

}  // namespace

void add_topic_alter(CommandLine& line) {
  const auto options = std::make_shared<TopicOptions>();
  CLI::App& verb = line.verb(
      {.noun = "topic",
       .name = "alter",
       .why = "Change a topic while it is in use; what is not named stays as it is. Partitions and "
              "persistence cannot be changed, rights are by 'ringway acl'. Where anything but "
              "retention is changed, the topic gets a new ring, for which there must be memory "
              "beside the old one, and whoever has it open moves there by itself. A ring of the present size brings a topic back whose ring is in "
              "quarantine.",
       .examples = "  ringway topic alter orders --ring 64MiB\n"
                   "  ringway topic alter orders --when-stopped fence --stopped-after 2s"},
      [options](const Common& common) { return alter_topic(*options, common); });
  verb.add_option("TOPIC", options->topic, "Topic to alter")->required();
  add_alterable(verb, *options, LeftOut::stays);
}

}  // namespace ringway::cli
