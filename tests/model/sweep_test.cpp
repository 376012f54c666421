#include "model/sweep.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

// relacy comes last
#include "model/explore.hpp"

using namespace ringway::ring::model;

namespace {

/// Schedules of each model for the survey, and for a mutant that is believed to survive; the most
/// for one that is not.
constexpr std::uint64_t kSurveyed = 3'000, kBelieved = 1'000, kMost = 120'000;

/// What became of a mutant. Passed through a pipe.
struct Verdict {
  enum class Kind : std::uint8_t { survived, caught, crashed } kind;
  std::size_t model;
  std::uint64_t schedules;  ///< of all models together
  char violation[40];
};

/// Runs the models in turn, a few schedules of each, then more, until one notices.
Verdict try_mutant(const Mutant& mutant, std::uint64_t most) {
  SweptMutation swept(mutant);
  mutation = &swept;
  Verdict verdict{Verdict::Kind::survived, 0, 0, ""};
  std::uint64_t done = 0;
  for (std::uint64_t until = 200; done < most; until *= 8) {
    until = std::min(until, most);
    for (const std::size_t model : mutant.site->models) {
      const Result result = models()[model].run(first_schedule() + done, until - done);
      verdict.schedules += result.schedules;
      if (result.holds) continue;
      verdict.kind = Verdict::Kind::caught;
      verdict.model = model;
      result.violation.copy(verdict.violation, sizeof verdict.violation - 1);
      return verdict;
    }
    done = until;
  }
  return verdict;
}

/// Mutants at work, each in a process of its own: what is mutated may do anything.
class Workers {
 public:
  explicit Workers(std::vector<Verdict>& verdicts) : verdicts_(verdicts) {}

  void start(std::size_t index, const Mutant& mutant, std::uint64_t most) {
    if (busy_.size() >= std::max(1u, std::thread::hardware_concurrency())) await_one();
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      const Verdict verdict = try_mutant(mutant, most);
      ::_exit(::write(ends[1], &verdict, sizeof verdict) == sizeof verdict ? 0 : 1);
    }
    ::close(ends[1]);
    busy_.push_back({index, pid, ends[0]});
  }

  void finish() {
    while (!busy_.empty()) await_one();
  }

 private:
  struct Worker {
    std::size_t index;
    pid_t pid;
    int pipe;
  };

  void await_one() {
    std::vector<pollfd> waiting;
    for (const Worker& worker : busy_) waiting.push_back({worker.pipe, POLLIN, 0});
    REQUIRE(::poll(waiting.data(), waiting.size(), -1) > 0);
    for (std::size_t i = busy_.size(); i-- > 0;) {
      if (waiting[i].revents == 0) continue;
      const Worker worker = busy_[i];
      busy_.erase(busy_.begin() + static_cast<std::ptrdiff_t>(i));
      Verdict& verdict = verdicts_[worker.index];
      if (::read(worker.pipe, &verdict, sizeof verdict) != sizeof verdict) {
        verdict = {Verdict::Kind::crashed, 0, 0, "crashed"};
      }
      ::close(worker.pipe);
      ::waitpid(worker.pid, nullptr, 0);
    }
  }

  std::vector<Verdict>& verdicts_;
  std::vector<Worker> busy_;
};

/// The sites that all models together meet.
const std::vector<Site>& surveyed_sites() {
  static const std::vector<Site> sites = [] {
    Survey survey;
    mutation = &survey;
    for (std::size_t model = 0; model < models().size(); ++model) {
      survey.next_model(model);
      REQUIRE(models()[model].run(1, kSurveyed).holds);
    }
    mutation = &shipped;
    return survey.sites();
  }();
  return sites;
}

/// The table of README.md: `site`, `site` | changes | why.
struct Believed {
  std::set<std::string> survivors, sometimes, not_met;
};

