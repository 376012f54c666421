#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "client/administration.hpp"
#include "ringway/lost_pages.hpp"
#include "shm/uuid.hpp"
#include "tools/bus_access.hpp"
#include "tools/bus_places.hpp"
#include "tools/command_line.hpp"
#include "tools/found_memory.hpp"
#include "tools/inspected_topic.hpp"
#include "tools/inspection.hpp"
#include "tools/number_option.hpp"
#include "tools/process_state.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

struct InspectOptions {
  std::string topic;
  std::vector<std::uint32_t> partitions;
  std::size_t records = 0;
  std::string runtime_dir;
};

FoundMemory find_memory(const InspectOptions& options, const Common& common) {
  const std::string& topic = options.topic;
  const std::string runtime_dir =
      options.runtime_dir.empty() ? bus_places(common).runtime_dir : options.runtime_dir;
  const auto patience = std::chrono::ceil<std::chrono::milliseconds>(common.timeout);
  const bool is_uuid = shm::parse_uuid(topic).has_value();
  try {
    if (auto found = memory_from_keeper(runtime_dir, topic, patience)) return std::move(*found);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::not_found && !is_uuid) {
      // Another bus may well have one of that name.
      throw Error(ErrorCode::not_found, topic_thing(topic),
                  fmt::format("is not in the memory of the bus at {}", runtime_dir),
                  "see what there is: ringway topic list");
    }
    if (error.code() == ErrorCode::timeout) {
      note(error.what());  // it is stopped, too: other processes hold the same memory
    } else if (error.code() != ErrorCode::not_found) {
      throw;
    }
  }
  struct stat status{};
  std::optional<uid_t> owner;
  if (stat(runtime_dir.c_str(), &status) == 0) owner = status.st_uid;
  if (auto found = memory_from_processes(topic, owner)) return std::move(*found);
  throw Error(ErrorCode::not_found, topic_thing(topic),
              fmt::format("no keeper at {} and no process that this user may look into holds its "
                          "memory",
                          runtime_dir),
              geteuid() == 0 ? "name the bus with --runtime-dir"
                             : "name the bus with --runtime-dir, or look as root");
}

/// Cursors that nobody holds are known to the supervisor only.
std::vector<control::CursorListing> kept_cursors(const InspectedTopic& topic,
                                                 const Common& common) {
  try {
    if (const auto state = process_state(topic.supervisor()); state != "alive") {
      throw Error(ErrorCode::unavailable, fmt::format("supervisor {}", topic.supervisor().pid),
                  fmt::format("is {}", state),
                  state == "stopped" ? "let it go on (SIGCONT)" : "start ringwayd again");
    }
    return Administration(connect(hastened(common))).cursors(topic.name());
  } catch (const Error& error) {
    note(fmt::format("cursors that nobody holds are not shown: {}", error.what()));
    return {};
  }
}

Exit inspect(const InspectOptions& options, const Common& common) {
  survive_lost_pages();
  InspectedTopic topic(find_memory(options, common));
  std::vector<std::uint32_t> partitions = options.partitions;
  for (std::uint32_t p = 0; options.partitions.empty() && p < topic.partitions(); ++p) {
    partitions.push_back(p);
  }
  for (const std::uint32_t p : partitions) {
    if (p < topic.partitions()) continue;
    throw Error(ErrorCode::usage, fmt::format("-p {}", p),
                fmt::format("the topic has {} partitions", topic.partitions()), "count from 0");
  }
  Inspection inspection(topic, kept_cursors(topic, common), options.records);
  for (const std::uint32_t p : partitions) inspection.look(p);
  const std::string text = inspection.render(common.format, style_of(STDOUT_FILENO));
  static_cast<void>(write_all(STDOUT_FILENO, text));
  return Exit::ok;
}

}  // namespace

void add_inspect(CommandLine& line) {
  const auto options = std::make_shared<InspectOptions>();
  CLI::App& verb = line.verb(
      {.name = "inspect",
       .why =
           "Look into a topic's rings: how full they are, who publishes, who reads and how far "
           "behind, who holds whom up, and what was repaired. Reads the shared memory itself, so "
           "that it works with the supervisor dead or stopped: through the keeper's socket, or "
           "as root through any process that has it mapped.",
       .examples = "  ringway inspect orders\n"
                   "  ringway inspect orders -p 0 --records 5 --output json"},
      [options](const Common& common) { return inspect(*options, common); });
  verb.add_option("TOPIC", options->topic, "Topic to look into, by name (or UUID, as root)")
      ->required();
  add_partitions(verb, options->partitions, "Only these partitions; repeatable, or with commas");
  add_number(verb, "--records", options->records,
             "Print the last so many committed records of each ring, too");
  verb.add_option(
          "--runtime-dir", options->runtime_dir,
          "Directory of the keeper's socket (default: as the supervisor says, else where the "
          "control socket is)")
      ->type_name("DIR");
}

}  // namespace ringway::cli
