#include "tools/bench/traced_acts.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <new>
#include <ringway/error.hpp>

#include "tools/bench/locked_instruction.hpp"
#include "tools/bench/measurement.hpp"
#include "tools/bench/shared_pages.hpp"
#include "tools/stage/child.hpp"
#include "tools/stage/interruption.hpp"

namespace ringway::cli {
namespace {

/// Written by the child; read by its tracer, while it stands still.
struct Score {
  enum class Stage : std::uint32_t { preparing, counted, between, stepped, over };
  std::atomic<Stage> stage{Stage::preparing};
  std::atomic<std::uint64_t> acts{0};  // of this stage, those that are over

  // Relaxed, as all of it: who stands still has done what stands before that.
  void enter(Stage next) noexcept {
    stage.store(next, std::memory_order::relaxed);
    std::atomic_signal_fence(std::memory_order::seq_cst);
    acts.store(0, std::memory_order::relaxed);
  }
  bool in(Stage what) const noexcept { return stage.load(std::memory_order::relaxed) == what; }
  std::uint64_t done() const noexcept { return acts.load(std::memory_order::relaxed); }
};

void do_acts(Score& score, Score::Stage stage, std::uint64_t times,
             const std::function<void()>& act) {
  score.enter(stage);
  for (std::uint64_t done = 0; done < times;) {
    act();
    score.acts.store(++done, std::memory_order::relaxed);
    std::atomic_signal_fence(std::memory_order::seq_cst);
  }
}

void play(const TracedActs& acts, Score& score) {
  take_place(acts.name, acts.cpu);
  const std::function<void()> act = acts.prepare();
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
    throw system_error(errno, acts.name, "ptrace");
  }
  ::raise(SIGSTOP);
  do_acts(score, Score::Stage::counted, acts.counted, act);
  score.enter(Score::Stage::between);
  ::raise(SIGSTOP);
  do_acts(score, Score::Stage::stepped, acts.stepped, act);
  score.enter(Score::Stage::over);
}

bool is_doorbell(std::uint64_t number, std::uint64_t bytes) noexcept {
  return number == SYS_write && bytes == sizeof(std::uint64_t);
}

/// Leads the child. It belongs to `child_`, who ends and collects it.
class Tracer {
 public:
  Tracer(const Child& child, const Score& score) noexcept : child_(child), score_(score) {}

  /// From one stop to the next; the signal that it stopped with.
  int wait_for_stop() const {
    for (;;) {
      check_interrupted();
      siginfo_t what{};
      // Looked at only: what ended is collected by its owner.
      if (::waitid(P_PID, static_cast<id_t>(child_.pid()), &what,
                   WEXITED | WSTOPPED | WNOWAIT) != 0) {
        if (errno == EINTR) continue;
        throw system_error(errno, child_.name(), "waitid");
      }
      if (what.si_code == CLD_TRAPPED || what.si_code == CLD_STOPPED) return what.si_status;
      throw Error(ErrorCode::failed, child_.name(), "it ended before it was done", "see above");
    }
  }
  void wait_for(int signal) const {
    if (const int met = wait_for_stop(); met != signal) {
      throw Error(ErrorCode::failed, child_.name(), fmt::format("it met signal {}", met), "");
    }
  }
  long ask(__ptrace_request request, std::uint64_t address = 0, std::uint64_t data = 0) const {
    errno = 0;
    const long answer = ::ptrace(request, child_.pid(), address, data);
    if (errno != 0) throw system_error(errno, child_.name(), "ptrace");
    return answer;
  }

  /// From one of its own stops to the next.
  void count(TracedCounts& counts) const {
    constexpr int kSystemCall = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD
    for (;;) {
      ask(PTRACE_SYSCALL);
      const int met = wait_for_stop();
      if (met == SIGSTOP) return;
      if (met != kSystemCall) {
        throw Error(ErrorCode::failed, child_.name(), fmt::format("it met signal {}", met), "");
      }
      if (!score_.in(Score::Stage::counted)) continue;
      __ptrace_syscall_info call{};
      ask(PTRACE_GET_SYSCALL_INFO, sizeof call, reinterpret_cast<std::uint64_t>(&call));
      if (call.op != PTRACE_SYSCALL_INFO_ENTRY) continue;
      ++(is_doorbell(call.entry.nr, call.entry.args[2]) ? counts.doorbells : counts.system_calls);
    }
  }

  /// Through the acts that are stepped; then it plays on alone.
  void step(TracedCounts& counts) const {
    struct {
      std::uint64_t locked = 0, system_calls = 0;
      bool rang = false;
    } act;
    for (std::uint64_t seen = 0; !score_.in(Score::Stage::over);) {
      if (score_.in(Score::Stage::stepped)) look_at_next(act);
      ask(PTRACE_SINGLESTEP);
      wait_for(SIGTRAP);
      if (!score_.in(Score::Stage::stepped) || score_.done() == seen) continue;
      seen = score_.done();
      if (!act.rang) {
        ++counts.stepped_alone;
        counts.locked += act.locked;
        counts.stepped_system_calls += act.system_calls;
      }
      act = {};
    }
    ask(PTRACE_DETACH);
  }

 private:
#if defined(__x86_64__)
  /// Its next instruction. It is a fork: its code lies where ours does.
  template <class Act>
  void look_at_next(Act& act) const {
    const auto place = static_cast<std::uint64_t>(ask(PTRACE_PEEKUSER, offsetof(user, regs.rip)));
    const auto* const code = reinterpret_cast<const unsigned char*>(place);
    if (locks_memory(code)) ++act.locked;
    if (code[0] != 0x0f || code[1] != 0x05) return;  // syscall
    user_regs_struct registers{};
    ask(PTRACE_GETREGS, 0, reinterpret_cast<std::uint64_t>(&registers));
    ++act.system_calls;
    act.rang |= is_doorbell(registers.rax, registers.rdx);
  }
#else
  template <class Act>
  void look_at_next(Act&) const {}
#endif

  const Child& child_;
  const Score& score_;
};

}  // namespace

std::string why_no_tracing() {
#if defined(__x86_64__)
  const Child child("traced", [](Channel&) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(1);
    ::raise(SIGSTOP);
  });
  siginfo_t what{};
  while (::waitid(P_PID, static_cast<id_t>(child.pid()), &what,
                  WEXITED | WSTOPPED | WNOWAIT) != 0) {
    if (errno != EINTR) throw system_error(errno, child.name(), "waitid");
  }
  return what.si_code == CLD_TRAPPED ? "" : "needs ptrace, which is refused here";
#else
  return "what locks memory is known of x86-64 only";
#endif
}

TracedCounts trace(const TracedActs& acts) {
  const SharedPages page(sizeof(Score));
  Score& score = *new (page.data()) Score;
  Child child(acts.name, [&](Channel&) { play(acts, score); });
  const Tracer tracer(child, score);
  TracedCounts counts;
  tracer.wait_for(SIGSTOP);
  tracer.ask(PTRACE_SETOPTIONS, 0, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
  tracer.count(counts);
  tracer.step(counts);
  child.join();
  return counts;
}

}  // namespace ringway::cli
