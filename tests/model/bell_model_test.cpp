#include <catch2/catch.hpp>

#include "layout/bell.hpp"
#include "ring/bell.hpp"
// relacy comes last
#include "model/explore.hpp"
#include "model/word.hpp"

using namespace ringway::ring;
using namespace ringway::ring::model;
using ringway::layout::kSupervisorSleeps;

namespace {

constexpr unsigned kProducers = 2;
constexpr unsigned kRecords = 2;  // of each producer
constexpr rl::thread_id_t kThreads = kProducers + 2;

enum class Barrier { system_call, fences };

bool seq_after_the_look = false;

/// A futex or eventfd: sleeps while `word` is `value`, as the kernel judges it.
void sleep_while(Word<std::uint32_t>& word, std::uint32_t value) {
  rl::context& context = rl::ctx();
  rl::atomic_thread_fence(rl::mo_seq_cst, RL_INFO);
  context.disable_preemption();
  const bool same = word.atomic().fetch_add(0, rl::mo_acq_rel, RL_INFO) == value;
  context.enable_preemption();
  if (same) word.atomic().wait(context, false, false, RL_INFO);
}

void wake(Word<std::uint32_t>& word) {
  rl::atomic_thread_fence(rl::mo_seq_cst, RL_INFO);
  word.atomic().wake(rl::ctx(), kThreads, RL_INFO);
}

/// A bell whose sleeps have no bound: a lost wake-up is a deadlock.
template <Barrier barrier>
class ModelBell {
 public:
  Word<std::uint32_t>& sleepers() { return sleepers_; }
  Word<std::uint32_t>& seq() { return seq_; }

  void publisher_fence(Where where = Where::current()) {
    if (barrier == Barrier::fences) {
      fence(Name::publisher_fence, std::memory_order::seq_cst, where);
    }
  }
  void sleeper_barrier(Where where = Where::current()) {
    if (barrier == Barrier::fences) {
      fence(Name::sleeper_barrier, std::memory_order::seq_cst, where);
    } else {
      membarrier<kThreads>(where);
    }
  }
  void wake_consumers(Where where = Where::current()) {
    if (wakes(Name::consumers, where)) wake(seq_);
  }
  void park(std::uint32_t seq) {
    if (seq_after_the_look) seq = seq_.load(std::memory_order::acquire);
    sleep_while(seq_, seq);
  }
  void wake_supervisor(Where where = Where::current()) {
    if (!wakes(Name::supervisor, where)) return;
    doorbell_.fetch_add(1, std::memory_order::acq_rel);
    wake(doorbell_);
  }
  void await_doorbell() {
    sleep_while(doorbell_, 0);
    doorbell_.exchange(0, std::memory_order::acq_rel);
  }

 private:
  Word<std::uint32_t> sleepers_{Name::sleepers};
  Word<std::uint32_t> seq_{Name::seq};
  Word<std::uint32_t> doorbell_{Name::doorbell};
};

/// Two producers publish, a consumer and the supervisor sleep until they have seen everything.
template <Barrier barrier>
struct Sleep : rl::test_suite<Sleep<barrier>, kThreads> {
  Schedule schedule;
  ModelBell<barrier> bell;
  std::array<Word<std::uint32_t>, kProducers> stamps{Word<std::uint32_t>(Name::stamp, 0),
                                                     Word<std::uint32_t>(Name::stamp, 1)};

  void produce(unsigned index) {
    for (unsigned i = 1; i <= kRecords; ++i) {
      stamps[index].store(i, std::memory_order::release);  // COMMIT
      ring_bell(bell);
    }
  }

  unsigned look() const {
    return stamps[0].load(std::memory_order::acquire) + stamps[1].load(std::memory_order::acquire);
  }

  void consume() {
    for (unsigned seen = 0; seen < kProducers * kRecords;) {
      sleep_on_bell(bell, [&] { return look() > seen; });
      seen = std::max(seen, look());
    }
  }

