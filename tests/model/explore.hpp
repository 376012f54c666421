#pragma once

// Runs a model under many schedules: random ones, reproducible from a seed, and all those within a
// bound of context switches.

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "model/mutation.hpp"
// relacy comes last
#include "model/word.hpp"

namespace ringway::ring::model {

/// RINGWAY_TEST_LONG=1 multiplies the schedules.
inline std::uint64_t effort() {
  const char* text = std::getenv("RINGWAY_TEST_LONG");
  return text != nullptr && *text == '1' ? 30 : 1;
}

/// The number of the first random schedule; each schedule is made from its number alone.
inline std::uint64_t first_schedule() {
  const char* text = std::getenv("RINGWAY_TEST_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 1;
}

/// Random, but a thread runs on for a while: for how long on average is drawn for each schedule,
/// since most faults need few switches at the right moments.
template <rl::thread_id_t thread_count>
class StickyScheduler
    : public rl::scheduler<StickyScheduler<thread_count>, rl::scheduler_thread_info, thread_count> {
  using Base =
      rl::scheduler<StickyScheduler<thread_count>, rl::scheduler_thread_info, thread_count>;

 public:
  using thread_info_t = typename Base::thread_info_t;
  using shared_context_t = typename Base::shared_context_t;
  struct task_t {};

  using Base::Base;

  rl::thread_id_t iteration_begin_impl() {
    random_.seed(this->iter_);
    random_.rand();
    stay_ = 1u << (random_.rand() % 6);
    rl::unpark_reason reason;
    return schedule_impl(reason, 1);
  }
  bool iteration_end_impl() { return this->iter_ == this->params_.iteration_count; }

  rl::thread_id_t schedule_impl(rl::unpark_reason& reason, unsigned yield) {
    reason = rl::unpark_reason_normal;
    if (yield == 0 && this->thread_->state_ == rl::thread_state_running &&
        random_.rand() % stay_ != 0) {
      return this->thread_->index_;
    }
    return this->running_threads[random_.rand() % this->running_threads_count];
  }
  unsigned rand_impl(unsigned limit, rl::sched_type) { return random_.rand() % limit; }

  rl::iteration_t iteration_count_impl() { return this->params_.iteration_count; }
  void get_state_impl(std::ostream&) {}
  void set_state_impl(std::istream&) {}
  void on_thread_block(rl::thread_id_t, bool) {}
  void thread_finished_impl() {}
  void purge_blocked_threads() {}

 private:
  rl::random_generator random_{};
  unsigned stay_ = 1;
};

/// Context-bound search, up to a number of schedules.
template <rl::thread_id_t thread_count>
class BoundedSearch : public rl::context_bound_scheduler<thread_count> {
 public:
  using rl::context_bound_scheduler<thread_count>::context_bound_scheduler;

  bool iteration_end() {
    return rl::context_bound_scheduler<thread_count>::iteration_end() ||
           this->iter_ >= this->params_.iteration_count;
  }
};

struct Result {
  bool holds;
  std::uint64_t schedules;
  std::string_view violation;
  std::string history;  ///< of the failing schedule
};

/// Whether a failing schedule is run once more to tell its steps.
enum class Telling : bool { no, yes };

template <class Suite, class Scheduler>
Result run(rl::scheduler_type_e kind, unsigned bound, std::uint64_t first, std::uint64_t count,
           Telling telling = Telling::yes) {
  rl::ostringstream history, state;  // their memory is not the model's
  rl::test_params params;
  params.search_type = kind;
  params.context_bound = bound;
  params.execution_depth_limit = 5000;
  params.iteration_count = first + count - 1;
  params.output_stream = &history;
  params.progress_stream = &history;
  params.initial_state =
      kind == rl::random_scheduler_type ? rl::string(std::to_string(first).c_str()) : rl::string();
  rl::test_result_e result = rl::run_test<Suite, Scheduler>(params, state, false);
  const std::uint64_t schedules = params.stop_iteration - first + 1;
  if (result != rl::test_result_success && telling == Telling::yes) {
    params.initial_state = state.str();
    params.collect_history = true;
    result = rl::run_test<Suite, Scheduler>(params, state, true);
  }
  return {result == rl::test_result_success, schedules, rl::test_result_str(result),
          history.str().c_str()};
}

template <class Suite>
Result run_random(std::uint64_t count) {
  return run<Suite, StickyScheduler<Suite::params::thread_count>>(rl::random_scheduler_type, 0,
                                                                  first_schedule(), count);
}

/// A model as the sweep runs it: random schedules from a number on.
struct Model {
  std::string_view name;
  Result (*run)(std::uint64_t first, std::uint64_t count);
};

/// All of this executable, each entered by a RegisteredModel beside it.
inline std::vector<Model>& models() {
  static std::vector<Model> all;
  return all;
}

template <class Suite>
struct RegisteredModel {
  explicit RegisteredModel(std::string_view name) {
    models().push_back({name, [](std::uint64_t first, std::uint64_t count) {
                          return run<Suite, StickyScheduler<Suite::params::thread_count>>(
                              rl::random_scheduler_type, 0, first, count, Telling::no);
                        }});
  }
};

template <class Suite>
Result run_bounded(unsigned bound, std::uint64_t count) {
  return run<Suite, BoundedSearch<Suite::params::thread_count>>(
      rl::fair_context_bound_scheduler_type, bound, 1, count);
}

/// Whether the shipped code holds in all schedules tried; prints the first one that it does not.
template <class Suite>
bool holds(std::string_view what, std::uint64_t random, unsigned bound, std::uint64_t bounded) {
  const auto report = [&](std::string_view how, std::uint64_t from, const Result& result,
                          std::uint64_t most) {
    std::cout << what << ": " << result.schedules << ' ' << how;
    if (from != 0) std::cout << " from number " << from;
    if (result.schedules < most && from == 0 && result.holds) std::cout << ", all there are";
    std::cout << ": " << (result.holds ? "holds" : result.violation) << std::endl;
    if (!result.holds) std::cout << result.history << std::endl;
    return result.holds;
  };
  bool all = report("random schedules", first_schedule(), run_random<Suite>(random * effort()), 0);
  if (bounded > 0) {
    const std::string how = "schedules of at most " + std::to_string(bound) + " switches";
    all = report(how, 0, run_bounded<Suite>(bound, bounded * effort()), bounded * effort()) && all;
  }
  return all;
}

/// Whether the model notices the mutation within that many random schedules.
template <class Suite>
bool caught(std::string_view what, Mutation& change, std::uint64_t random) {
  mutation = &change;
  const Result result = run_random<Suite>(random * effort());
  mutation = &shipped;
  std::cout << "mutation: " << what << ": "
            << (result.holds ? "not noticed in " : "caught in schedule ") << result.schedules;
  if (!result.holds) std::cout << " (" << result.violation << ')';
  std::cout << std::endl;
  return !result.holds;
}

}  // namespace ringway::ring::model
