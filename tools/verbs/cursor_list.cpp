#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "client/administration.hpp"
#include "client/topic_memory.hpp"
#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/terminal.hpp"
#include "tools/topic_error.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

Rows cursor_rows() {
  return Rows{{"TOPIC", "topic"},
              {"CURSOR", "cursor"},
              {"PARTITION", "partition", Align::right},
              {"COMMITTED", "committed", Align::right},
              {"LAG", "lag", Align::right},
              {"PROTECTS", "protects"},
              {"HELD BY", "holder_pid"}};
}

/// None of a topic that is not served: how far it is cannot be known then.
std::shared_ptr<TopicMemory> memory_of(Administration& administration, const std::string& topic) {
  try {
    return administration.memory(topic);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::failed) throw;
    return nullptr;
  }
}

void add_cursors(Rows& rows, Administration& administration, const std::string& topic) {
  const auto cursors = administration.cursors(topic);
  if (cursors.empty()) return;
  const auto memory = memory_of(administration, topic);
  for (const control::CursorListing& cursor : cursors) {
    const Cell holder = cursor.holder_pid == 0
                            ? Cell{"nobody", nullptr}
                            : Cell{fmt::format("pid {}", cursor.holder_pid), cursor.holder_pid};
    for (std::uint32_t p = 0; p < cursor.offsets.size(); ++p) {
      const auto at = cursor.offsets[p];
      Cell lag = Cell::none();
      if (at && memory && p < memory->partitions()) {
        const auto end = memory->board(p).committed_offset.load(std::memory_order::acquire);
        lag = Cell::of_number(end - std::min(end, *at));
      }
      rows.add({Cell::of_text(topic), Cell::of_text(cursor.name), Cell::of_number(p),
                at ? Cell::of_number(*at) : Cell::none(), std::move(lag),
                Cell{cursor.protects ? "yes" : "no", cursor.protects}, holder});
    }
  }
}

Exit list_cursors(const std::string& topic, const Common& common) {
  Bus bus = connect(common);
  Administration administration(bus);
  Rows rows = cursor_rows();
  if (!topic.empty()) {
    try {
      add_cursors(rows, administration, topic);
    } catch (const Error& error) {
      throw advised(error, topic);
    }
  } else {
    for (const TopicSummary& each : bus.topics()) {
      try {
        add_cursors(rows, administration, each.name);
      } catch (const Error& error) {
        // Who may only write sees no cursors; what was deleted meanwhile has none.
        if (error.code() != ErrorCode::denied && error.code() != ErrorCode::not_found) throw;
      }
    }
  }
  static_cast<void>(write_all(STDOUT_FILENO, rows.render(common.format, style_of(STDOUT_FILENO))));
  return Exit::ok;
}

}  // namespace

void add_cursor_list(CommandLine& line) {
  const auto topic = std::make_shared<std::string>();
  CLI::App& verb = line.verb(
      {.noun = "cursor",
       .name = "list",
       .why = "List the named cursors of a topic, or of every topic that one may read: where each "
              "goes on, how many records it lags behind, and which process holds it. A partition "
              "in which it has no position yet shows '-'. To move a cursor, delete it and begin "
              "anew where -o of 'ringway consume' says; a program moves its own by seek() and "
              "commit().",
       .examples = "  ringway cursor list orders\n"
                   "  ringway cursor list --output json"},
      [topic](const Common& common) { return list_cursors(*topic, common); });
  verb.add_option("TOPIC", *topic, "Topic whose cursors are meant (default: all)");
}

}  // namespace ringway::cli