Believed read_believed() {
  std::ifstream readme(RINGWAY_SOURCE_DIR "/tests/model/README.md");
  REQUIRE(readme);
  static const std::regex row("^\\| (`[^|]+`) \\| ([^|]+) \\| .+ \\|$");
  static const std::regex quoted("`([^`]+)`"), word("(sometimes )?([a-z_]+)");
  Believed believed;
  std::smatch cells, parts;
  for (std::string line; std::getline(readme, line);) {
    if (!std::regex_match(line, cells, row)) continue;
    const std::string sites = cells[1];
    const bool not_met = cells[2] == "not met";
    for (std::sregex_iterator site(sites.begin(), sites.end(), quoted), end; not_met && site != end;
         ++site) {
      believed.not_met.insert((*site)[1].str());
    }
    if (not_met) continue;
    std::istringstream changes(cells[2]);
    for (std::string change; std::getline(changes >> std::ws, change, ',');) {
      REQUIRE(std::regex_match(change, parts, word));
      auto& list = parts[1].matched ? believed.sometimes : believed.survivors;
      for (std::sregex_iterator site(sites.begin(), sites.end(), quoted), end; site != end;
           ++site) {
        list.insert((*site)[1].str() + ' ' + parts[2].str());
      }
    }
  }
  return believed;
}

}  // namespace

TEST_CASE("sweep: the models meet every atomic operation of lib/ring", "[sweep]") {
  static const std::regex operation(
      "^[^/]*\\.(load|store|exchange|fetch_[a-z]+|compare_exchange_strong)\\(.*");
  const std::vector<Site>& sites = surveyed_sites();
  std::set<std::string> not_met = read_believed().not_met;
  for (const auto& entry : std::filesystem::directory_iterator(RINGWAY_SOURCE_DIR "/lib/ring")) {
    std::ifstream source(entry.path());
    unsigned number = 0;
    for (std::string line; std::getline(source, line);) {
      ++number;
      if (!std::regex_match(line, operation)) continue;
      const bool met = std::ranges::any_of(sites, [&](const Site& site) {
        return site.line == number && site.file.ends_with(entry.path().filename().string());
      });
      INFO(entry.path().filename().string() << ':' << number << line);
      // A part of the line, listed once and to be struck off when a model comes to it.
      const bool excused = std::erase_if(not_met, [&](const std::string& part) {
                             return line.find(part) != std::string::npos;
                           }) > 0;
      CHECK(met != excused);
    }
  }
  for (const std::string& part : not_met) {
    INFO(part);
    FAIL_CHECK("listed as not met, but there is no such operation");
  }
}

TEST_CASE("sweep: every change at every operation is caught, but for those listed", "[sweep]") {
  const std::vector<Mutant> mutants = mutants_of(surveyed_sites());
  const Believed believed = read_believed();
  std::vector<Verdict> verdicts(mutants.size());
  Workers workers(verdicts);
  for (std::size_t i = 0; i < mutants.size(); ++i) {
    const std::string name = mutants[i].name();
    const bool survives = believed.survivors.contains(name) || believed.sometimes.contains(name);
    workers.start(i, mutants[i], survives ? kBelieved * effort() * effort() : kMost * effort());
  }
  workers.finish();

  std::set<std::string> listed = believed.survivors;
  listed.insert(believed.sometimes.begin(), believed.sometimes.end());
  std::size_t survived = 0;
  for (std::size_t i = 0; i < mutants.size(); ++i) {
    const std::string name = mutants[i].name();
    const Verdict& verdict = verdicts[i];
    const bool alive = verdict.kind == Verdict::Kind::survived;
    survived += alive;
    std::cout << (alive ? "survived " : "caught   ") << name << ": " << verdict.schedules
              << " schedules";
    if (!alive) std::cout << ", " << models()[verdict.model].name << ": " << verdict.violation;
    std::cout << std::endl;
    INFO(name);
    if (alive) CHECK(listed.contains(name));
    if (!alive) CHECK(!believed.survivors.contains(name));
    listed.erase(name);
  }
  std::cout << surveyed_sites().size() << " sites, " << mutants.size() << " mutants, " << survived
            << " survived" << std::endl;
  for (const std::string& name : listed) {
    INFO(name);
    FAIL_CHECK("listed, but no such mutant");
  }
}
