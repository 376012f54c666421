#include "proof/performance.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <random>
#include <set>
#include <span>

#include "proof/points.hpp"
#include "support/seed.hpp"
#include "support/shared_with_children.hpp"

namespace ringway::proof {
namespace {

constexpr int kWorkers = 2;
/// Longer ones, and those beside rivals, are not begun anew for every point: a copy of the victim
/// is killed instead (puppet_test.cpp shows that it leaves the same behind).
constexpr std::uint64_t kBegunAnewMax = 400;
/// An act that others may shorten (who is woken before it sleeps) is over when it was that often.
constexpr int kBeyondMax = 8;
/// Numbers of records begin near the end of what a tail word holds of them.
constexpr std::uint64_t kBaseOffset = 3 * 4096 - 60;
constexpr std::size_t kSamplesMax = 1 << 14;

/// Of a long operation's instructions, besides its boundaries.
std::uint64_t chosen_instructions() {
  return std::getenv("RINGWAY_TEST_LONG") == nullptr ? 150 : 2000;
}

/// What a worker found, in memory it shares with who started it.
struct Findings {
  std::uint64_t points;
  std::uint64_t sure_points;  // that any machine has
  std::uint64_t holes;
  std::uint64_t violations;
  std::uint64_t samples;
  bool whole;
  char first[400];
  std::uint32_t repair_ns[kSamplesMax];
};

/// Of the instructions that are no boundaries; the same in every worker.
struct Choice {
  std::uint64_t length = 0;  ///< of the whole act; 0: none is chosen, since all are looked at
  std::uint64_t seed = 0;
};

/// Which points of a long operation are looked at: those where something outside the victim changed
/// by its last instruction, or may change by its next, and some others that a seed chooses.
class Boundaries {
 public:
  Boundaries(const Stage& stage, const Puppet& puppet, Choice choice)
      : stage_(stage), seen_(stage.keep()), was_at_call_(puppet.at_system_call()) {
    std::mt19937_64 random(choice.seed);
    for (std::uint64_t i = 0; choice.length != 0 && i < chosen_instructions(); ++i) {
      chosen_.insert(random() % choice.length);
    }
  }

  /// Once for each instruction. The same in every worker.
  enum class At : unsigned char { neither, chance, boundary };
  At at(const Puppet& puppet) {
    const bool is_at_call = puppet.at_system_call();
    const bool changed = !stage_.is_as(seen_);
    if (changed) seen_ = stage_.keep();
    if (is_at_call || std::exchange(was_at_call_, is_at_call) || changed) return At::boundary;
    return chosen_.contains(puppet.steps()) ? At::chance : At::neither;
  }

 private:
  const Stage& stage_;
  Stage::Kept seen_;
  bool was_at_call_;
  std::set<std::uint64_t> chosen_;
};

class Performance {
 public:
  Performance(const Scene& scene, Findings& findings)
      : scene_(scene),
        findings_(findings),
        stage_(kBaseOffset, scene.log),
        cast_(stage_, scene.mapping, kBaseOffset) {
    scene_.beginning(cast_);
    kept_ = stage_.keep();
  }

  /// Instructions of the whole act.
  std::uint64_t length() {
    begin();
    while (!victim_->puppet().done()) step();
    return victim_->puppet().steps();
  }

  /// Every kill point n with n % kWorkers == worker, by a victim of its own.
  void kill_victims(std::uint64_t worker) {
    int beyond = 0;
    for (std::uint64_t n = worker; beyond < kBeyondMax; n += kWorkers) {
      begin();
      while (victim_->puppet().steps() < n && !victim_->puppet().done()) step();
      if (victim_->puppet().steps() < n) {
        ++beyond;
        continue;
      }
      beyond = 0;
      if (victim_->puppet().in_own_code()) ++findings_.sure_points;
      die(n, std::move(*victim_), std::move(rivals_));
    }
  }

