#include <unistd.h>

#include <memory>
#include <utility>
#include <vector>

#include "client/administration.hpp"
#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/shown_settings.hpp"
#include "tools/terminal.hpp"
#include "tools/topic_error.hpp"
#include "tools/topic_options.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

/// What is another value now.
Rows changes(const TopicSettings& before, const TopicSettings& now) {
  Rows rows{{"SETTING", "setting"}, {"WAS", "was"}, {"IS", "is"}};
  const std::vector<ShownSetting> was = shown_settings(before);
  const std::vector<ShownSetting> is = shown_settings(now);
  for (std::size_t i = 0; i < is.size(); ++i) {
    if (was[i].cell.json == is[i].cell.json) continue;
    rows.add({Cell{is[i].heading, is[i].name}, was[i].cell, is[i].cell});
  }
  return rows;
}

Exit alter_topic(const TopicOptions& options, const Common& common) {
  const TopicChoices choices = choices_of(options);
  if (choices == TopicChoices{}) {
    throw Error(ErrorCode::usage, topic_thing(options.topic), "nothing to alter was named",
                "see ringway topic alter --help");
  }
  Bus bus = connect(common);
  TopicSettings before;
  try {
    before = bus.settings(options.topic);
    bus.alter_topic(options.topic, choices);
  } catch (const Error& error) {
    throw error.code() == ErrorCode::not_found ? advised(error, options.topic)
                                               : named_by_flag(error);
  }
  const control::TopicDescription altered = Administration(bus).describe(options.topic);
  Report report;
  report.add("Topic", "topic", Cell::of_text(options.topic));
  report.add("Ring", "ring_bytes", Cell::of_bytes(altered.settings.ring_bytes));
  Rows changed = changes(before, altered.settings);
  if (common.format != Format::table || !changed.empty()) {
    report.add("CHANGES", "changed", std::move(changed));
  }
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
              "beside the old one, and whoever has it open moves there by itself. A ring of the "
              "present size brings a topic back whose ring is in quarantine. Shows what has "
              "changed.",
       .examples = "  ringway topic alter orders --ring 64MiB\n"
                   "  ringway topic alter orders --when-stopped fence --stopped-after 2s"},
      [options](const Common& common) { return alter_topic(*options, common); });
  verb.add_option("TOPIC", options->topic, "Topic to alter")->required();
  add_alterable(verb, *options, LeftOut::stays);
}

}  // namespace ringway::cli
