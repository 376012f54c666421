#include "tools/bus_access.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>

#include "client/default_socket.hpp"
#include "ringway/error.hpp"
#include "ringway/lost_pages.hpp"
#include "tools/note.hpp"
#include "tools/quantity.hpp"
#include "tools/state_directory.hpp"

namespace ringway::cli {
namespace {

constexpr std::chrono::milliseconds kHastyPatience{500};

/// Prints the library's warnings and errors, each once in a row.
class LibraryLog {
 public:
  /// `silent`: what is said where the supervisor does not answer.
  explicit LibraryLog(std::string silent) : silent_(std::move(silent)) {}

  void operator()(std::string_view line) {
    if (line.starts_with("severity=warning event=no_answer_yet ")) line = silent_;
    if (line.starts_with("severity=info")) return;
    const std::lock_guard lock(said_->mutex);
    if (line == said_->last) return;
    said_->last = line;
    note(line);
  }

 private:
  struct Said {
    std::mutex mutex;
    std::string last;
  };
  std::string silent_;
  std::shared_ptr<Said> said_ = std::make_shared<Said>();
};

/// A user whose own bus does not run gets the host's: other topics, which is not to be a surprise.
/// Said once.
void note_own_bus_is_away(const Common& common) {
  static std::atomic<bool> said{false};
  const char* const runtime_dir = std::getenv("XDG_RUNTIME_DIR");
  if (names_a_bus(common) || runtime_dir == nullptr) return;
  const std::string asked = socket_path(common);
  const auto state_dir = own_state_directory();
  const bool is_own = asked.starts_with(std::string(runtime_dir) + "/");
  if (is_own || state_dir.empty() || !has_catalog(state_dir) || said.exchange(true)) return;
  note(fmt::format("this user's own bus (its state is in {}) does not run: the host's is asked, at "
                   "{}; RINGWAY_SOCKET or --socket says which is meant",
                   state_dir.string(), asked));
}

}  // namespace

Bus connect(const Common& common, std::string_view hint) {
  survive_lost_pages();
  note_own_bus_is_away(common);
  const std::string silent =
      fmt::format("no supervisor answers at {} yet: waiting, up to {}{}", socket_path(common),
                  format_duration(common.timeout), hint);
  return Bus::connect({.socket = common.socket,
                       .timeout = std::chrono::ceil<std::chrono::milliseconds>(common.timeout),
                       .log = LibraryLog(silent)});
}

Common hastened(const Common& common) {
  Common hasty = common;
  if (!common.names_timeout) hasty.timeout = kHastyPatience;
  return hasty;
}

bool names_a_bus(const Common& common) {
  const char* const named = std::getenv("RINGWAY_SOCKET");
  return !common.socket.empty() || (named != nullptr && *named != '\0');
}

std::string socket_path(const Common& common) {
  return common.socket.empty() ? default_socket() : common.socket;
}

std::string runtime_directory(const Common& common) {
  return std::filesystem::path(socket_path(common)).parent_path().string();
}

}  // namespace ringway::cli
