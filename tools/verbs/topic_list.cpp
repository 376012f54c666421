#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/administration.hpp"
#include "control/shell_word.hpp"
#include "shm/process.hpp"
#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/note.hpp"
#include "tools/quantity.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

/// An empty list is not to be taken for an empty bus.
void note_hidden(Bus& bus) {
  const auto hidden = Administration(bus).status().value("topics", std::uint64_t{0});
  if (hidden == 0) return;
  const std::string user = shm::user_name(geteuid());
  note(fmt::format("{} on this bus, and none that {} may see; who administers one gives the right: "
                   "ringway acl grant TOPIC --read {}",
                   counted(hidden, "topic"), user, control::shell_quoted(user)));
}

}  // namespace

void add_topic_list(CommandLine& line) {
  line.verb({.noun = "topic",
             .name = "list",
             .why = "List the topics of the bus",
             .examples = "  ringway topic list --output jsonl"},
            [](const Common& common) {
              Bus bus = connect(common);
              Rows rows{{"TOPIC", "topic"},
                        {"PARTITIONS", "partitions", Align::right},
                        {"PERSIST", "persist"},
                        {"UUID", "uuid"}};
              const std::vector<TopicSummary> topics = bus.topics();
              if (topics.empty()) note_hidden(bus);
              for (const TopicSummary& topic : topics) {
                rows.add({Cell::of_text(topic.name), Cell::of_number(topic.partitions),
                          Cell::of_truth(topic.persist), Cell::of_text(topic.uuid)});
              }
              const Style style = style_of(STDOUT_FILENO);
              static_cast<void>(write_all(STDOUT_FILENO, rows.render(common.format, style)));
              return Exit::ok;
            });
}

}  // namespace ringway::cli
