// No busy idle (G10): no system call on the hot path while nobody sleeps, no CPU time without
// traffic.

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdio>
#include <string>
#include <thread>

#include "ringway/ringway.hpp"
#include "support/daemon_process.hpp"
#include "support/system_call_filter.hpp"

using namespace ringway;
using ringway::test::Child;
using ringway::test::DaemonProcess;
using namespace std::chrono_literals;

namespace {

/// From now on this process dies of SIGSYS with any system call but exit_group, and writes of eight
/// bytes: the supervisor's doorbell, where it was the supervisor that slept.
void forbid_system_calls() {
  using namespace ringway::test::filter;
  apply({unless(SYS_exit_group, 1), allow(),                                                  //
         unless(SYS_write, 3), load(offsetof(seccomp_data, args[2])), unless(8, 1), allow(),  //
         kill()});
}

constexpr int kRecords = 4'000;

/// Publishes and polls back what fits the ring, a hundred at a time. 0: everything came.
int go_round(Producer& producer, Consumer& consumer, int records) {
  int seen = 0;
  for (int sent = 0; sent < records;) {
    for (int i = 0; i < 100; ++i, ++sent) {
      if (i % 10 == 0) {
        auto claim = producer.claim(40, {.key = "key"});
        if (!claim || claim.commit().status != Status::ok) return 4;
      } else if (producer.publish("forty bytes of payload, or nearly that..").status !=
                 Status::ok) {
        return 4;
      }
    }
    while (seen < sent) {
      // Of those that may wait the second keeps its distance, as the first had a stream.
      const RecordBatch batch = consumer.poll(256, sent % 300 == 0 ? Timeout::zero() : 1s);
      if (batch.empty()) return 5;
      for (const RecordView& record : batch) seen += record.value().size() == 40;
    }
  }
  return seen == records ? 0 : 6;
}

/// The wait status of a process that goes round without system calls but those of `planted`.
template <class Planted>
int without_system_calls(const DaemonProcess& daemon, const std::string& topic, Planted&& planted) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      Bus bus = daemon.connect();
      Producer producer = bus.producer(topic);
      Consumer consumer = bus.consumer(topic);
      int result = go_round(producer, consumer, 1'000);
      // The supervisor has seen all of it: it need not be looked after.
      Consumer watermarks = bus.consumer(topic);
      const std::uint64_t end = watermarks.committed_offset(0);
      if (producer.wait({end - 1, 0}, Level::committed, 10s) != Status::ok) result = 7;
      if (result == 0) {
        forbid_system_calls();
        result = go_round(producer, consumer, kRecords);
        planted();
      }
      ::_exit(result);
    } catch (...) {
      ::_exit(2);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

/// CPU time of a process so far, user and system together.
double cpu_seconds(pid_t pid) {
  clockid_t clock;
  timespec time{};
  REQUIRE(::clock_getcpuclockid(pid, &clock) == 0);
  REQUIRE(::clock_gettime(clock, &time) == 0);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

struct Watched {
  const char* what;
  pid_t pid;
};

/// Over three seconds, at most 2 % of a core each.
void check_idle(const std::vector<Watched>& processes) {
  constexpr double kSeconds = 3;
  std::vector<double> before;
  for (const Watched& one : processes) before.push_back(cpu_seconds(one.pid));
  std::this_thread::sleep_for(std::chrono::duration<double>(kSeconds));
  for (std::size_t i = 0; i < processes.size(); ++i) {
    const double percent = (cpu_seconds(processes[i].pid) - before[i]) / kSeconds * 100;
    std::printf("idle: %-22s %.2f %% CPU\n", processes[i].what, percent);
    INFO(processes[i].what);
    CHECK(percent <= 2.0);
  }
}

}  // namespace

TEST_CASE("quiet: publish, claim and poll make no system call while nobody sleeps", "[quiet]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("log", {.partitions = 1, .ring_bytes = 4 * 1024 * 1024});
  bus.create_topic("memory", {.partitions = 1, .ring_bytes = 4 * 1024 * 1024, .persist = false});
  for (const std::string topic : {"log", "memory"}) {
    INFO(topic);
    const int status = without_system_calls(daemon, topic, [] {});
    INFO("died of signal " << (WIFSIGNALED(status) ? WTERMSIG(status) : 0));
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    // One that is planted is found.
    const int caught = without_system_calls(daemon, topic, [] { ::syscall(SYS_getpid); });
    REQUIRE(WIFSIGNALED(caught));
    CHECK(WTERMSIG(caught) == SIGSYS);
  }
}

TEST_CASE("quiet: supervisor and waiting clients use no CPU time without traffic", "[quiet]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  for (int i = 0; i < 20; ++i) {
    bus.create_topic("t" + std::to_string(i), {.partitions = 4, .ring_bytes = 64 * 1024});
  }
  const auto consume = [&](const char* topic) {
    return [&daemon, topic](Child& self) {
      Bus own = daemon.connect();
      Consumer consumer = own.consumer(topic, {.from = start()});
      if (consumer.poll(1, 10s).size() == 1) self.reached();
      consumer.advance();
      static_cast<void>(consumer.poll(1, forever));
    };
  };
  Producer wake = bus.producer("t0");
  Producer wake_too = bus.producer("t1");
  Child first(consume("t0")), second(consume("t1"));
  REQUIRE(wake.publish("x").status == Status::ok);
  REQUIRE(wake_too.publish("x").status == Status::ok);
  REQUIRE((first.await() && second.await()));

  bus.create_topic("full", {.partitions = 1, .ring_bytes = 64 * 1024, .persist = false});
  Consumer slow = bus.consumer("full", {.from = start()});
  Child blocked([&](Child& self) {
    Bus own = daemon.connect();
    Producer producer = own.producer("full");
    while (producer.try_publish(std::string(1000, 'x')).status == Status::ok) {
    }
    self.reached();
    static_cast<void>(producer.publish(std::string(1000, 'x')));
  });
  REQUIRE(blocked.await());
  // With a log, and no other ring for who holds records.
  bus.create_topic("held", {.partitions = 1, .ring_bytes = 64 * 1024, .pin_budget_ms = 0});
  Consumer holder = bus.consumer("held", {.from = start()});
  Producer behind = bus.producer("held");
  REQUIRE(behind.publish("held").status == Status::ok);
  const RecordBatch held = holder.poll(1, 10s);
  REQUIRE(held.size() == 1);
  while (behind.publish(std::string(1000, 'x'), {.timeout = 300ms}).status == Status::ok) {
  }
  check_idle({{"supervisor", daemon.pid()},
              {"a waiting consumer", first.pid()},
              {"another", second.pid()},
              {"a waiting producer", blocked.pid()}});
}
