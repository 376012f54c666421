#include "tools/bus_access.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>

#include "client/default_socket.hpp"
#include "control/topic_settings.hpp"
#include "ringway/error.hpp"
#include "ringway/lost_pages.hpp"
#include "tools/quantity.hpp"
#include "tools/terminal.hpp"

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

}  // namespace

Bus connect(const Common& common, std::string_view hint) {
  survive_lost_pages();
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

std::string topic_thing(std::string_view topic) {
  return fmt::format("topic '{}'", topic);
}

Error advised(const Error& error, std::string_view topic) {
  if (error.code() != ErrorCode::not_found) return error;
  control::validate_topic_name(topic);  // what can never be there is not to be created
  return Error(ErrorCode::not_found, topic_thing(topic), "does not exist",
               fmt::format("create it with: ringway topic create {}", shell_quoted(topic)));
}

void note(std::string_view line) {
  try {
    ProgressLine::clear_shown();
    static_cast<void>(write_all(STDERR_FILENO, fmt::format("ringway: {}\n", line)));
  } catch (const Error&) {
    // Who closed standard error does not want to know.
  }
}

}  // namespace ringway::cli
