#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <memory>
#include <set>
#include <sstream>

#include "client/administration.hpp"
#include "control/shell_word.hpp"
#include "shm/process.hpp"
#include "tools/bundle/collection.hpp"
#include "tools/bundle/configuration.hpp"
#include "tools/bundle/unit_commands.hpp"
#include "tools/bus_access.hpp"
#include "tools/bus_places.hpp"
#include "tools/command_line.hpp"
#include "tools/found_memory.hpp"
#include "tools/note.hpp"
#include "tools/quantity.hpp"
#include "tools/service_state.hpp"
#include "tools/service_unit.hpp"
#include "tools/state_directory.hpp"
#include "tools/terminal.hpp"
#include "tools/topic_error.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

namespace fs = std::filesystem;
using bundle::Collection;

struct BundleOptions {
  std::string file;
  std::string state_dir;
  std::string patience = "60s";
  std::string within = "5m";
};

/// What is known of the bus before anything is collected.
struct Subject {
  std::string command;                ///< this program
  std::vector<std::string> for_all{};  ///< options that each of its calls gets
  std::string state_dir{};
  std::string runtime_dir{};
  pid_t supervisor = 0;  ///< by its pid here
  std::string no_supervisor = "none lives";  ///< why there is none
  Unit unit{};  ///< of the supervisor, or that is to serve where there is none
  std::set<std::string> topics{};
};

std::vector<std::string> call(const Subject& subject, std::vector<std::string> words) {
  words.insert(words.begin(), subject.command);
  words.insert(words.end(), subject.for_all.begin(), subject.for_all.end());
  return words;
}

/// A verb of one topic, whose name may begin as options do.
std::vector<std::string> call(const Subject& subject, std::vector<std::string> words,
                              const std::string& topic) {
  words = call(subject, std::move(words));
  words.insert(words.end(), {"--", topic});
  return words;
}

/// Which topics there are, where no supervisor says so: one of them a line, as none has an end of
/// line in its name.
std::string topics_left_in(const std::string& state_dir) {
  std::string names;
  try {
    for (const std::string& name : StateDirectory(state_dir).topic_names()) names += name + "\n";
  } catch (const Error& error) {
    // Memory may be another bus's, too: only where nothing says more.
    note(fmt::format("topics that have no memory are not known: {}", error.what()));
    for (const FoundBoard& board : boards_in_processes()) names += board.topic + "\n";
  }
  return names;
}

Subject subject_of(const BundleOptions& options, const Common& common,
                   std::chrono::milliseconds patience) {
  Subject subject{.command = fs::read_symlink("/proc/self/exe").string()};
  if (!common.socket.empty()) subject.for_all = {"--socket", common.socket};
  if (common.names_timeout) {
    const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(common.timeout);
    subject.for_all.insert(subject.for_all.end(),
                           {"--timeout", fmt::format("{}ms", timeout.count())});
  }
  const BusPlaces places = bus_places(common);
  subject.runtime_dir = places.runtime_dir;
  subject.state_dir = options.state_dir.empty() ? places.state_dir : options.state_dir;
  if (subject.state_dir.empty()) subject.state_dir = usual_state_dir(places.runtime_dir);
  try {
    Bus bus = connect(hastened(common));
    const nlohmann::json said = Administration(bus).status();
    subject.supervisor = pid_here(socket_path(common), said.value("pid", 0));
    subject.no_supervisor = "it is in another pid namespace";
    subject.unit = unit_of(subject.supervisor);
    for (const TopicSummary& topic : bus.topics()) subject.topics.insert(topic.name);
    return subject;
  } catch (const Error& error) {
    note(fmt::format("nobody answers, so that less is known: {}", error.what()));
  }
  const ServiceState service = service_state(common);
  if (is_ringwayd(service.process)) subject.supervisor = service.process;
  subject.unit = service.unit.name.empty() ? unit_of(subject.supervisor) : service.unit;
  constexpr std::size_t kBytesMax = 4 << 20;
  const Captured left = capture(
      [&] { return topics_left_in(subject.state_dir); }, patience, kBytesMax);
  std::istringstream names(left.out);
  for (std::string name; std::getline(names, name);) subject.topics.insert(name);
  if (left.late) note("topics are not known: the state directory does not answer");
  return subject;
}

