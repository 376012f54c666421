#pragma once

// The shipped code's std::atomic, on relacy's. Every operation passes the mutation at work and may
// be the last one of its thread.

#include <csetjmp>
#include <utility>

#include "model/mutation.hpp"
// relacy comes last
#include "model/checked.hpp"

namespace ringway::ring::model {

inline constexpr unsigned kThreadsMax = 8;

/// What a model knows of its threads, besides relacy. Set anew for each schedule.
struct Thread {
  std::jmp_buf* exit = nullptr;  ///< where a thread goes that dies; nullptr: it lives
  unsigned steps = 0;            ///< operations before that
  bool ordered = true;  ///< false between a sequentially consistent store and the next such load
};

/// An atomic of the schedule at work, for mutations that load early.
struct Known {
  Name name;
  unsigned index;
  const Bare* bare;
};

/// Told at the very moment, before any other thread moves.
class Watcher {
 public:
  virtual void won(const Bare& tail, std::uint64_t from, std::uint64_t to) = 0;
  virtual void stamped(const Bare& stamp, unsigned unit) = 0;

 protected:
  ~Watcher() = default;
};

inline Watcher* watcher = nullptr;
inline std::array<Thread, kThreadsMax> threads;
inline std::array<Known, 256> known;
inline std::size_t known_count = 0;
inline Mutation shipped;
inline Mutation* mutation = &shipped;

/// First member of every suite: forgets the schedule before.
struct Schedule {
  explicit Schedule(bool begins = true) {
    if (!begins) return;
    threads.fill({});
    watcher = nullptr;
    known_count = 0;
    mutation->begin();
  }
};

inline Thread& current_thread() {
  return threads[rl::thread_index()];
}

inline rl::memory_order to_relacy(std::memory_order order) {
  switch (order) {
    case std::memory_order::relaxed:
      return rl::mo_relaxed;
    case std::memory_order::consume:
    case std::memory_order::acquire:
      return rl::mo_acquire;
    case std::memory_order::release:
      return rl::mo_release;
    case std::memory_order::acq_rel:
      return rl::mo_acq_rel;
    case std::memory_order::seq_cst:
      break;
  }
  return rl::mo_seq_cst;
}

/// The thread may die here.
inline void may_die() {
  Thread& thread = current_thread();
  if (thread.exit == nullptr || thread.steps-- != 0) return;
  mutation->died();
  std::longjmp(*thread.exit, 1);
}

/// Before every operation: the thread may die here, the mutation may do something first.
inline void enter(const Access& access) {
  may_die();
  mutation->before(access);
}

/// A fence of the shipped code that a mutation can take away or weaken.
inline void fence(Name name, std::memory_order order, Where where) {
  const Access access{name, 0, Op::fence, 0, 0, order, where};
  enter(access);
  if (mutation->dropped(access)) return;
  rl::atomic_thread_fence(to_relacy(mutation->order(access)), RL_INFO);
}

/// Whether a wake-up is made that a mutation can take away.
inline bool wakes(Name whom, Where where) {
  const Access access{whom, 0, Op::wake, 0, 0, std::memory_order::relaxed, where};
  enter(access);
  return !mutation->dropped(access);
}

/// The full fence in all threads that the system call puts there: the caller is fenced before and
/// after all others, each of them at its own moment. relacy keeps its threads in one array, in
/// which the running thread knows its index.
template <rl::thread_id_t thread_count>
void membarrier(Where where) {
  const Access access{Name::sleeper_barrier, 0, Op::fence, 0, 0, std::memory_order::seq_cst, where};
  enter(access);
  if (mutation->dropped(access) || mutation->order(access) != access.order) return;
  using Info = rl::aligned<rl::thread_info<thread_count>>;
  rl::context& context = rl::ctx();
  auto& self = *static_cast<Info*>(static_cast<rl::thread_info<thread_count>*>(context.threadx_));
  Info* const first = &self - self.index_;
  self.atomic_thread_fence_seq_cst(context.seq_cst_fence_order_);
  for (rl::thread_id_t i = 0; i < thread_count; ++i) {
    context.sched();
    first[i].atomic_thread_fence_seq_cst(context.seq_cst_fence_order_);
  }
  self.atomic_thread_fence_seq_cst(context.seq_cst_fence_order_);
}

template <class T>
class Word final : public Bare {
 public:
  explicit Word(Name name = Name::unused, unsigned index = 0, T value = {})
      : name_(name), index_(index) {
    if (name == Name::unused) return;
    atomic_.store(value, rl::mo_relaxed, RL_INFO);
    known.at(known_count++) = {name, index, this};
  }
  Word(const Word&) = delete;

