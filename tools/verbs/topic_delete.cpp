#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "ringway/error.hpp"
#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/confirmation.hpp"
#include "tools/terminal.hpp"
#include "tools/topic_error.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

struct DeleteOptions {
  std::string topic;
  bool yes = false;
};

Exit delete_topic(const DeleteOptions& options, const Common& common) {
  Bus bus = connect(common);
  bool deleted = false;
  const std::string thing = topic_thing(options.topic);
  if (options.yes || confirmed(fmt::format("Delete {} with all its records?", thing), thing,
                               "deleting it takes all its records")) {
    try {
      bus.delete_topic(options.topic);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::not_found) throw;
      throw Error(ErrorCode::not_found, error.thing(), error.rule(),
                  "see what there is: ringway topic list");
    }
    deleted = true;
  }
  Report report;
  report.add("Topic", "topic", Cell::of_text(options.topic));
  report.add("Deleted", "deleted", Cell::of_truth(deleted));
  static_cast<void>(
      write_all(STDOUT_FILENO, report.render(common.format, style_of(STDOUT_FILENO))));
  return deleted ? Exit::ok : Exit::error;
}

}  // namespace

void add_topic_delete(CommandLine& line) {
  const auto options = std::make_shared<DeleteOptions>();
  CLI::App& verb =
      line.verb({.noun = "topic",
                 .name = "delete",
                 .why = "Delete a topic with all its records, when nobody needs them any more. "
                        "Asks on a terminal, and needs --yes elsewhere.",
                 .examples = "  ringway topic delete orders --yes"},
                [options](const Common& common) { return delete_topic(*options, common); });
  verb.add_option("TOPIC", options->topic, "Topic to delete")->required();
  verb.add_flag("--yes", options->yes, "Do not ask");
}

}  // namespace ringway::cli
