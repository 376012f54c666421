// Who wakes others, and who sleeps, is killed between any two instructions of it. Whoever slept on
// sleeps no longer than until the death is noticed, or the next record comes.

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <thread>

#include "client/topic_bell.hpp"
#include "client/topic_memory.hpp"
#include "daemon/topic_duty.hpp"
#include "proof/acts.hpp"
#include "proof/performance.hpp"
#include "proof/states.hpp"
#include "ring/bell.hpp"
#include "support/model_disk.hpp"

namespace ringway::proof {
namespace {

using namespace std::chrono_literals;

/// A sleep that ends by itself after this was not ended by a wake-up.
constexpr auto kParkedMax = 120s;
constexpr auto kPatience = 20s;
/// After the first one that was lost.
constexpr auto kPatienceLost = 100ms;

bool something_at(const ring::PartitionView& view, std::uint64_t position) {
  layout::RecordHeader header;
  return ring::peek(view, position, header) != ring::Found::nothing;
}

/// The bell of one who sleeps for longer than clients do, so that a lost wake-up shows.
struct PatientBell {
  const Stage& stage;

  std::atomic<std::uint32_t>& sleepers() const noexcept { return stage.sleepers(); }
  std::atomic<std::uint32_t>& seq() const noexcept { return stage.bell_seq(); }
  void sleeper_barrier() const noexcept { ring::PartitionView::full_fence(); }
  void park(std::uint32_t seq) const noexcept {
    stage.told().falling_asleep = 1;
    shm::park(stage.bell_seq(), seq, kParkedMax);
  }
};

/// A live consumer's process that sleeps until there is a record at `position`.
class Sleeper {
 public:
  Sleeper(const Cast& cast, std::uint64_t position) : stage_(cast.stage()) {
    stage_.told().falling_asleep = stage_.told().woke = 0;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      PatientBell bell{stage_};
      const auto ready = [&] { return something_at(cast.view(), position); };
      while (!ready()) ring::sleep_on_bell(bell, ready);
      ::_exit(0);
    }
    while (stage_.told().falling_asleep == 0 || state() != 'S') std::this_thread::yield();
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  ~Sleeper() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  void must_wake() {
    static std::chrono::nanoseconds patience = kPatience;
    const auto until = std::chrono::steady_clock::now() + patience;
    while (::waitpid(pid_, nullptr, WNOHANG) != pid_) {
      if (std::chrono::steady_clock::now() > until) {
        patience = kPatienceLost;
        throw Violation("a wake-up is lost");
      }
      std::this_thread::yield();
    }
    pid_ = -1;
  }

 private:
  char state() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
    std::string word;
    file >> word >> word >> word;
    return word.empty() ? '?' : word[0];
  }

  Stage& stage_;
  pid_t pid_;
};

/// A client's mapping of the stage, and its bell.
struct Client {
  explicit Client(const Stage& stage)
      : memory({stage.topic().uuid(), 1, layout::Role::producer},
               shm::reopen_read_only(stage.topic().memory().board_fd()),
               shm::duplicate(stage.topic().memory().ring_fd()),
               shm::duplicate(stage.topic().memory().bell_fd())),
        doorbell(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
        bell(memory, doorbell.get(), false) {
    bell.prepare(interrupt, 1ms);
  }
  TopicMemory memory;
  shm::Descriptor doorbell;
  Interrupt interrupt;
  TopicBell bell;
};

Act publishes_and_rings() {
  return [](Cast& cast, Seat seat) -> Puppet::Part {
    auto client = std::make_shared<Client>(cast.stage());
    const Puppet::Part publish = publishes({100})(cast, seat);
    return [=] {
      publish();
      ring::ring_bell(client->bell);
    };
  };
}

Act sleeps() {
  return [](Cast& cast, Seat) -> Puppet::Part {
    auto client = std::make_shared<Client>(cast.stage());
    // Once before, so that the dynamic linker's work is done.
    client->bell.park(client->bell.seq() + 1);
    return [client, view = cast.view(), position = cast.stage().tail().position] {
      ring::sleep_on_bell(client->bell, [&] { return something_at(view, position); });
    };
  };
}

/// What the flusher does when it hears of a death.
void settle_by_the_flusher(const Cast& cast, Seat dead) {
  ringway::test::ModelDisk disk(1);
  const daemon::EventLog events([](const daemon::Event&) {});
  daemon::TopicDuty duty(cast.stage().shared_topic(), disk, disk, events);
  for (const Seat seat : {kVictim, kOther, kEarlier}) {
    duty.attach({seat, layout::Role::producer, 4711, &cast.stage().slot(seat), {}});
  }
  bool settled = false;
  duty.release(dead, [&](auto) { settled = true; });
  for (int round = 0; round < 4 && !settled; ++round)
    duty.round(std::chrono::steady_clock::now(), daemon::SteadyTime::max());
  if (!settled) throw Violation("the flusher does not settle a dead producer");
}

/// Somebody sleeps from before the victim begins.
Scene beside_a_sleeper(std::string state, Act victim, Scene::Role role,
                       std::function<void(Cast&)> beginning) {
  auto sleeper = std::make_shared<std::optional<Sleeper>>();
  Scene scene{.state = std::move(state),
              .victim = std::move(victim),
              .beginning = std::move(beginning),
              .role = role};
  scene.company = [sleeper](Cast& cast) {
    sleeper->reset();
    sleeper->emplace(cast, cast.stage().tail().position);
  };
  scene.audience = [=](Cast& cast) {
    const std::uint64_t position = cast.place().position;
    const bool committed = something_at(cast.view(), position);
    if (role == Scene::Role::producer) settle_by_the_flusher(cast, kVictim);
    if (!committed) {
      Client other(cast.stage());
      if (!cast.publish(40)) throw Violation("no room to wake a sleeper for");
      ring::ring_bell(other.bell);
    }
    (*sleeper)->must_wake();
  };
  return scene;
}

}  // namespace

TEST_CASE("wake: whoever rings is killed at every instruction, and sleepers wake", "[proof]") {
  const auto supervisor_sleeps = [](Cast& cast) {
    in_the_middle(cast);
    cast.stage().sleepers() |= layout::kSupervisorSleeps;
  };
  perform("ring the bell",
          {beside_a_sleeper("a consumer sleeps", publishes_and_rings(), Scene::Role::producer,
                            in_the_middle),
           beside_a_sleeper("a consumer and the supervisor sleep", publishes_and_rings(),
                            Scene::Role::producer, supervisor_sleeps)});
}

TEST_CASE("park: whoever falls asleep is killed at every instruction, and others wake", "[proof]") {
  perform("fall asleep on the bell", {beside_a_sleeper("another consumer sleeps already", sleeps(),
                                                       Scene::Role::reader, in_the_middle)});
}

}  // namespace ringway::proof
