// That single steps end where a thread waits for good, whatever the other threads do meanwhile.

#include <unistd.h>

#include <catch2/catch.hpp>
#include <thread>

#include "proof/hunt.hpp"
#include "support/daemon_process.hpp"

namespace ringway::proof {

TEST_CASE("hunt: single steps do not wait for a thread that waits for nobody", "[proof]") {
  constexpr int kPatienceMs = 50;
  constexpr int kIntoAll = 10;  // boundaries: each thread has stood at a call of its own by then
  ringway::test::Child child([](ringway::test::Child& self) {
    std::thread busy([] {
      for (;;) ::getppid();
    });
    self.reached();
    self.stay();
  });
  REQUIRE(child.await());
  Hunt hunt(child.pid(), Hunt::Boundaries::system_calls);
  // One of these places is where it begins to wait: it comes there when it is let go.
  for (int i = 0; i < kIntoAll; ++i) {
    REQUIRE(hunt.to_boundary(kPatienceMs) == Hunt::Went::on);
    hunt.step(100, kPatienceMs);
  }
  hunt.kill();
}

}  // namespace ringway::proof