  /// The same, by copies of one victim.
  void kill_copies(std::uint64_t worker, Choice choice) {
    begin();
    Boundaries boundaries(stage_, victim_->puppet(), choice);
    std::uint64_t points = 0;
    for (std::uint64_t n = 0;; ++n) {
      bool point = true, sure = victim_->puppet().in_own_code();
      if (scene_.grain == Scene::Grain::boundaries) {
        const auto at = boundaries.at(victim_->puppet());
        point = at != Boundaries::At::neither;
        sure = at == Boundaries::At::boundary;
      }
      if (point && points++ % kWorkers == worker) {
        if (sure) ++findings_.sure_points;
        const Stage::Kept here = stage_.keep();
        std::vector<Actor> rivals;
        for (Actor& rival : rivals_) rivals.push_back(rival.copy());
        die(n, victim_->copy(), std::move(rivals));
        stage_.put_back(here);
      }
      if (victim_->puppet().done()) return;
      step();
    }
  }

 private:
  void begin() {
    victim_.reset();
    rivals_.clear();
    dead_ = {};
    overtaken_ = false;
    stage_.put_back(kept_);
    if (scene_.company) scene_.company(cast_);
    for (const Rival& rival : scene_.rivals) {
      rivals_.emplace_back(cast_, rival.seat, rival.act);
      rivals_.back().lead_to(stage_, rival.at);
    }
    if (scene_.parting) lead_on(*scene_.parting);
    kill_rivals(rivals_, Rival::Fate::dies_before, dead_);
    victim_.emplace(cast_, scene_.role == Scene::Role::reader ? kVictimReader : kVictim,
                    scene_.victim);
  }

  void step() {
    victim_->step(stage_);
    if (!scene_.overtaking || overtaken_ || !victim_->at(stage_, Point::trying)) return;
    overtaken_ = true;
    lead_on(*scene_.overtaking);
  }

  void lead_on(const Overtaking& overtaking) {
    std::ranges::find(rivals_, overtaking.rival, &Actor::seat)->lead_to(stage_, overtaking.until);
  }

  void kill_rivals(std::vector<Actor>& rivals, Rival::Fate fate, Fallen& fallen) {
    std::erase_if(rivals, [&](Actor& rival) {
      const auto plan = std::ranges::find(scene_.rivals, rival.seat(), &Rival::seat);
      if (plan->fate != fate) return false;
      rival.puppet().kill();
      fallen.add(cast_.view(), rival.seat(), rival.claims());
      return true;
    });
  }

  Fallen bury(Actor victim, std::vector<Actor>& rivals) {
    Fallen fallen = dead_;
    victim.puppet().kill();
    switch (scene_.role) {
      case Scene::Role::producer:
        fallen.add(cast_.view(), victim.seat(), victim.claims());
        break;
      case Scene::Role::reader:
        fallen.reader = victim.seat();
        break;
      case Scene::Role::supervisor:
        fallen.supervisor = true;
        break;
    }
    kill_rivals(rivals, Rival::Fate::dies_as_well, fallen);
    return fallen;
  }

  void die(std::uint64_t n, Actor victim, std::vector<Actor> rivals) {
    const Fallen fallen = bury(std::move(victim), rivals);
    std::vector<Bystander> living;
    for (Actor& rival : rivals) living.push_back({rival.seat(), std::move(rival.puppet())});
    ++findings_.points;
    if (!fallen.holes.empty()) ++findings_.holes;
    try {
      if (scene_.audience) {
        const Stage::Kept here = stage_.keep();
        Cast cast = cast_;
        scene_.audience(cast);
        stage_.put_back(here);
      }
      if (scene_.aftermath) return scene_.aftermath(cast_);
      const Aftermath aftermath = go_on(cast_, fallen, std::move(living));
      if (findings_.samples < kSamplesMax && !fallen.producers.empty()) {
        findings_.repair_ns[findings_.samples++] =
            static_cast<std::uint32_t>(aftermath.repair.count());
      }
    } catch (const Violation& violation) {
      if (findings_.violations++ == 0) {
        std::snprintf(findings_.first, sizeof findings_.first, "after instruction %lu: %s", n,
                      violation.what());
      }
    }
  }

