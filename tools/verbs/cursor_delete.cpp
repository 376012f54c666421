#include <unistd.h>

#include <memory>

#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

struct CursorOptions {
  std::string topic;
  std::string cursor;
};

Exit delete_cursor(const CursorOptions& options, const Common& common) {
  Bus bus = connect(common);
  try {
    bus.delete_cursor(options.topic, options.cursor);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    throw Error(ErrorCode::not_found, error.thing(), error.rule(),
                "see what there is: ringway topic list, ringway cursor list");
  }
  Report report;
  report.add("Topic", "topic", Cell::of_text(options.topic));
  report.add("Cursor", "cursor", Cell::of_text(options.cursor));
  report.add("Deleted", "deleted", Cell::of_truth(true));
  static_cast<void>(
      write_all(STDOUT_FILENO, report.render(common.format, style_of(STDOUT_FILENO))));
  return Exit::ok;
}

}  // namespace

void add_cursor_delete(CommandLine& line) {
  const auto options = std::make_shared<CursorOptions>();
  CLI::App& verb = line.verb(
      {.noun = "cursor",
       .name = "delete",
       .why = "Forget a named cursor that nobody needs any more, and let retention have what it "
              "protects, if it does: for the topic's admins, and not while somebody reads with it. "
              "'ringway "
              "cursor list' shows all. Who reads with its name next begins a new one.",
       .examples = "  ringway cursor delete orders billing\n"
                   "  ringway cursor delete orders billing && ringway consume orders --cursor "
                   "billing -o @-1h -e   # moved"},
      [options](const Common& common) { return delete_cursor(*options, common); });
  verb.add_option("TOPIC", options->topic, "Topic that it is a place in")->required();
  verb.add_option("CURSOR", options->cursor, "Cursor to delete")->required();
}

}  // namespace ringway::cli
