#include <unistd.h>

#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {

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
              for (const TopicSummary& topic : bus.topics()) {
                rows.add({Cell::of_text(topic.name), Cell::of_number(topic.partitions),
                          Cell::of_truth(topic.persist), Cell::of_text(topic.uuid)});
              }
              const Style style = style_of(STDOUT_FILENO);
              static_cast<void>(write_all(STDOUT_FILENO, rows.render(common.format, style)));
              return Exit::ok;
            });
}

}  // namespace ringway::cli
