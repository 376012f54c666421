#include "tools/log_selection.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "control/shell_word.hpp"
#include "ringway/error.hpp"
#include "tools/bus_access.hpp"
#include "tools/bus_places.hpp"
#include "tools/inspected_topic.hpp"
#include "tools/note.hpp"
#include "tools/number_option.hpp"
#include "tools/topic_error.hpp"

namespace ringway::cli {
namespace {

/// Position and offset of one moment, although the supervisor moves both. {} while nothing of this
/// ring is durable: it began on a page of its own, behind the place where the log ends.
log::LogPoint durable_on(const layout::BoardPartition& board) {
  const std::uint64_t base = board.base_position.load(std::memory_order::acquire);
  for (;;) {
    const std::uint64_t offset = board.durable_offset.load(std::memory_order::acquire);
    const std::uint64_t position = board.durable_position.load(std::memory_order::acquire);
    if (board.durable_offset.load(std::memory_order::acquire) == offset &&
        board.durable_position.load(std::memory_order::acquire) == position) {
      return position == 0 ? log::LogPoint{} : log::LogPoint{base + position, offset};
    }
  }
}

}  // namespace

void add_log_options(CLI::App& verb, LogOptions& options) {
  verb.add_option("TOPIC", options.topic, "Topic, by name or by the UUID of its directory")
      ->required();
  add_partitions(verb, options.partitions, "Only these partitions; repeatable, or with commas");
  verb.add_option(
          "--state-dir", options.state_dir,
          "State directory of the supervisor (default: as the bus says; where nobody serves, "
          "$XDG_STATE_HOME/ringway, ~/.local/state/ringway, or /var/lib/ringway)")
      ->type_name("DIR");
}

LogSelection select_logs(const LogOptions& options, const Common& common,
                         const std::function<void(const std::string& directory)>& found) {
  const BusPlaces places = bus_places(common);
  StateDirectory state(options.state_dir.empty() ? places.state_dir : options.state_dir);
  if (options.state_dir.empty() && places.state_dir.empty() && names_a_bus(common)) {
    note(fmt::format("nobody at {} says where its state is: looking into {}", socket_path(common),
                     state.path().string()));
  }
  if (found) found(state.path().string());
  CatalogTopic topic = state.topic(options.topic);
  if (!topic.settings.persist) {
    throw Error(ErrorCode::usage, topic_thing(topic.name), "it keeps no log (--no-persist)",
                "see its ring with: " + control::typed("ringway inspect", {topic.name}));
  }
  std::vector<std::uint32_t> partitions = options.partitions;
  for (std::uint32_t p = 0; options.partitions.empty() && p < topic.settings.partitions; ++p) {
    partitions.push_back(p);
  }
  for (const std::uint32_t p : partitions) {
    if (p < topic.settings.partitions) continue;
    throw Error(ErrorCode::usage, fmt::format("-p {}", p),
                fmt::format("the topic has {} partitions", topic.settings.partitions),
                "count from 0");
  }
  return {std::move(state), std::move(topic), std::move(partitions), places.runtime_dir};
}

std::vector<log::LogPoint> known_durable(const LogSelection& logs, const Common& common) {
  std::vector<log::LogPoint> durable(logs.topic.settings.partitions);
  for (std::size_t p = 0; p < std::min(durable.size(), logs.topic.clean_ends.size()); ++p) {
    durable[p] = logs.topic.clean_ends[p].value_or(log::LogPoint{});
  }
  try {
    const auto patience = std::chrono::ceil<std::chrono::milliseconds>(common.timeout);
    auto found = memory_from_keeper(logs.runtime_dir, logs.topic.name, patience);
    if (!found || found->topic != logs.topic.uuid) return durable;
    InspectedTopic topic(std::move(*found));
    for (std::uint32_t p = 0; p < std::min<std::size_t>(durable.size(), topic.partitions()); ++p) {
      if (const log::LogPoint on_board = durable_on(topic.board(p)); on_board != log::LogPoint{}) {
        durable[p] = on_board;
      }
    }
  } catch (const Error&) {
    // No keeper, or none that tells this user: the files alone, then.
  }
  return durable;
}

}  // namespace ringway::cli
