#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>

#include "shm/landing.hpp"
#include "support/lost_page.hpp"
#include "support/system_call_filter.hpp"

namespace shm_landing_test {

using ringway::shm::install_landing;
using ringway::shm::LandingArea;
using ringway::test::kPageBytes;
using ringway::test::LostPages;
namespace filter = ringway::test::filter;

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

TEST_CASE("landing: with no memory left a tail stays closed, whatever else is lost", "[shm]") {
  install_landing();
  const LostPages pages(100);
  const LandingArea data(pages.all().first(98 * kPageBytes));
  const LandingArea tail(pages.page(98), ringway::shm::Landing::ones);
  const LandingArea behind(pages.page(99));
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    const auto look = [&](std::size_t page) {
      return *static_cast<volatile const std::byte*>(pages.page(page).data());
    };
    for (std::size_t i = 0; i < 98; ++i) look(i);  // more than are held ready
    filter::apply({filter::unless(SYS_mmap, 1),
                   filter::verdict(SECCOMP_RET_ERRNO | (ENOMEM & SECCOMP_RET_DATA)),
                   filter::allow()});
    if (look(98) != std::byte{0xff}) ::_exit(1);
    if (look(99) != std::byte{0}) ::_exit(2);
    ::_exit(look(98) == std::byte{0xff} ? 42 : 3);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 42);
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
  // By the handler that was there before, where a sanitizer has one: it reports and exits.
  CHECK((WIFSIGNALED(status) ? WTERMSIG(status) == SIGBUS : WEXITSTATUS(status) != 0));
}

}  // namespace shm_landing_test