  void flush() {
    for (unsigned seen = 0; seen < kProducers * kRecords;) {
      bell.sleepers().fetch_or(kSupervisorSleeps, std::memory_order::relaxed);
      bell.sleeper_barrier();
      if (look() == seen) bell.await_doorbell();
      seen = std::max(seen, look());
    }
  }

  void thread(unsigned index) {
    if (index < kProducers) produce(index);
    if (index == kProducers) consume();
    if (index == kProducers + 1) flush();
  }
};

/// A producer publishes once more into a ring that the supervisor replaces: a consumer that sleeps
/// goes on in the next one (client/consumer_waiting.cpp, ServedTopic::wake_everybody).
bool looks_for_replaced = true;

struct SleepAtEnd : rl::test_suite<SleepAtEnd, kThreads> {
  static constexpr unsigned kReplaced = 1;

  Schedule schedule;
  ModelBell<Barrier::system_call> bell;
  Word<std::uint32_t> stamp{Name::stamp};
  Word<std::uint32_t> state{Name::magic};

  void consume() {
    for (unsigned seen = 0;;) {
      seen = std::max<unsigned>(seen, stamp.load(std::memory_order::acquire));
      if (state.load(std::memory_order::acquire) == kReplaced) break;
      sleep_on_bell(bell, [&] {
        return stamp.load(std::memory_order::acquire) > seen ||
               (looks_for_replaced && state.load(std::memory_order::acquire) == kReplaced);
      });
    }
  }

  void thread(unsigned index) {
    if (index == 0) {
      stamp.store(1, std::memory_order::release);  // COMMIT
      ring_bell(bell);
    }
    if (index == 1) {
      state.store(kReplaced, std::memory_order::release);
      bell.seq().fetch_add(1, std::memory_order::release);  // BELL
      bell.wake_consumers();
    }
    if (index >= kProducers) consume();
  }
};

using Registered = Sleep<Barrier::system_call>;
using Fenced = Sleep<Barrier::fences>;

const RegisteredModel<Registered> sweep_registered("bell, membarrier");
const RegisteredModel<Fenced> sweep_fenced("bell, fences");
const RegisteredModel<SleepAtEnd> sweep_at_end("bell, end");

}  // namespace

TEST_CASE("model: no wake-up is lost, producers registered for membarrier", "[bell]") {
  CHECK(holds<Registered>("sleep and wake, membarrier", 200'000, 2, 200'000));
}

TEST_CASE("model: no wake-up is lost, producers with a full fence", "[bell]") {
  CHECK(holds<Fenced>("sleep and wake, full fences", 200'000, 2, 200'000));
}

TEST_CASE("model: no wake-up is lost when the ring is replaced", "[bell]") {
  CHECK(holds<SleepAtEnd>("sleep at the ring's end", 50'000, 2, 50'000));
}

TEST_CASE("mutation: a sleeper that does not look whether its ring was replaced is caught",
          "[bell]") {
  Mutation change;
  looks_for_replaced = false;
  CHECK(caught<SleepAtEnd>("replaced not looked for", change, 20'000));
  looks_for_replaced = true;
}

TEST_CASE("mutation: sleeping without a barrier is caught", "[bell]") {
  Drop change(kind(Name::sleeper_barrier, Op::fence));
  CHECK(caught<Registered>("no membarrier", change, 20'000));
  CHECK(caught<Fenced>("no fence of the sleeper", change, 20'000));
}

TEST_CASE("mutation: publishing without a fence, unregistered, is caught", "[bell]") {
  Drop change(kind(Name::publisher_fence, Op::fence));
  CHECK(caught<Fenced>("no fence of the publisher", change, 20'000));
}

TEST_CASE("mutation: the bell read after the look is caught", "[bell]") {
  Mutation change;
  seq_after_the_look = true;
  CHECK(caught<Registered>("bell read after the look", change, 20'000));
  seq_after_the_look = false;
}

TEST_CASE("mutation: a bell that is not rung is caught", "[bell]") {
  Drop change(kind(Name::seq, Op::exchange));
  CHECK(caught<Registered>("bell not rung", change, 20'000));
}