void collect_configuration(Collection& into, const Subject& subject) {
  // Not the supervisor's own executable, which may be anybody's program.
  const fs::path beside = fs::path(subject.command).parent_path() / "ringwayd";
  const std::string daemon = fs::exists(beside) ? beside.string() : "ringwayd";
  std::string about = "every key, its value and its source, as it was started";
  std::vector<std::string> words = bundle::configuration_command(subject.supervisor, daemon);
  if (subject.supervisor == 0 && !subject.unit.name.empty() && !subject.unit.of_user) {
    about = "every key, its value and its source, as its unit starts it";
    const Captured shown = capture(
        {"systemctl", "show", "--no-pager", fmt::format("--property={}", bundle::kShown), "--",
         subject.unit.name},
        std::chrono::seconds(5), 64 << 10);
    words = bundle::configuration_command(
        shown.out, fs::path(subject.runtime_dir).filename().string(), daemon);
  } else if (subject.supervisor == 0) {
    about = "every key, its value and its source, as this shell would start one";
  }
  into.add_command("config.txt", about, words, "ringwayd --print-config");
}

void collect_bus(Collection& into, const Subject& subject) {
  into.add_command("version.json", "this command", {subject.command, "--version"});
  into.add_command("doctor.txt", "what is amiss on this host", call(subject, {"doctor"}));
  into.add_command("doctor.json", "the same for programs",
                   call(subject, {"doctor", "--output", "json"}));
  into.add_command("status.json", "the supervisor's report on itself",
                   call(subject, {"status", "--output", "json"}));
  into.add_command("topics.json", "topics that this user may see",
                   call(subject, {"topic", "list", "--output", "json"}));
  const bool embedded = subject.supervisor != 0 && !is_ringwayd(subject.supervisor);
  if (embedded) {
    into.leave_out("config.txt", "the supervisor is inside another program, which configures it");
  } else {
    collect_configuration(into, subject);
  }
  if (subject.unit.name.empty()) {
    into.leave_out("journal", "no unit of systemd is known to serve this bus");
    return;
  }
  into.add_command("unit.txt", "state and limits of the unit", bundle::state_command(subject.unit));
  if (embedded) {
    into.leave_out("journal", "the supervisor is inside another program, whose journal it is");
    return;
  }
  into.add_command("journal.txt", "the unit's last 5,000 lines",
                   bundle::journal_command(subject.unit));
}

void collect_topics(Collection& into, const Subject& subject) {
  std::size_t number = 0;
  for (const std::string& topic : subject.topics) {
    const std::string directory = fmt::format("topics/{:04}/", ++number);
    into.add_command(directory + "describe.json", topic_thing(topic) + ": settings",
                     call(subject, {"topic", "describe", "--output", "json"}, topic));
    into.add_command(directory + "inspect.json", topic_thing(topic) + ": its rings, no records",
                     call(subject, {"inspect", "--output", "json"}, topic));
    std::vector<std::string> verify{"log", "verify", "--output", "json"};
    if (!subject.state_dir.empty()) {
      verify.insert(verify.end(), {"--state-dir", subject.state_dir});
    }
    into.add_command(directory + "log-verify.json", topic_thing(topic) + ": its segments checked",
                     call(subject, verify, topic));
  }
}

void collect_host(Collection& into, const Subject& subject) {
  if (subject.state_dir.empty()) {
    into.leave_out("segments.txt", "nobody says where the state directory is: --state-dir");
  } else {
    into.add_command("segments.txt",
                     "files below " + subject.state_dir + ": mode, uid, size, KiB on disk, changed",
                     {"find", subject.state_dir, "-printf", "%M %6U %14s %10k %T+ %p\\n"});
  }
  for (const char* path :
       {"/proc/version", "/proc/meminfo", "/proc/cpuinfo", "/proc/loadavg", "/proc/uptime",
        "/proc/pressure/cpu", "/proc/pressure/memory", "/proc/pressure/io", "/etc/os-release",
        "/proc/sys/kernel/io_uring_disabled", "/proc/sys/vm/max_map_count",
        "/proc/sys/vm/overcommit_memory", "/sys/kernel/mm/transparent_hugepage/shmem_enabled"}) {
    into.add_file(fmt::format("host{}", path), path);
  }
  if (subject.supervisor == 0) {
    into.leave_out("supervisor/", subject.no_supervisor);
    return;
  }
  for (const char* name : {"limits", "status", "cgroup", "smaps_rollup"}) {
    into.add_file(fmt::format("supervisor/{}", name),
                  fmt::format("/proc/{}/{}", subject.supervisor, name));
  }
}

