// That a hunt by stores sees each of them, before it happens and behind it, and no other.

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <stdexcept>

#include "proof/hunt.hpp"
#include "support/daemon_process.hpp"

namespace ringway::proof {
namespace {

constexpr std::size_t kPage = 4096;
/// One store sets one of these.
using Word = std::atomic<std::uint64_t>;

int memory_file() {
  const int file = ::memfd_create("ringway.test", MFD_CLOEXEC);
  if (file < 0 || ::ftruncate(file, kPage) != 0) throw std::runtime_error("no memory");
  return file;
}

Word* map(int file, void* at = nullptr) {
  const int flags = MAP_SHARED | (at == nullptr ? 0 : MAP_FIXED);
  void* const memory = ::mmap(at, kPage, PROT_READ | PROT_WRITE, flags, file, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no memory");
  return static_cast<Word*>(memory);
}

void pass_on(int file, int socket) {
  char byte = 0;
  iovec text{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof file)]{};
  msghdr message{.msg_name = nullptr,
                 .msg_namelen = 0,
                 .msg_iov = &text,
                 .msg_iovlen = 1,
                 .msg_control = control,
                 .msg_controllen = sizeof control,
                 .msg_flags = 0};
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof file);
  std::memcpy(CMSG_DATA(header), &file, sizeof file);
  if (::sendmsg(socket, &message, 0) != 1) throw std::runtime_error("not passed on");
}

}  // namespace

TEST_CASE("hunt: each store to shared memory is met before it and behind it", "[proof]") {
  const int file = memory_file();
  Word* const seen = map(file);
  int ends[2], sockets[2];
  REQUIRE(::pipe(ends) == 0);
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets) == 0);
  test::Child victim([&](test::Child& self) {
    // Twice, side by side, as rings are.
    auto* const room = static_cast<char*>(
        ::mmap(nullptr, 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    Word* const first = map(file, room);
    map(file, room + kPage);
    self.reached();
    char byte;
    static_cast<void>(!::read(ends[0], &byte, 1));
    first[1] = 1;
    first[2].fetch_add(1);
    Word* const later = map(file);
    later[3] = 1;
    std::uint64_t expected = 0;
    later[4].compare_exchange_strong(expected, 1);
    // Half of it at the page's end, half at its beginning.
    const std::uint64_t both = (std::uint64_t{1} << 32) | 1;
    asm volatile("movq %1, %0"
                 : "=m"(*reinterpret_cast<std::uint64_t*>(room + kPage - 4))
                 : "r"(both));
    const int own = memory_file();
    Word* const unknown = map(own);
    unknown[0] = 1;
    pass_on(own, sockets[0]);
    unknown[1] = 1;
    static_cast<void>(!::write(sockets[0], "x", 1));
  });
  REQUIRE(victim.await());

  Hunt hunt(victim.pid(), Hunt::Boundaries::stores);
  REQUIRE(::write(ends[1], "x", 1) == 1);
  constexpr std::uint64_t kStores = 6;
  std::uint64_t met = 0;
  Hunt::Went went = Hunt::Went::idle;
  while ((went = hunt.to_boundary(60'000)) == Hunt::Went::on) {
    ++met;
    CHECK(hunt.place() != 0);
    std::uint64_t done = 0;
    for (std::size_t i = 1; i <= 4; ++i) done += seen[i];
    const bool wraps = static_cast<std::uint32_t>(seen[0]) != 0;
    CHECK(wraps == (seen[kPage / sizeof(Word) - 1] >> 32 != 0));
    done += wraps ? 1 : 0;
    CHECK(done == std::min(met / 2, kStores - 1));
  }
  CHECK(went == Hunt::Went::ended);
  CHECK(met == 2 * kStores);
  ::munmap(seen, kPage);
  for (const int end : {file, ends[0], ends[1], sockets[0], sockets[1]}) ::close(end);
}

}  // namespace ringway::proof
