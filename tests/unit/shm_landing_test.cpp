#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "shm/landing.hpp"
#include "support/lost_page.hpp"

namespace shm_landing_test {

using ringway::shm::install_landing;
using ringway::shm::LandingArea;
using ringway::test::kPageBytes;
using ringway::test::LostPages;

TEST_CASE("landing: a lost page reads as zeros, takes writes, and is known", "[shm]") {
  install_landing();
  const LostPages pages(2);
  const LandingArea first(pages.page(0));
  const LandingArea second(pages.page(1));
  volatile std::byte* const byte = pages.page(0).data() + 100;
  CHECK(*byte == std::byte{0});
  *byte = std::byte{7};
  CHECK(*byte == std::byte{7});
  CHECK(first.hit());
  CHECK_FALSE(second.hit());
}

TEST_CASE("landing: more pages than are held ready can be lost", "[shm]") {
  install_landing();
  const LostPages pages(200);
  const LandingArea area(pages.all());
  for (std::size_t i = 0; i < 200; ++i) {
    volatile const std::byte* const byte = pages.page(i).data();
    REQUIRE(*byte == std::byte{0});
  }
  CHECK(area.hit());
}

TEST_CASE("landing: an area that is gone is no longer one, and a fault outside ends the process",
          "[shm]") {
  install_landing();
  const LostPages pages(1);
  {
    const LandingArea area(pages.all());
  }
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    volatile const std::byte* const byte = pages.page(0).data();
    static_cast<void>(*byte);
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGBUS);
}

}  // namespace shm_landing_test
