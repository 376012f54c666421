#include "proof/prey.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <future>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "proof/hunt.hpp"
#include "proof/points.hpp"
#include "proof/violation.hpp"

namespace ringway::proof {
namespace {

using namespace std::chrono_literals;
using ringway::test::Child;
using Clock = std::chrono::steady_clock;

constexpr int kIdleMs = 20;
/// What the act has set going ends so much later.
constexpr auto kBehind = 20ms;
/// Single steps from a system call on; as many shorter ways as longer ones by orders of magnitude.
constexpr double kStepsMax = 20'000;
/// After so many an operation is given up.
constexpr int kViolationsMax = 5;

/// How often it is killed in which way.
struct Kills {
  std::uint64_t boundaries, instructions, moments;
};
constexpr Kills kSample{14, 14, 8};
constexpr Kills kLong{~std::uint64_t{0}, 2000, 400};  // every boundary

/// Where it is killed.
struct Death {
  std::uint64_t boundary = 0;         ///< so many system call boundaries behind the beginning
  std::uint64_t steps = 0;            ///< and single steps behind that
  std::chrono::nanoseconds moment{};  ///< if not 0: no boundary, but so much later, unwatched

  std::string text() const {
    if (boundary == ~std::uint64_t{0} || moment == std::chrono::nanoseconds::max()) {
      return "at its end";
    }
    if (moment != 0ns) return fmt::format("{} ns from its beginning", moment.count());
    return fmt::format("at boundary {} and {} steps", boundary, steps);
  }
};
enum ClientStatus : int { kTold, kNotTold, kWronglyTold };

constexpr Death kAtTheEnd{.boundary = ~std::uint64_t{0}};
constexpr Death kAtTheEndUnwatched{.moment = std::chrono::nanoseconds::max()};

std::uint64_t seed() {
  const char* const given = std::getenv("RINGWAY_TEST_SEED");
  return given == nullptr ? std::random_device()() : std::strtoull(given, nullptr, 10);
}

struct Came {
  std::uint64_t boundaries = 0;
  std::chrono::nanoseconds time{};
};

/// Nobody needs to have taken notice of it.
bool has_ended(pid_t pid) {
  siginfo_t info{};
  const int mine = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
  return mine == 0 ? info.si_pid != 0 : ::kill(pid, 0) != 0;
}

/// Kills it there, or when what it is at is over.
Came pursue(const World& world, const Prey& prey, pid_t pid, const Death& death,
            std::atomic<bool>& ready) {
  std::optional<Hunt> hunt;
  const bool watched = death.moment == 0ns;
  if (watched) hunt.emplace(pid);
  const auto begun = Clock::now();
  ready = true;
  auto over_since = Clock::time_point::max();
  bool ended = false;
  const auto is_over = [&] {
    if (prey.span == Prey::Span::last_act) return ended;
    if (world.client().done && over_since > Clock::now()) over_since = Clock::now();
    return ended || (world.client().done && Clock::now() - over_since > kBehind);
  };
  if (!watched) {
    while (Clock::now() - begun < death.moment && !is_over()) {
      ended = has_ended(pid);
      if (death.moment - (Clock::now() - begun) > 200us) std::this_thread::sleep_for(50us);
    }
    ::kill(pid, SIGKILL);
    return {0, Clock::now() - begun};
  }
  while (hunt->boundaries() < death.boundary && !is_over()) {
    ended = hunt->to_boundary(kIdleMs) == Hunt::Went::ended;
  }
  if (hunt->boundaries() == death.boundary) hunt->step(death.steps, kIdleMs);
  hunt->kill();
  return {hunt->boundaries(), Clock::now() - begun};
}

class Hunting {
 public:
  explicit Hunting(const Prey& prey) : prey_(prey), random_(chosen_) { settle(); }

  void run() {
    // To its end, for its length. A slow device makes it longer.
    const std::uint64_t boundaries =
        std::min(kill(kAtTheEnd).boundaries, kill(kAtTheEnd).boundaries);
    const auto time = kill(kAtTheEndUnwatched).time;
    const bool all = std::getenv("RINGWAY_TEST_LONG") != nullptr;
    const Kills kills = all ? kLong : kSample;
    for (std::uint64_t i = 0; i < std::min(kills.boundaries, boundaries); ++i) {
      kill({.boundary = 1 + (all ? i : random_() % boundaries)});
    }
    for (std::uint64_t i = 0; i < kills.instructions; ++i) {
      const double part = std::uniform_real_distribution<>(0, 1)(random_);
      kill({.boundary = 1 + random_() % boundaries,
            .steps = static_cast<std::uint64_t>(std::pow(kStepsMax, part))});
    }
    for (std::uint64_t i = 0; i < kills.moments; ++i) {
      kill({.moment = std::chrono::nanoseconds(1 + random_() %
                                                       static_cast<std::uint64_t>(time.count()))});
    }
    attempt([&] { world_->check_from_the_start(); });
    report(boundaries);
  }

