#include <poll.h>
#include <unistd.h>

#include <memory>

#include "shm/descriptor_limit.hpp"
#include "tools/command_line.hpp"
#include "tools/stop_signal.hpp"
#include "tools/top/bus_eye.hpp"
#include "tools/top/screen.hpp"
#include "tools/verbs/verbs.hpp"
#include "tools/watch_interval.hpp"

namespace ringway::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// Until a key is pressed, a signal comes, or it is time. False when the terminal is gone.
bool wait_for_key(Clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
  // A signal may come just before: no wait is longer than a second.
  const int patience = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1000));
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  if (poll(&input, 1, patience) <= 0) return true;
  return (input.revents & (POLLHUP | POLLERR | POLLNVAL)) == 0;
}

Exit watch_bus(const std::string& interval_text, const Common& common) {
  const auto interval = parse_interval(interval_text);
  shm::raise_descriptor_limit();
  top::Screen screen;
  top::BusEye eye(common);
  top::History history;
  top::Controls controls;
  const StopSignal stop;
  Clock::time_point next{};
  while (!stop.requested() && !controls.quits()) {
    if (Clock::now() >= next) {
      if (!controls.paused()) history.take(eye.look());
      next = Clock::now() + interval;
    }
    screen.draw(history, controls);
    if (!wait_for_key(next)) break;
    while (const auto key = screen.key()) controls.press(*key);
  }
  return Exit::ok;
}

}  // namespace

void add_top(CommandLine& line) {
  const auto interval = std::make_shared<std::string>();
  CLI::App& verb = line.verb(
      {.name = "top",
       .why = "Watch what every topic does: rates, the slowest consumer's lag, how full the rings "
              "are, how far the log is, who is slow or stopped. Reads shared memory, and so goes "
              "on while the supervisor is away. Press h for the keys. For programs there is "
              "'ringway status --watch --output jsonl'.",
       .examples = "  ringway top\n"
                   "  NO_COLOR=1 ringway top --interval 5s",
       .patience = "500ms",
       .draws = true},
      [interval](const Common& common) { return watch_bus(*interval, common); });
  verb.add_option("--interval", *interval, "Time from one look to the next (default 1s)")
      ->type_name("DUR");
}

}  // namespace ringway::cli