  T load(std::memory_order order, Where where = Where::current()) const noexcept {
    const Access access{name_, index_, Op::load, newest(), 0, order, where};
    enter(access);
    if (const auto value = mutation->remembered(access)) return static_cast<T>(*value);
    const std::memory_order used = mutation->order(access);
    Thread& thread = current_thread();
    if (used == std::memory_order::seq_cst && !thread.ordered) {
      // A sequentially consistent store and a later load of one thread stand in the total order
      // of all such operations, fences of others between them included; relacy knows this of
      // fences only.
      rl::atomic_thread_fence(rl::mo_seq_cst, RL_INFO);
      thread.ordered = true;
    }
    const T value = atomic_.load(to_relacy(used), RL_INFO);
    mutation->loaded(access, value);
    mutation->after(access);
    return value;
  }

  void store(T value, std::memory_order order, Where where = Where::current()) noexcept {
    if (name_ == Name::unused) return;
    const Access access{name_, index_, Op::store, newest(), value, order, where};
    enter(access);
    if (mutation->dropped(access)) return;
    if (mutation->held(access, *this)) return;
    const std::memory_order used = mutation->order(access);
    store_bare(value, used);
    if constexpr (sizeof(T) == 8) {
      if (name_ == Name::tail && watcher != nullptr) watcher->won(*this, access.before, value);
    }
    mutation->after(access);
  }

  T exchange(T value, std::memory_order order, Where where = Where::current()) noexcept {
    const Access access{name_, index_, Op::exchange, newest(), value, order, where};
    enter(access);
    if (mutation->dropped(access)) return newest();
    const std::memory_order used = mutation->order(access);
    if (used == std::memory_order::seq_cst) current_thread().ordered = false;
    const T old = atomic_.exchange(value, to_relacy(used), RL_INFO);
    mutation->after(access);
    return old;
  }

  T fetch_add(T value, std::memory_order order, Where where = Where::current()) noexcept {
    const Access access{name_, index_, Op::exchange, newest(), value, order, where};
    enter(access);
    if (mutation->dropped(access)) return newest();
    const T old = atomic_.fetch_add(value, to_relacy(mutation->order(access)), RL_INFO);
    mutation->after(access);
    return old;
  }

  T fetch_or(T value, std::memory_order order, Where where = Where::current()) noexcept {
    const Access access{name_, index_, Op::exchange, newest(), value, order, where};
    enter(access);
    if (mutation->dropped(access)) return newest();
    const T old = atomic_.fetch_or(value, to_relacy(mutation->order(access)), RL_INFO);
    mutation->after(access);
    return old;
  }

  T fetch_and(T value, std::memory_order order, Where where = Where::current()) noexcept {
    const Access access{name_, index_, Op::exchange, newest(), value, order, where};
    enter(access);
    if (mutation->dropped(access)) return newest();
    const T old = atomic_.fetch_and(value, to_relacy(mutation->order(access)), RL_INFO);
    mutation->after(access);
    return old;
  }

  bool compare_exchange_strong(T& expected, T value, std::memory_order success,
                               std::memory_order failure, Where where = Where::current()) noexcept {
    const Access access{name_, index_, Op::cas, newest(), value, success, where};
    enter(access);
    const T from = expected;
    const bool done =
        mutation->torn(access)
            ? load_then_store(expected, value)
            : atomic_.compare_exchange_strong(expected, value, to_relacy(mutation->order(access)),
                                              RL_INFO, to_relacy(failure), RL_INFO);
    if (done && name_ == Name::tail) watcher->won(*this, from, value);
    mutation->after(access);
    return done;
  }

  /// The last value in modification order, whoever may see it.
  T newest() const { return name_ == Name::unused ? T{} : atomic_.debug_value(); }

  std::uint64_t load_bare(std::memory_order order) const override {
    return atomic_.load(to_relacy(order), RL_INFO);
  }
  void store_bare(std::uint64_t value, std::memory_order order) override {
    if (order == std::memory_order::seq_cst) current_thread().ordered = false;
    atomic_.store(static_cast<T>(value), to_relacy(order), RL_INFO);
    if (name_ == Name::stamp && watcher != nullptr) watcher->stamped(*this, index_);
  }
  rl::atomic<T>& atomic() { return atomic_; }

 private:
  /// A compare-and-swap that others can get between.
  bool load_then_store(T& expected, T value) {
    const T found = atomic_.load(rl::mo_acquire, RL_INFO);
    if (found != std::exchange(expected, found)) return false;
    atomic_.store(value, rl::mo_release, RL_INFO);
    return true;
  }

  Name name_;
  unsigned index_;
  rl::atomic<T> atomic_;
};

/// Runs `body` up to a moment that the scheduler chooses among `steps`, or to its end. Returns
/// whether the thread lived on. What it held is not destroyed: nothing in `body` may own anything.
template <class Body>
bool mortal(unsigned steps, Body&& body) {
  Thread& thread = current_thread();
  std::jmp_buf exit;
  thread.steps = rl::rand(steps);
  thread.exit = &exit;
  if (setjmp(exit) == 0) {
    body();
    thread.exit = nullptr;
    return true;
  }
  thread.exit = nullptr;
  return false;
}

}  // namespace ringway::ring::model
