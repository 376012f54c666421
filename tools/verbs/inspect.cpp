#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "client/administration.hpp"
#include "client/topic_memory.hpp"
#include "ringway/lost_pages.hpp"
#include "shm/uuid.hpp"
#include "storage/posix_file_system.hpp"
#include "tools/bus_access.hpp"
#include "tools/bus_places.hpp"
#include "tools/command_line.hpp"
#include "tools/found_memory.hpp"
#include "tools/inspected_topic.hpp"
#include "tools/inspection.hpp"
#include "tools/log_selection.hpp"
#include "tools/log_tail.hpp"
#include "tools/note.hpp"
#include "tools/number_option.hpp"
#include "tools/post_mortem.hpp"
#include "tools/state_directory.hpp"
#include "tools/terminal.hpp"
#include "tools/topic_error.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

struct InspectOptions {
  std::string topic;
  std::vector<std::uint32_t> partitions;
  std::size_t records = 0;
  std::string runtime_dir;
  bool post_mortem = false;
  std::string state_dir;
};

/// As many of each partition as a post-mortem shows where nobody says how many.
constexpr std::size_t kLastRecords = 5;

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
  try {
    // The service manager's store gives memory to nobody. Of a bus that is named by its directory
    // it is not known who serves it.
    if (!is_uuid && options.runtime_dir.empty()) {
      return memory_from_supervisor(*Administration(connect(hastened(common))).memory(topic));
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::unavailable && error.code() != ErrorCode::timeout) throw;
  }
  throw Error(ErrorCode::not_found, topic_thing(topic),
              fmt::format("no keeper at {}, no supervisor that answers and no process that this "
                          "user may look into holds its memory",
                          runtime_dir),
              geteuid() == 0 ? "name the bus with --runtime-dir"
                             : "name the bus with --runtime-dir, or look as root");
}

