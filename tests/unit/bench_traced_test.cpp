#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdint>
#include <functional>

#include "support/skip.hpp"
#include "tools/bench/cpus.hpp"
#include "tools/bench/locked_instruction.hpp"
#include "tools/bench/quiet_publishes.hpp"
#include "tools/bench/traced_acts.hpp"

namespace ringway::cli::bench_traced_test {
namespace {

using Code = std::array<unsigned char, 17>;

TracedCounts counts_of(const std::function<void()>& act) {
  return trace({.name = "planted",
                .cpu = allowed_cpus().front(),
                .counted = 100,
                .stepped = 5,
                .prepare = [&] { return act; }});
}

}  // namespace

TEST_CASE("bench: an instruction that locks memory is known by its bytes", "[bench]") {
  CHECK(locks_memory(Code{0xf0, 0x48, 0x0f, 0xb1, 0x0a}.data()));  // lock cmpxchg %rcx,(%rdx)
  CHECK(locks_memory(Code{0x66, 0xf0, 0x0f, 0xc1, 0x07}.data()));  // lock xadd %ax,(%rdi)
  CHECK(locks_memory(Code{0x87, 0x07}.data()));                    // xchg %eax,(%rdi)
  CHECK(locks_memory(Code{0x48, 0x87, 0x47, 0x08}.data()));        // xchg %rax,8(%rdi)
  CHECK(locks_memory(Code{0x41, 0x86, 0x07}.data()));              // xchg %al,(%r15)

  CHECK_FALSE(locks_memory(Code{0x0f, 0xb1, 0x0a}.data()));  // cmpxchg %ecx,(%rdx)
  CHECK_FALSE(locks_memory(Code{0x87, 0xca}.data()));        // xchg %ecx,%edx
  CHECK_FALSE(locks_memory(Code{0x48, 0x89, 0x07}.data()));  // mov %rax,(%rdi)
  CHECK_FALSE(locks_memory(Code{0xf3, 0x90}.data()));        // pause
  CHECK_FALSE(locks_memory(Code{0x64, 0x48, 0x8b, 0x04, 0x25, 0x28}.data()));  // mov %fs:0x28,%rax
  CHECK_FALSE(locks_memory(Code{0x0f, 0x05}.data()));                          // syscall
}

TEST_CASE("bench: what an act asks of kernel and processor is counted", "[bench]") {
  if (const std::string why = why_no_tracing(); !why.empty()) SKIP_TEST(why);
  std::atomic<int> word{0};
  const TracedCounts quiet = counts_of([&] { word.store(1, std::memory_order::release); });
  CHECK(quiet.system_calls == 0);
  CHECK(quiet.doorbells == 0);
  CHECK(quiet.stepped_alone == 5);
  CHECK(quiet.locked == 0);
  CHECK(quiet.stepped_system_calls == 0);

  const TracedCounts locking = counts_of([&] {
    word.fetch_add(1);
    word.exchange(2);
  });
  CHECK(locking.system_calls == 0);
  CHECK(locking.locked == 2 * 5);

  const TracedCounts calling = counts_of([] { ::syscall(SYS_getppid); });
  CHECK(calling.system_calls == 100);
  CHECK(calling.stepped_system_calls == 5);
}

TEST_CASE("bench: an act that rings a doorbell is told apart", "[bench]") {
  if (const std::string why = why_no_tracing(); !why.empty()) SKIP_TEST(why);
  const int bell = ::eventfd(0, EFD_CLOEXEC);
  int acts = 0;
  std::atomic<int> word{0};
  const TracedCounts counts = counts_of([&] {
    word.fetch_add(1);
    const std::uint64_t one = 1;
    if (++acts % 2 == 0) static_cast<void>(::write(bell, &one, sizeof one) == sizeof one);
  });
  ::close(bell);
  CHECK(counts.doorbells == 50);
  CHECK(counts.system_calls == 0);
  CHECK(counts.stepped_alone == 3);
  CHECK(counts.locked == 3);
  CHECK(counts.stepped_system_calls == 0);
}

TEST_CASE("bench: a traced process that fails is an error", "[bench]") {
  if (const std::string why = why_no_tracing(); !why.empty()) SKIP_TEST(why);
  const auto fail = [] { ::_exit(3); };
  CHECK_THROWS(counts_of(fail));
  CHECK_THROWS(trace({.name = "unprepared",
                      .cpu = allowed_cpus().front(),
                      .counted = 1,
                      .stepped = 1,
                      .prepare = []() -> std::function<void()> { ::_exit(3); }}));
}

TEST_CASE("bench: publishes whose system calls are counted fit half of the ring", "[bench]") {
  CHECK(publishes_to_count(64 * 1024, 64) == 64 * 1024 / 2 / 96);
  CHECK(publishes_to_count(std::uint64_t{1} << 30, 64) == 100'000);
  CHECK(publishes_to_count(64 * 1024, 1 << 20) == 1);
}

}  // namespace ringway::cli::bench_traced_test
