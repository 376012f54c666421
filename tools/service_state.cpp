#include "tools/service_state.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>
#include <thread>

#include "control/channel.hpp"
#include "control/directory_lock.hpp"
#include "control/shell_word.hpp"
#include "ringway/error.hpp"
#include "tools/bus_access.hpp"
#include "tools/capture.hpp"
#include "tools/pid_namespace.hpp"

namespace ringway::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kPatience{5};
constexpr std::size_t kSaidBytesMax = 64 << 10;

Captured said_by(const std::vector<std::string>& words) {
  return capture(words, kPatience, kSaidBytesMax);
}

std::map<std::string, std::string> properties_of(const Unit& unit) {
  std::vector<std::string> words{"systemctl", "show", "--no-pager"};
  if (unit.of_user) words.emplace_back("--user");
  words.insert(words.end(), {"--property=LoadState,ActiveState,SubState,Result,NRestarts,MainPID",
                             "--", unit.name});
  std::istringstream lines(said_by(words).out);
  std::map<std::string, std::string> properties;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = line.find('=');
    if (equals != line.npos) properties[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return properties;
}

std::uint64_t number_of(const std::string& text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// Whether it is the attempts of a service that cannot start that are seen, not a start.
bool fails(const ServiceState& state) {
  if (state.active == "active") return false;
  const bool ended = !state.result.empty() && state.result != "success";
  return ended || state.sub == "auto-restart" || (state.restarts > 0 && !state.last_line.empty());
}

/// What ringwayd said last, if that was why it ended.
std::string last_words(const Unit& unit, const std::string& runtime_dir) {
  constexpr std::string_view kIntroduced = "ringwayd: ";
  const auto words_in = [&](const std::string& text) {
    const std::size_t begin = text.starts_with(kIntroduced) ? kIntroduced.size() : text.size();
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  const Captured journal =
      said_by({"journalctl", (unit.of_user ? "--user-unit=" : "--unit=") + unit.name,
               "--identifier=ringwayd", "-n", "1", "-o", "cat", "-q", "--no-pager"});
  if (std::string words = words_in(journal.out); !words.empty()) return words;
  if (unit.of_user || !journal.out.empty()) return {};
  // The journal is not for everybody; the configuration, which is the cause mostly, may be.
  const fs::path file =
      fs::path("/etc") / fs::path(runtime_dir).filename() / "ringwayd.toml";
  std::error_code unknown;
  if (!fs::exists(file, unknown)) return {};
  const fs::path beside = fs::read_symlink("/proc/self/exe", unknown).parent_path() / "ringwayd";
  const std::string daemon = fs::exists(beside, unknown) ? beside.string() : "ringwayd";
  return words_in(said_by({"env", "-i", daemon, "--check-config", "--config", file.string()}).err);
}

void look_at_unit(ServiceState& state, const std::string& runtime_dir) {
  const Unit unit = unit_at(runtime_dir);
  if (unit.name.empty()) return;
  // Between two attempts it is seen as what it is; in the midst of one it looks like a start.
  constexpr int kLooks = 8;
  constexpr std::chrono::milliseconds kBetween{25};
  for (int look = 0; look < kLooks; ++look) {
    auto properties = properties_of(unit);
    if (properties["LoadState"] != "loaded") return;
    state.unit = unit;
    state.active = properties["ActiveState"];
    state.sub = properties["SubState"];
    state.result = properties["Result"];
    state.restarts = number_of(properties["NRestarts"]);
    state.process = static_cast<pid_t>(number_of(properties["MainPID"]));
    if (state.restarts == 0 || state.sub != "start") break;
    std::this_thread::sleep_for(kBetween);
  }
  if (state.active != "active") state.last_line = last_words(unit, runtime_dir);
}

/// Who called listen(); 0 in another pid namespace, none where nobody does.
std::optional<pid_t> listener_at(const std::string& socket) {
  try {
    return control::Channel::connect(socket).peer().pid;
  } catch (const Error&) {
    return {};
  }
}

/// The supervisor that has a directory's lock; 0 where none is known.
pid_t holder_of(const std::string& directory) {
  const pid_t holder = control::lock_holder(directory);
  return holder != 0 && is_ringwayd(holder) ? holder : 0;
}

/// Who listens, without being asked. A socket that the service manager made says nothing of that.
void look_at_listener(ServiceState& state, const std::string& runtime_dir) {
  std::error_code unseen;
  state.unnamed = fs::status(state.socket, unseen).type() == fs::file_type::not_found;
  const pid_t holder = holder_of(runtime_dir);
  if (!state.unit.name.empty() && holder != state.process) state.rival = holder;
  if (state.unnamed && state.process == 0) state.process = holder;
  const std::optional<pid_t> pid = listener_at(state.socket);
  if (pid == 0) state.elsewhere = true;
  if (!pid || *pid == 0 || is_service_manager(*pid)) return;
  state.process = *pid;
  state.elsewhere = pids_of(*pid).size() > 1;
}

bool is_stopped(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string stat;
  std::getline(file, stat);
  const std::size_t end = stat.rfind(") ");
  if (end == stat.npos || end + 2 >= stat.size()) return false;
  return stat[end + 2] == 'T' || stat[end + 2] == 't';
}

/// The configuration file that a refusal is about.
std::string file_named_in(const std::string& line) {
  constexpr std::string_view kEnding = ".toml";
  const std::size_t end = line.find(kEnding);
  if (end == line.npos || !line.starts_with('/')) return {};
  return line.substr(0, end + kEnding.size());
}

Remedy remedy_of_failing(const ServiceState& state) {
  const std::string cause = fmt::format(
      "{} does not start ({}, tried again {} times): {}", state.unit.name, state.result,
      state.restarts, state.last_line.empty() ? "its journal says why" : state.last_line);
  if (state.rival != 0) {
    return {cause, command_that_stops(state.rival) + "  # the service is tried again by itself"};
  }
  const std::string file = file_named_in(state.last_line);
  if (!file.empty()) {
    return {cause, fmt::format("{} && {}", control::typed("${EDITOR:-vi}", {file}),
                               systemctl("restart", state.unit))};
  }
  return {cause,
          fmt::format("journalctl {}{} -n 20  # mend what it says; it is tried again by itself",
                      state.unit.of_user ? "--user-unit=" : "--unit=",
                      control::shell_quoted(state.unit.name))};
}

}  // namespace

Remedy remedy_of(const ServiceState& state) {
  if (state.stopped) {
    return {fmt::format("pid {} is stopped (SIGSTOP, or a debugger)", state.process),
            fmt::format("kill -CONT {}", state.process)};
  }
  if (state.elsewhere) {
    const std::string who = state.process == 0 ? "" : fmt::format(", pid {} here", state.process);
    return {fmt::format("who listens is in another pid namespace{}, and silent", who),
            "restart its container, with what runs that"};
  }
  if (!state.unit.name.empty()) {
    if (fails(state)) return remedy_of_failing(state);
    if (state.active == "activating") {
      return {fmt::format("{} starts just now: it looks through its logs", state.unit.name),
              "ringway status --watch"};
    }
    if (state.active == "active" && state.unnamed) {
      // Whoever made the file is to make it again; the service goes on with it.
      Unit maker = state.unit;
      if (!maker.of_user) maker.name = socket_of(maker);
      return {fmt::format("{} runs (pid {}), but its socket {} was removed", state.unit.name,
                          state.process, state.socket),
              systemctl("restart", maker)};
    }
    if (state.active == "active") {
      return {fmt::format("{} runs (pid {}), and is overloaded or hangs", state.unit.name,
                          state.process),
              systemctl("restart", state.unit)};
    }
    return {fmt::format("{} is {}", state.unit.name, state.active), systemctl("start", state.unit)};
  }
  const std::string start =
      fmt::format("ringwayd --socket {}  # with the options it had, as its user",
                  control::shell_quoted(state.socket));
  if (state.process != 0 && state.unnamed) {
    return {fmt::format("pid {} runs, but its socket {} was removed", state.process, state.socket),
            fmt::format("kill -USR1 {} && {}", state.process, start)};
  }
  if (state.process != 0) {
    return {fmt::format("pid {} listens, and is overloaded or hangs", state.process),
            fmt::format("ringway status --timeout 60s  # silent: kill -USR1 {}, which leaves the "
                        "rings to the next one, and start that",
                        state.process)};
  }
  return {"", start};
}

pid_t pid_here(const std::string& socket, pid_t said) {
  const pid_t listener = listener_at(socket).value_or(0);
  if (!is_service_manager(listener)) return listener;
  if (pids_of(said).size() == 1 && is_ringwayd(said)) return said;
  std::vector<pid_t> inner = InnerProcesses().called(said);
  std::erase_if(inner, [](pid_t pid) { return !is_ringwayd(pid); });
  if (inner.size() == 1) return inner.front();
  return pids_of(said).size() == 1 ? said : 0;  // in a program of another name
}

ServiceState service_state(const Common& common) {
  ServiceState state{.socket = socket_path(common)};
  look_at_unit(state, runtime_directory(common));
  look_at_listener(state, runtime_directory(common));
  state.stopped = state.process != 0 && is_stopped(state.process);
  return state;
}

}  // namespace ringway::cli