/// Cursors that nobody holds are known to the supervisor only.
std::vector<control::CursorListing> kept_cursors(const InspectedTopic& topic,
                                                 const Common& common) {
  try {
    const auto state = topic.state_of(topic.supervisor());
    if (state == "stopped" || state == "dead") {
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

std::vector<std::uint32_t> chosen_partitions(const InspectOptions& options,
                                             std::uint32_t partitions) {
  std::vector<std::uint32_t> chosen = options.partitions;
  for (std::uint32_t p = 0; options.partitions.empty() && p < partitions; ++p) chosen.push_back(p);
  for (const std::uint32_t p : chosen) {
    if (p < partitions) continue;
    throw Error(ErrorCode::usage, fmt::format("-p {}", p),
                fmt::format("the topic has {} partitions", partitions), "count from 0");
  }
  return chosen;
}

/// What is on disk of a topic whose memory was found.
struct OnDisk {
  StateDirectory state;
  CatalogTopic topic;
  std::vector<control::CursorListing> cursors;
};

/// None, with a note, where it cannot be read: memory tells without it.
std::optional<OnDisk> on_disk(const InspectOptions& options, const std::string& uuid,
                              const Common& common) {
  try {
    StateDirectory state(options.state_dir.empty() ? bus_places(common).state_dir
                                                   : options.state_dir);
    CatalogTopic topic = state.topic(uuid);
    auto cursors = state.cursors(topic);
    return OnDisk{std::move(state), std::move(topic), std::move(cursors)};
  } catch (const Error& error) {
    note(fmt::format("cursors that nobody holds, and records that are in the log only, are not "
                     "shown: {}",
                     error.what()));
    return {};
  }
}

std::vector<LoggedRecord> logged_records(const OnDisk& disk, std::uint32_t partition,
                                         std::size_t count, std::uint64_t below) {
  if (!disk.topic.settings.persist) return {};
  try {
    storage::PosixFileSystem file_system;
    const std::string directory = disk.state.partition(disk.topic, partition);
    return tail_of_log(file_system, directory, count, below).records;
  } catch (const Error& error) {
    note(fmt::format("partition {}: records that are in the log only are not shown: {}", partition,
                     error.what()));
    return {};
  }
}

void print(const std::string& text) {
  static_cast<void>(write_all(STDOUT_FILENO, text));
}

Exit examine_log(const InspectOptions& options, std::size_t records, const Error& no_memory,
                 const Common& common) {
  note(fmt::format("no memory, looking into the log: {}", no_memory.what()));
  const LogSelection logs =
      select_logs({options.topic, options.partitions, options.state_dir}, common);
  PostMortem found(logs.topic.name, logs.state.cursors(logs.topic), records);
  storage::PosixFileSystem file_system;
  for (const std::uint32_t p : logs.partitions) {
    found.look(tail_of_log(file_system, logs.state.partition(logs.topic, p), records), p);
  }
  print(found.render(logs.state.path().string(), common.format, style_of(STDOUT_FILENO)));
  return Exit::ok;
}

Exit post_mortem(const InspectOptions& options, const Common& common) {
  const std::size_t records = options.records == 0 ? kLastRecords : options.records;
  std::optional<InspectedTopic> memory;
  try {
    memory.emplace(find_memory(options, common));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    return examine_log(options, records, error, common);
  }
  const std::optional<OnDisk> disk = on_disk(options, shm::to_string(memory->uuid()), common);
  PostMortem found(memory->name(),
                   disk ? disk->cursors : std::vector<control::CursorListing>{}, records);
  const auto logged = [&](std::uint32_t partition, std::size_t count, std::uint64_t below) {
    return disk ? logged_records(*disk, partition, count, below) : std::vector<LoggedRecord>{};
  };
  for (const std::uint32_t p : chosen_partitions(options, memory->partitions())) {
    found.look(*memory, p, logged);
  }
  print(found.render(memory->through(), common.format, style_of(STDOUT_FILENO)));
  return Exit::ok;
}

Exit inspect(const InspectOptions& options, const Common& common) {
  survive_lost_pages();
  if (options.post_mortem) return post_mortem(options, common);
  InspectedTopic topic(find_memory(options, common));
  const std::vector<std::uint32_t> partitions = chosen_partitions(options, topic.partitions());
  Inspection inspection(topic, kept_cursors(topic, common), options.records);
  for (const std::uint32_t p : partitions) inspection.look(p);
  print(inspection.render(common.format, style_of(STDOUT_FILENO)));
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
           "as root through any process that has it mapped. Else the supervisor is asked for it, "
           "as for a consumer.",
       .examples = "  ringway inspect orders\n"
                   "  ringway inspect orders -p 0 --records 5 --output json\n"
                   "  ringway inspect orders --post-mortem",
       .patience = "500ms; for its keeper 10s"},
      [options](const Common& common) { return inspect(*options, common); });
  verb.add_option("TOPIC", options->topic, "Topic to look into, by name (or UUID, as root)")
      ->required();
  add_partitions(verb, options->partitions, "Only these partitions; repeatable, or with commas");
  add_number(verb, "--records", options->records,
             "Print the last so many committed records of each ring, too");
  CLI::Option* const post_mortem = verb.add_flag(
      "--post-mortem", options->post_mortem,
      "After a crash of everything: the last records (5, or --records) of each partition and who "
      "published them, where consumers stood, who is dead, and what cannot be known any more; from "
      "the memory, and from the log what that lacks. Shows no record's value, key or header");
  verb.add_option(
          "--runtime-dir", options->runtime_dir,
          "Directory of the keeper's socket (default: as the supervisor says, else where the "
          "control socket is)")
      ->type_name("DIR");
  verb.add_option("--state-dir", options->state_dir,
                  "State directory, for the log and cursors that nobody holds (default: as the bus "
                  "says, or where one usually is)")
      ->type_name("DIR")
      ->needs(post_mortem);
}

}  // namespace ringway::cli
