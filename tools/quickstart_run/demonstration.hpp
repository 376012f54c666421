#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <list>
#include <string>

#include "tools/quickstart_run/corpus.hpp"
#include "tools/quickstart_run/progress.hpp"
#include "tools/quickstart_run/roles.hpp"
#include "tools/stage/private_bus.hpp"

namespace ringway::quickstart {

/// What was measured, for the table and the verdict.
struct Outcome {
  Report input;  ///< of all producers together
  Report quiet;  ///< latency with little to do
  Report live;
  Report replay;
  double killed_at = 0;  ///< share of the input
  std::chrono::nanoseconds away{};

  std::uint64_t lost() const noexcept;
  std::uint64_t doubled() const noexcept;
  std::uint64_t disordered() const noexcept;
  bool same_checksums() const noexcept;
  bool good() const noexcept;
};

/// Publishes the corpus with two producers while a consumer follows and the supervisor is killed
/// and started again; then stops it in order and replays the log through a new one. Owned by main,
/// one thread; ends all its processes when destroyed, also half-way.
class Demonstration {
 public:
  Demonstration(const Corpus& corpus, const std::filesystem::path& daemon,
                const std::filesystem::path& place)
      : corpus_(corpus), bus_(daemon, place) {}

  /// Throws Error when a process fails, Interrupted when a signal came.
  Outcome run();

 private:
  struct Actor {
    cli::Child child;
    Report report;
  };

  void measure_quiet();
  void publish_and_follow();
  void replay();
  /// The share of the input that is published.
  double published() const noexcept;
  /// Waits for the end of all actors.
  void finish();
  Goal goal() const noexcept;
  void kill_and_return();
  /// Takes the reports of the children, waiting a moment for the first.
  void listen();
  void show();
  Actor& spawn(const std::string& name, const std::function<void(Channel&)>& role);

  const Corpus& corpus_;
  cli::PrivateBus bus_;
  Progress progress_;
  Outcome outcome_;
  std::list<Actor> actors_;
  std::chrono::steady_clock::time_point moved_;  // when a role last told of more records
};

}  // namespace ringway::quickstart