std::string default_name(std::time_t now) {
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::string name(64, '\0');
  name.resize(std::strftime(name.data(), name.size(), "ringway-debug-%Y%m%dT%H%M%SZ.tar", &utc));
  return name;
}

std::chrono::milliseconds some_time(const char* flag, const std::string& text) {
  const auto length = std::chrono::ceil<std::chrono::milliseconds>(parse_duration(flag, text));
  if (length.count() > 0) return length;
  throw Error(ErrorCode::usage, fmt::format("{} '{}'", flag, text),
              "in no time there is nothing to put into a bundle", "write some, e.g. 10s");
}

Exit make_bundle(const BundleOptions& options, const Common& common) {
  const std::time_t now = std::time(nullptr);
  const std::string file = options.file.empty() ? default_name(now) : options.file;
  if (struct stat there {}; lstat(file.c_str(), &there) == 0) {
    throw Error(ErrorCode::exists, file, "it is there already, and nothing is overwritten",
                "name another file, or remove that one");
  }
  const auto patience = some_time("--patience", options.patience);
  const auto within = some_time("--within", options.within);
  const auto end = Collection::Clock::now() + within;
  const Subject subject = subject_of(options, common, std::min(patience, within));
  Collection collection(patience, end);
  collect_bus(collection, subject);
  collect_host(collection, subject);
  collect_topics(collection, subject);
  for (const char* what : {"records: their values, keys and headers", "memory and segment files",
                           "environments and command lines of processes"}) {
    collection.leave_out(what, "they may be confidential: never in a bundle");
  }
  const std::string archive = collection.take(
      now, {{"made_by", shm::user_name(geteuid())},
            {"made_at", static_cast<std::int64_t>(now)},
            {"version", RINGWAY_VERSION},
            {"socket", socket_path(common)},
            {"supervisor", subject.supervisor == 0 ? Json() : Json(subject.supervisor)}});
  bundle::write_new_file(file, archive);
  Report report;
  report.add("Bundle", "file", Cell::of_text(file));
  report.add("Size", "bytes", Cell::of_bytes(archive.size()));
  report.add("Look into it", "look", Cell::of_text("tar -xOf " + control::shell_quoted(file) +
                                                   " ringway-debug/manifest.json"));
  static_cast<void>(
      write_all(STDOUT_FILENO, report.render(common.format, style_of(STDOUT_FILENO))));
  return Exit::ok;
}

}  // namespace

void add_debug_bundle(CommandLine& line) {
  const auto options = std::make_shared<BundleOptions>();
  CLI::App& verb = line.verb(
      {.noun = "debug",
       .name = "bundle",
       .why = "Make a tar archive for who is to find out what went wrong: versions, doctor, "
              "status, each topic's description, rings and checked log, configuration, journal, "
              "kernel and limits; manifest.json lists it. No record's value, key or header is in "
              "it. Names of topics, cursors, users and files are. Works with the supervisor dead, "
              "or stopped, and while a disk hangs.",
       .examples = "  ringway debug bundle\n"
                   "  ringway debug bundle trouble.tar --patience 10s",
       .patience = "500ms"},
      [options](const Common& common) { return make_bundle(*options, common); });
  verb.add_option("FILE", options->file,
                  "Archive to make, readable by its owner alone (default "
                  "ringway-debug-TIME.tar here); never overwritten");
  verb.add_option("--state-dir", options->state_dir,
                  "State directory (default: as the bus says, or where one usually is)")
      ->type_name("DIR");
  verb.add_option("--patience", options->patience,
                  "How long each part may take; the manifest says which did not end by then")
      ->type_name("DUR")
      ->capture_default_str();
  verb.add_option("--within", options->within,
                  "How long all of it may take; what has not begun by then is left out")
      ->type_name("DUR")
      ->capture_default_str();
}

}  // namespace ringway::cli
