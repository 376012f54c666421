#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "client/administration.hpp"
#include "control/status_trouble.hpp"
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

/// What the supervisor says of a deletion that it has not answered in time.
Error unanswered(const DeleteOptions& options, const Common& common, const Error& silence) {
  try {
    for (const auto& trouble :
         control::troubles_in(Administration(connect(hastened(common))).status())) {
      if (trouble.what != control::TroubleKind::topic_deletion_waits) continue;
      if (trouble.topic != options.topic) continue;
      return Error(silence.code(), topic_thing(options.topic),
                   "it is deleted, but stays in the catalog: " + trouble.reason,
                   "mend that, and it goes by itself; until then a restart would bring it back");
    }
  } catch (const Error&) {
    // It answers nothing at all.
  }
  return silence;
}

Exit delete_topic(const DeleteOptions& options, const Common& common) {
  Bus bus = connect(common);
  bool deleted = false;
  const std::string thing = topic_thing(options.topic);
  if (options.yes || confirmed(fmt::format("Delete {} with all its records?", thing), thing,
                               "deleting it takes all its records")) {
    try {
      bus.delete_topic(options.topic);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::timeout) throw unanswered(options, common, error);
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
