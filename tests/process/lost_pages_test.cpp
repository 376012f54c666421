// What SIGBUS does to a program that called survive_lost_pages(). Of the installed form; each case
// in a child of its own, as the handler stays for good.

#include "ringway/lost_pages.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "support/lost_page.hpp"

using ringway::survive_lost_pages;
using ringway::test::LostPages;

namespace {

constexpr int kHandled = 7;

const void* expected = nullptr;
bool was_right(siginfo_t* info) {
  sigset_t blocked;
  ::sigprocmask(SIG_BLOCK, nullptr, &blocked);
  return info->si_addr == expected && info->si_code == BUS_ADRERR &&
         ::sigismember(&blocked, SIGUSR1) == 1;
}

void previous_with_info(int, siginfo_t* info, void* context) {
  ::_exit(context != nullptr && was_right(info) ? kHandled : 1);
}
void previous_plain(int signal) {
  ::_exit(signal == SIGBUS ? kHandled : 1);
}
volatile std::sig_atomic_t calls = 0;
void previous_that_returns(int) {
  calls = calls + 1;
}

/// The status of a child that does this.
template <class Work>
int child_that(Work&& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    work();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

bool ended_by_sigbus(int status) {
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
}
bool ended_with(int status, int exit) {
  return WIFEXITED(status) && WEXITSTATUS(status) == exit;
}

void set_handler(struct sigaction action) {
  ::sigaction(SIGBUS, &action, nullptr);
}

/// In memory that is no topic's.
void fault() {
  const LostPages pages(1);
  expected = pages.page(0).data();
  volatile const std::byte* const byte = pages.page(0).data();
  static_cast<void>(*byte);
}

}  // namespace

TEST_CASE("lost pages: a fault elsewhere goes to the handler that was there") {
  const int handled_with_info = child_that([] {
    struct sigaction action{};
    action.sa_sigaction = previous_with_info;
    action.sa_flags = SA_SIGINFO;
    sigaddset(&action.sa_mask, SIGUSR1);
    set_handler(action);
    survive_lost_pages();
    survive_lost_pages();  // and not to itself
    fault();
  });
  CHECK(ended_with(handled_with_info, kHandled));
  const int handled_plainly = child_that([] {
    struct sigaction action{};
    action.sa_handler = previous_plain;
    set_handler(action);
    survive_lost_pages();
    fault();
  });
  CHECK(ended_with(handled_plainly, kHandled));
}

TEST_CASE("lost pages: a handler for one time is called one time") {
  CHECK(ended_by_sigbus(child_that([] {
    struct sigaction action{};
    action.sa_handler = previous_that_returns;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    set_handler(action);
    survive_lost_pages();
    std::raise(SIGBUS);
    if (calls != 1) ::_exit(1);
    std::raise(SIGBUS);
  })));
}

TEST_CASE("lost pages: a fault elsewhere that nobody handles ends the process") {
  CHECK(ended_by_sigbus(child_that([] {
    survive_lost_pages();
    fault();
  })));
  CHECK(ended_by_sigbus(child_that([] {
    std::signal(SIGBUS, SIG_IGN);
    survive_lost_pages();
    fault();
  })));
}

TEST_CASE("lost pages: a signal that was sent does what it did before") {
  CHECK(ended_by_sigbus(child_that([] {
    survive_lost_pages();
    std::raise(SIGBUS);
  })));
  const int ignored = child_that([] {
    std::signal(SIGBUS, SIG_IGN);
    survive_lost_pages();
    std::raise(SIGBUS);
  });
  CHECK(ended_with(ignored, 0));
  const int handled = child_that([] {
    std::signal(SIGBUS, previous_plain);
    survive_lost_pages();
    std::raise(SIGBUS);
  });
  CHECK(ended_with(handled, kHandled));
}