  const Scene& scene_;
  Findings& findings_;
  Stage stage_;
  Cast cast_;
  Stage::Kept kept_;
  std::optional<Actor> victim_;
  std::vector<Actor> rivals_;
  Fallen dead_;
  bool overtaken_ = false;
};

void work(const Scene& scene, std::uint64_t worker, Choice choice, Findings& findings) {
  try {
    Performance performance(scene, findings);
    const bool copies = scene.grain == Scene::Grain::boundaries;
    if (scene.company ||
        (!copies && scene.rivals.empty() && performance.length() <= kBegunAnewMax)) {
      performance.kill_victims(worker);
    } else {
      performance.kill_copies(worker, choice);
    }
    findings.whole = true;
  } catch (const std::exception& error) {
    std::snprintf(findings.first, sizeof findings.first, "%s", error.what());
  }
}

/// Of one scene, or the sum of several.
struct Sum {
  std::uint64_t points = 0, sure_points = 0, holes = 0, violations = 0;
  std::vector<std::uint32_t> repair_ns;

  void add(const Findings& findings) {
    points += findings.points;
    sure_points += findings.sure_points;
    holes += findings.holes;
    violations += findings.violations;
    repair_ns.insert(repair_ns.end(), findings.repair_ns, findings.repair_ns + findings.samples);
  }
  std::string row(const std::string& name) {
    std::string times = fmt::format("{:>9} {:>9}", "-", "-");
    if (!repair_ns.empty()) {
      std::ranges::sort(repair_ns);
      times = fmt::format("{:9.2f} {:9.2f}", repair_ns[repair_ns.size() / 2] / 1e3,
                          repair_ns.back() / 1e3);
    }
    return fmt::format("{:<62} {:>6} {:>6} {:>6} {:>10} {}\n", name, points, sure_points, holes,
                       violations, times);
  }
};

/// In a process and on files of its own: a victim leaves them changed.
Choice choose(const Scene& scene) {
  static const std::uint64_t seed = ringway::test::chosen_seed();
  if (scene.grain == Scene::Grain::instructions) return {};
  const test::SharedWithChildren<Choice> choice;
  std::fflush(nullptr);
  const pid_t process = ::fork();
  if (process == 0) {
    const test::SharedWithChildren<Findings> none;
    *choice = {Performance(scene, *none).length(), seed};
    ::_exit(0);
  }
  ::waitpid(process, nullptr, 0);
  fmt::print("seed {} chooses {} of {} instructions\n", seed, chosen_instructions(),
             choice->length);
  REQUIRE(choice->length != 0);
  return *choice;
}

Sum perform(const Scene& scene) {
  const Choice choice = choose(scene);
  std::array<test::SharedWithChildren<Findings>, kWorkers> findings;
  std::array<pid_t, kWorkers> workers{};
  std::fflush(nullptr);
  for (int i = 0; i < kWorkers; ++i) {
    workers[i] = ::fork();
    if (workers[i] == 0) {
      work(scene, i, choice, *findings[i]);
      ::_exit(0);
    }
  }
  Sum sum;
  for (int i = 0; i < kWorkers; ++i) {
    int status = 0;
    ::waitpid(workers[i], &status, 0);
    INFO("wait status " << status);
    INFO(scene.state << ", worker " << i << ", " << findings[i]->points << " points");
    INFO(findings[i]->first);
    CHECK(findings[i]->violations == 0);
    CHECK(findings[i]->whole);
    sum.add(*findings[i]);
  }
  return sum;
}

}  // namespace

void perform(const std::string& operation, const std::vector<Scene>& scenes) {
  static const bool titled = [] {
    fmt::print("{:<62} {:>6} {:>6} {:>6} {:>10} {:>19}\n", "", "kill", "sure", "claim", "",
               "repair, us");
    fmt::print("{:<62} {:>6} {:>6} {:>6} {:>10} {:>9} {:>9}\n", "operation, state", "points",
               "ones", "open", "violations", "median", "max");
    return true;
  }();
  static_cast<void>(titled);
  Sum all;
  std::string rows;
  for (const Scene& scene : scenes) {
    Sum sum = perform(scene);
    rows += sum.row("  " + scene.state);
    all.points += sum.points;
    all.sure_points += sum.sure_points;
    all.holes += sum.holes;
    all.violations += sum.violations;
    all.repair_ns.insert(all.repair_ns.end(), sum.repair_ns.begin(), sum.repair_ns.end());
  }
  fmt::print("{}{}", all.row(operation), rows);
  std::fflush(stdout);
  INFO(
      "fewer kill points than tests/proof/points.hpp records: does the test still kill where it "
      "did?");
  CHECK(all.sure_points >= recorded_points(operation));
}

}  // namespace ringway::proof
