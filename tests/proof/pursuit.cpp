#include "proof/pursuit.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include <optional>
#include <thread>

namespace ringway::proof {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// After so long a look at whether it is over.
constexpr int kIdleMs = 20;
/// What the act has set going ends so much later.
constexpr auto kBehind = 20ms;

/// Nobody needs to have taken notice of it.
bool has_ended(pid_t pid) {
  siginfo_t info{};
  const int mine = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
  return mine == 0 ? info.si_pid != 0 : ::kill(pid, 0) != 0;
}

}  // namespace

std::string Death::text() const {
  if (boundary == kLast || moment == std::chrono::nanoseconds::max()) return "at its end";
  if (moment != 0ns) return fmt::format("{} ns from its beginning", moment.count());
  if (place != 0) return fmt::format("at boundary {} of the store at {:#x}", boundary, place);
  if (boundaries == Hunt::Boundaries::stores) return fmt::format("at store boundary {}", boundary);
  return fmt::format("at system call boundary {} and {} steps", boundary, steps);
}

Came pursue(const World& world, const Prey& prey, pid_t pid, const Death& death,
            std::atomic<bool>& ready) {
  std::optional<Hunt> hunt;
  const bool watched = death.moment == 0ns;
  if (watched) hunt.emplace(pid, death.boundaries);
  const auto begun = Clock::now();
  ready = true;
  Came came;
  std::uint64_t reached = 0;
  bool ended = false;
  const auto is_over = [&] {
    const Length now{watched ? hunt->boundaries() : 0, Clock::now() - begun};
    const bool done = prey.span != Prey::Span::last_act && world.client().done;
    came.all = now;
    if (!ended && !done) {
      came.act = now;
      came.when = Came::When::in_act;
      return false;
    }
    came.when = Came::When::behind_it;
    // Of what a client has set going, nothing is the client's.
    return ended || prey.victim == Prey::Victim::client || now.time - came.act.time > kBehind;
  };
  const auto is_there = [&] {
    return watched ? reached == death.boundary : came.all.time >= death.moment;
  };
  while (!is_over() && !is_there()) {
    if (watched) {
      const Hunt::Went went = hunt->to_boundary(kIdleMs);
      ended = went == Hunt::Went::ended;
      if (went != Hunt::Went::on) continue;
      came.places.push_back(hunt->place());
      if (death.place == 0 || death.place == hunt->place()) ++reached;
    } else {
      ended = has_ended(pid);
      if (death.moment - came.all.time > 200us) std::this_thread::sleep_for(50us);
    }
  }
  if (watched && is_there()) hunt->step(death.steps, kIdleMs);
  if (is_over() || !is_there()) came.when = Came::When::too_late;
  if (watched) {
    hunt->kill();
  } else {
    ::kill(pid, SIGKILL);
  }
  return came;
}

}  // namespace ringway::proof