 private:
  /// A world without a past.
  void settle() {
    world_.reset();
    world_ = std::make_unique<World>();
    if (prey_.memory_may_be_lost) world_->memory_may_be_lost();
  }

  template <class Body>
  void attempt(Body&& body) {
    try {
      body();
    } catch (const std::exception& found) {
      if (violations_++ == 0) first_ = found.what();
      if (violations_ == kViolationsMax) throw;
      settle();
    }
  }

  Came kill(const Death& death) {
    Came came;
    attempt([&] {
      try {
        came = kill_and_check(death);
      } catch (const std::exception& found) {
        throw Violation(fmt::format("{} killed {}: {}", prey_.name, death.text(), found.what()));
      }
    });
    return came;
  }

  Came kill_and_check(const Death& death) {
    World& world = *world_;
    const int trial = trial_++;
    prey_.prepare(world, trial);
    if (prey_.span == Prey::Span::life) {
      world.daemon.kill();
      prey_.meanwhile();
      world.daemon.launch();
    }
    const bool keeper = prey_.victim == Prey::Victim::keeper;
    const pid_t victim = keeper ? world.daemon.keeper() : world.daemon.pid();
    world.client().done = false;
    std::atomic<bool> ready = false;
    // A thread of its own waits for nobody else's children.
    auto hunter =
        std::async(std::launch::async, [&] { return pursue(world, prey_, victim, death, ready); });
    while (!ready && hunter.wait_for(100us) == std::future_status::timeout) {
    }
    Child client([&](Child&) {
      int status = kTold;
      try {
        prey_.act(world, trial);
      } catch (const Violation& violation) {
        fmt::print(stderr, "{}: {}\n", prey_.name, violation.what());
        status = kWronglyTold;
      } catch (const std::exception&) {
        status = kNotTold;
      }
      world.client().done = true;
      ::_exit(status);
    });
    const Came came = hunter.get();
    const auto died = Clock::now();
    int status = kNotTold;
    if (keeper) {
      world.await_another_keeper(victim);
      served_again_.push_back(Clock::now() - died);
      status = client.join();
      // Who dies now leaves all to the new one.
      world.daemon.kill();
      world.note_death();
      world.daemon.start();
    } else {
      world.daemon.kill();
      world.note_death();
      const auto launched = Clock::now();
      world.daemon.start();
      served_again_.push_back(Clock::now() - launched);
      status = client.join();
    }
    if (status != kTold && status != kNotTold) throw Violation("a client was told something wrong");
    prey_.check(world, trial, status == kTold);
    world.check();
    world.check_nothing_is_left();
    ++kills_;
    return came;
  }

  void report(std::uint64_t boundaries) {
    std::ranges::sort(served_again_);
    const auto ms = [&](std::size_t at) {
      return static_cast<double>(served_again_[at].count()) / 1e6;
    };
    fmt::print("{:<44} {:>10} {:>6} {:>10} {:>9.1f} {:>9.1f}  seed {}\n", prey_.name, boundaries,
               kills_, violations_, ms(served_again_.size() / 2), ms(served_again_.size() - 1),
               chosen_);
    std::fflush(stdout);
    INFO(first_);
    CHECK(violations_ == 0);
    INFO("fewer system calls than tests/proof/points.hpp records: is it still at what it was?");
    CHECK(boundaries >= recorded_points(prey_.name));
  }

  const Prey& prey_;
  std::uint64_t chosen_ = seed();
  std::mt19937_64 random_;
  std::unique_ptr<World> world_;
  int trial_ = 0;
  std::uint64_t kills_ = 0;
  int violations_ = 0;
  std::string first_;
  std::vector<std::chrono::nanoseconds> served_again_;
};

}  // namespace

void hunt(const Prey& prey) {
  static const bool titled = [] {
    fmt::print("{:<44} {:>10} {:>6} {:>10} {:>19}\n", "", "system call", "", "",
               "served again, ms");
    fmt::print("{:<44} {:>10} {:>6} {:>10} {:>9} {:>9}\n", "operation", "boundaries", "kills",
               "violations", "median", "max");
    return true;
  }();
  static_cast<void>(titled);
  Hunting(prey).run();
}

}  // namespace ringway::proof
