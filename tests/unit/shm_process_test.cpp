#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "shm/barrier.hpp"
#include "shm/fork_guard.hpp"
#include "shm/memory_file.hpp"
#include "shm/park.hpp"
#include "shm/process.hpp"
#include "shm/region.hpp"
#include "shm/withheld.hpp"

namespace shm_process_test {

using namespace ringway;
using namespace ringway::shm;
using namespace std::chrono_literals;

namespace {

int exit_status(pid_t child) {
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class Without {
 public:
  explicit Without(const char* features) { ::setenv("RINGWAY_WITHOUT", features, 1); }
  ~Without() { ::unsetenv("RINGWAY_WITHOUT"); }
};

void on_signal(int) {}

}  // namespace

TEST_CASE("process: an identity survives any command name", "[shm]") {
  const auto before = own_identity();
  char name[16] = {};
  ::prctl(PR_GET_NAME, name);
  ::prctl(PR_SET_NAME, "a) S 1 (2 3) 4");
  const auto during = identify(::getpid(), ::geteuid());
  ::prctl(PR_SET_NAME, name);
  REQUIRE(during);
  CHECK(before.start_ticks != 0);
  CHECK(same_process(before, *during));
  CHECK(before.pid == static_cast<std::uint32_t>(::getpid()));
  CHECK(before.uid == ::geteuid());
}

TEST_CASE("process: death is proven by the pidfd, for a zombie too", "[shm]") {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  const auto id = identify(child, ::geteuid());
  REQUIRE(id);
  const auto pidfd = open_process(*id);
  REQUIRE(pidfd);
  CHECK_FALSE(is_dead(pidfd->get()));
  ::kill(child, SIGKILL);
  pollfd entry{pidfd->get(), POLLIN, 0};
  REQUIRE(::poll(&entry, 1, -1) == 1);
  CHECK(is_dead(pidfd->get()));
  ::waitpid(child, nullptr, 0);
  CHECK(is_dead(pidfd->get()));
  CHECK_FALSE(open_process(*id).has_value());
  CHECK_FALSE(identify(child, 0).has_value());
}

TEST_CASE("process: a reused pid and another boot prove death", "[shm]") {
  auto id = own_identity();
  CHECK(open_process(id).has_value());
  id.start_ticks += 1;
  CHECK_FALSE(open_process(id).has_value());
  id = own_identity();
  id.start_ticks = 0;  // unknown: only the pid's absence would prove anything
  CHECK(open_process(id).has_value());
  id = own_identity();
  id.boot_id[0] ^= 1;
  CHECK_FALSE(open_process(id).has_value());
}

TEST_CASE("process: own identity is right in a forked child", "[shm]") {
  const auto parent = own_identity();
  const pid_t child = ::fork();
  if (child == 0) {
    const auto mine = own_identity();
    ::_exit(mine.pid == static_cast<std::uint32_t>(::getpid()) && !same_process(mine, parent) ? 0
                                                                                              : 1);
  }
  CHECK(exit_status(child) == 0);
}

TEST_CASE("process: user names fall back to the number", "[shm]") {
  CHECK(user_name(0) == "root");
  CHECK(user_name(3'999'999'999) == "3999999999");
}

TEST_CASE("fork guard: a child's and a grandchild's copies know, their own guards do not",
          "[shm]") {
  const ForkGuard parents;
  CHECK_FALSE(parents.in_child());
  const pid_t child = ::fork();
  if (child == 0) {
    if (!parents.in_child()) ::_exit(1);
    const ForkGuard childs;
    if (childs.in_child() || !parents.in_child()) ::_exit(2);
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
      if (!parents.in_child() || !childs.in_child()) ::_exit(3);
      const ForkGuard own;
      ::_exit(own.in_child() || !parents.in_child() || !childs.in_child() ? 4 : 0);
    }
    int status = -1;
    ::waitpid(grandchild, &status, 0);
    ::_exit(childs.in_child() ? 5 : WEXITSTATUS(status));
  }
  CHECK(exit_status(child) == 0);
  CHECK_FALSE(parents.in_child());
}

TEST_CASE("park: a changed word does not sleep and a quiet one times out", "[shm]") {
  const std::atomic<std::uint32_t> word{1};
  CHECK(park(word, 0, 1h) == Parked::changed);
  CHECK(park(word, 1, 1ms) == Parked::timeout);
  CHECK(park(word, 1, -1ms) == Parked::timeout);
  CHECK(wake_all(word) == 0);
}

TEST_CASE("park: a sleeper on a read-only mapping is woken through another process", "[shm]") {
  const Descriptor file = create_memory_file("ringway.test", 4096);
  const Descriptor reader = reopen_read_only(file.get());
  const Region mine(reader.get(), Access::read_only, 0, 4096);
  const auto& word = mine.at<const std::atomic<std::uint32_t>>(128);
  const pid_t child = ::fork();
  if (child == 0) {
    const Region writable(file.get(), Access::read_write, 0, 4096);
    auto& same = writable.at<std::atomic<std::uint32_t>>(128);
    while (wake_all(same) == 0) ::sched_yield();  // until the parent sleeps
    ::_exit(0);
  }
  CHECK(park(word, 0, 1h) == Parked::woken);
  CHECK(exit_status(child) == 0);
}

TEST_CASE("park: a signal handler ends the sleep", "[shm]") {
  struct sigaction action{};
  action.sa_handler = on_signal;
  struct sigaction before{};
  ::sigaction(SIGUSR1, &action, &before);
  const std::atomic<std::uint32_t> word{0};
  std::atomic<bool> over{false};
  const pthread_t sleeper = ::pthread_self();
  std::thread signaller([&] {
    while (!over) {
      ::pthread_kill(sleeper, SIGUSR1);
      std::this_thread::yield();
    }
  });
  CHECK(park(word, 0, 1h) == Parked::interrupted);
  over = true;
  signaller.join();
  ::sigaction(SIGUSR1, &before, nullptr);
}

TEST_CASE("barrier: it is issued where there is one and refused where it is withheld", "[shm]") {
  const auto barrier = ProcessBarrier::detect();
  CHECK(barrier.register_process() == barrier.available());
  CHECK(barrier.issue() == barrier.available());
  const Without without("io_uring,membarrier");
  const auto none = ProcessBarrier::detect();
  CHECK_FALSE(none.available());
  CHECK_FALSE(none.register_process());
  CHECK_FALSE(none.issue());
}

TEST_CASE("withheld: only whole names of the list count", "[shm]") {
  CHECK_FALSE(withheld("membarrier"));
  const Without without("peerpidfd,,tsc2");
  CHECK(withheld("peerpidfd"));
  CHECK(withheld("tsc2"));
  CHECK_FALSE(withheld("tsc"));
  CHECK_FALSE(withheld("peer"));
}

}  // namespace shm_process_test
