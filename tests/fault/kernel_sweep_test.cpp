// Each file call of a whole supervisor is refused by the kernel in turn, whoever makes it: also
// those that pass through no seam, as the locks of its directories, the catalog's file and journal,
// and the segments that consumers are given.

#include <signal.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstring>
#include <string>

#include "ringway/embedded.hpp"
#include "ringway/ringway.hpp"
#include "support/refused_calls.hpp"
#include "support/shared_with_children.hpp"
#include "support/temporary_directory.hpp"

using namespace ringway;
using namespace std::chrono_literals;
using test::RefusedCall;

namespace {

constexpr auto kPatience = 30s;
/// As many as leave the ring.
constexpr int kRecords = 100;
const std::string kText(1000, 'x');

struct Told {
  bool served, created, read, refused;
  Status polled;
  int durable;
  char error[400];
};

EmbeddedOptions in(const test::TemporaryDirectory& directory) {
  return {.runtime_dir = directory / "run", .state_dir = directory / "state"};
}

void live(const EmbeddedOptions& options, Told& told) {
  const Embedded embedded(options);
  told.served = true;
  Bus bus = embedded.connect();
  bus.create_topic("t", {.partitions = 1, .ring_bytes = 64 * 1024, .segment_bytes = 256 * 1024});
  told.created = true;
  Producer producer = bus.producer("t");
  for (int i = 0; i < kRecords; ++i) {
    const auto published = producer.publish(kText, {.timeout = kPatience});
    if (published.status != Status::ok) return;
    if (producer.wait(published.offset, Level::durable, kPatience) == Status::ok)
      told.durable = i + 1;
  }
  Consumer consumer = bus.consumer("t", {.from = start()});
  for (std::size_t seen = 0; seen < kRecords;) {
    const RecordBatch batch = consumer.poll(100, kPatience);
    told.polled = batch.status();
    if (batch.empty()) return;
    seen += batch.size();
  }
  told.read = true;
}

/// A supervisor's life in a process of its own; the status that this ends with.
int live_with(RefusedCall call, const EmbeddedOptions& options, Told& told) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(120);
    test::refuse_calls({call});
    try {
      live(options, told);
    } catch (const Error& error) {
      std::snprintf(told.error, sizeof told.error, "%s", error.what());
    }
    told.refused = test::refusals() > 0;
    ::_exit(0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

void check_what_is_left(const EmbeddedOptions& options, const Told& told) {
  const Embedded embedded(options);
  Bus bus = embedded.connect();
  const auto topics = bus.topics();
  if (topics.empty()) {
    CHECK_FALSE(told.created);
    return;
  }
  CHECK(bus.producer("t").publish(kText, {.timeout = kPatience}).status == Status::ok);
  Consumer consumer = bus.consumer("t", {.from = start()});
  for (int seen = 0; seen < told.durable + 1;) {
    const RecordBatch batch = consumer.poll(100, kPatience);
    // Whose ring did not end orderly leaves a gap behind what it was told.
    REQUIRE((batch.status() == Status::ok || batch.status() == Status::not_found));
    seen += static_cast<int>(batch.size());
  }
}

}  // namespace

TEST_CASE("sweep: any file call of a supervisor is refused by the kernel, and nothing is lost",
          "[fault]") {
  const auto [name, number, error] = GENERATE(table<const char*, long, int>({
      {"openat", SYS_openat, EMFILE},
      {"mkdir", SYS_mkdir, EIO},
      {"fallocate", SYS_fallocate, ENOSPC},
      {"ftruncate", SYS_ftruncate, EIO},
      {"pwrite64", SYS_pwrite64, ENOSPC},
      {"fsync", SYS_fsync, EIO},
      {"fdatasync", SYS_fdatasync, EIO},
      {"unlink", SYS_unlink, EIO},
  }));
  int refused = 0, served = 0, all_done = 0;
  for (int k = 1;; ++k) {
    CAPTURE(name, error, k);
    const test::TemporaryDirectory directory("/dev/shm");  // no time is spent on a disk
    const test::SharedWithChildren<Told> told;
    REQUIRE(live_with({number, k, error}, in(directory), *told) == 0);
    CAPTURE(told->error, told->created, told->durable);
    if (!told->refused) {
      CHECK(told->read);
      break;
    }
    ++refused;
    served += told->served;
    all_done += told->read;
    // Who is refused something is told of what, and by whom.
    if (!told->read) {
      CHECK_THAT(std::string(told->error), Catch::Contains(std::strerror(error)) ||
                                               Catch::Contains(directory / "state/catalog.db") ||
                                               Catch::Contains("the memory cgroup's limit"));
    }
    CHECK(told->polled == Status::ok);
    check_what_is_left(in(directory), *told);
  }
  std::printf("%s, %s: %d refused, %d of them behind the start; %d times nobody noticed\n", name,
              std::strerror(error), refused, served, all_done);
  CHECK(refused > 0);
}
