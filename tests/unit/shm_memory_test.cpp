#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "ringway/error.hpp"
#include "shm/memory_budget.hpp"
#include "shm/memory_file.hpp"
#include "shm/memory_name.hpp"
#include "shm/region.hpp"

namespace shm_memory_test {

using namespace ringway;
using namespace ringway::shm;

namespace {

constexpr std::uint64_t kBytes = 64 * 1024;

}  // namespace

TEST_CASE("memory file: neither truncation nor growth gets past the seals", "[shm]") {
  const Descriptor file = create_memory_file("ringway.test", kBytes);
  CHECK(::ftruncate(file.get(), 4096) == -1);
  CHECK(::ftruncate(file.get(), 2 * kBytes) == -1);
  CHECK(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE) == -1);
  verify_memory_file(file.get(), "ringway.test", kBytes);
}

TEST_CASE("memory file: it is reserved, private to its user and closed on exec", "[shm]") {
  const Descriptor file = create_memory_file("ringway.test", kBytes);
  struct stat status{};
  REQUIRE(::fstat(file.get(), &status) == 0);
  CHECK(static_cast<std::uint64_t>(status.st_blocks) * 512 >= kBytes);
  CHECK((status.st_mode & 07777) == 0600);
  CHECK((::fcntl(file.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("memory file: what cannot be reserved is refused naming the limit", "[shm]") {
  try {
    create_memory_file("ringway.test", std::uint64_t{1} << 50);
    FAIL("a petabyte was reserved");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::limit);
    CHECK(error.thing() == "ringway.test");
    CHECK_FALSE(error.fix().empty());
  }
}

TEST_CASE("memory budget: the tightest cgroup on the way up counts, in both versions", "[shm]") {
  namespace fs = std::filesystem;
  char directory[] = "/tmp/ringway-budget-XXXXXX";
  REQUIRE(::mkdtemp(directory) != nullptr);
  const fs::path root(directory);
  const auto write = [&](const char* file, const char* text) {
    fs::create_directories((root / file).parent_path());
    std::ofstream(root / file) << text;
  };
  const auto budget = [&] { return memory_budget(root / "proc", root / "cgroup"); };
  CHECK(budget().available_bytes > std::uint64_t{1} << 60);  // what is not known refuses nothing
  write("proc/meminfo", "MemTotal:  1000 kB\nMemFree: 1 kB\n");
  CHECK(budget().available_bytes > std::uint64_t{1} << 60);
  write("proc/meminfo", "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  900 kB\n");
  CHECK(budget().total_bytes == 1000 * 1024);
  CHECK(budget().available_bytes == 900 * 1024);
  CHECK(budget().limited_by == "RAM");

  write("proc/self/cgroup", "5:cpu:/x\n0::/a/b\n");
  write("cgroup/a/b/memory.max", "max\n");
  write("cgroup/a/memory.max", "500000\n");
  write("cgroup/a/memory.current", "300000\n");
  write("cgroup/a/memory.stat", "file 250000\ninactive_file 60000\nactive_file 40000\n");
  CHECK(budget().total_bytes == 500000);
  CHECK(budget().available_bytes == 300000);
  CHECK(budget().limited_by == root / "cgroup/a/memory.max");

  write("proc/self/cgroup", "4:memory:/a/b\n");
  write("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("cgroup/memory/a/b/memory.limit_in_bytes", "4000\n");
  write("cgroup/memory/a/b/memory.usage_in_bytes", "5000\n");
  CHECK(budget().available_bytes == 4000);  // what of it could be reclaimed is not known
  write("cgroup/memory/a/b/memory.stat", "total_inactive_file 0\n");
  CHECK(budget().available_bytes == 0);
  fs::remove_all(root);
}

TEST_CASE("memory file: a received descriptor without seals or of another size is refused",
          "[shm]") {
  const Descriptor file = create_memory_file("ringway.test", kBytes);
  CHECK_THROWS_AS(verify_memory_file(file.get(), "ringway.test", kBytes + 4096), Error);
  const Descriptor unsealed(::memfd_create("loose", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  REQUIRE(::ftruncate(unsealed.get(), kBytes) == 0);
  CHECK_THROWS_AS(verify_memory_file(unsealed.get(), "loose", kBytes), Error);
  const Descriptor device(::open("/dev/zero", O_RDWR | O_CLOEXEC));
  CHECK_THROWS_AS(verify_memory_file(device.get(), "zero", kBytes), Error);
}

TEST_CASE("descriptor: a read-only reopened memory file cannot be mapped writable", "[shm]") {
  const Descriptor file = create_memory_file("ringway.test", kBytes);
  const Descriptor reader = reopen_read_only(file.get());
  CHECK(::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, reader.get(), 0) == MAP_FAILED);
  CHECK_THROWS_AS(Region(reader.get(), Access::read_write, 0, kBytes), Error);
  const Region region(reader.get(), Access::read_only, 0, kBytes);
  CHECK(::mprotect(const_cast<char*>(&region.at<const char>(0)), kBytes, PROT_READ | PROT_WRITE) ==
        -1);
  const Descriptor again = duplicate(reader.get());
  CHECK((::fcntl(again.get(), F_GETFL) & O_ACCMODE) == O_RDONLY);
}

TEST_CASE("region: access outside, misaligned or writable by a reader is refused", "[shm]") {
  const Descriptor file = create_memory_file("ringway.test", kBytes);
  const Region writer(file.get(), Access::read_write, 0, kBytes);
  const Region reader(file.get(), Access::read_only, 4096, kBytes - 4096);
  writer.at<std::uint64_t>(4096 + 8) = 42;
  CHECK(reader.at<const std::uint64_t>(8) == 42);
  CHECK(writer.array<std::uint32_t>(0, kBytes / 4).size() == kBytes / 4);
  CHECK_THROWS_AS(reader.at<std::uint64_t>(8), Error);
  CHECK_THROWS_AS(writer.at<std::uint64_t>(kBytes - 4), Error);
  CHECK_THROWS_AS(writer.at<std::uint64_t>(4), Error);
  CHECK_THROWS_AS(writer.array<std::uint64_t>(8, kBytes / 8), Error);
  CHECK_THROWS_AS(writer.array<std::uint64_t>(0, ~std::uint64_t{0} / 4), Error);
  CHECK_THROWS_AS(writer.at<char>(~std::uint64_t{0}), Error);
  CHECK_THROWS_AS(Region(file.get(), Access::read_only, 0, 0), Error);
}

TEST_CASE("region: a moved region keeps its place and its source is empty", "[shm]") {
  const Descriptor file = create_memory_file("ringway.test", kBytes);
  Region first(file.get(), Access::read_write, 0, kBytes);
  const int* place = &first.at<int>(64);
  const Region second = std::move(first);
  CHECK(&second.at<int>(64) == place);
  CHECK(second);
  CHECK_FALSE(first);  // NOLINT(bugprone-use-after-move)
  CHECK_THROWS_AS(first.at<int>(0), Error);
}

TEST_CASE("data area: a mirrored one shows bytes past the end at its beginning", "[shm]") {
  const Descriptor file = create_memory_file("ringway.test", 2 * kBytes);
  DataArea area(file.get(), Access::read_write, kBytes, kBytes, Wrap::mirrored);
  CHECK(area.wrap() == Wrap::mirrored);
  CHECK(area.ring_bytes() == kBytes);
  CHECK(area.mapped_bytes() == 2 * kBytes);
  std::memcpy(area.data() + kBytes - 3, "wrapped", 7);
  CHECK(std::memcmp(area.data(), "pped", 4) == 0);
  CHECK(std::memcmp(area.data() + 2 * kBytes - 3, "wra", 3) == 0);
  const DataArea moved = std::move(area);
  CHECK(std::memcmp(moved.data() + kBytes, "pped", 4) == 0);
  CHECK(area.data() == nullptr);  // NOLINT(bugprone-use-after-move)
}

TEST_CASE("data area: a single one is mapped once, and refusals leave nothing mapped", "[shm]") {
  const Descriptor file = create_memory_file("ringway.test", kBytes);
  const DataArea area(file.get(), Access::read_only, 0, kBytes, Wrap::single);
  CHECK(area.wrap() == Wrap::single);
  CHECK(area.mapped_bytes() == kBytes);
  const Descriptor reader = reopen_read_only(file.get());
  CHECK_THROWS_AS(DataArea(reader.get(), Access::read_write, 0, kBytes, Wrap::mirrored), Error);
}

TEST_CASE("region: a forked child does not inherit the mapping", "[shm]") {
  const Descriptor file = create_memory_file("ringway.test", kBytes);
  const Region region(file.get(), Access::read_write, 0, kBytes);
  auto* const page = &region.at<char>(0);
  const pid_t child = ::fork();
  if (child == 0) {
    unsigned char resident = 0;
    ::_exit(::mincore(page, 4096, &resident) == -1 && errno == ENOMEM ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("region: the pages of a populated data area are written without faults", "[shm]") {
  constexpr std::uint64_t bytes = 4 << 20;
  const Descriptor file = create_memory_file("ringway.test", bytes);
  const DataArea area(file.get(), Access::read_write, 0, bytes, Wrap::mirrored);
  const auto faults = [] {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt;
  };
  area.populate();
  const auto before = faults();
  for (std::uint64_t at = 0; at < bytes; at += 4096) area.data()[at] = std::byte{1};
  // Of 1,024 without. Under a sanitizer a page of its own for eight of these.
  CHECK(faults() - before < 256);
}

TEST_CASE("memory name: made and parsed alike, and nothing else is accepted", "[shm]") {
  const Uuid topic = random_uuid();
  const auto ring = MemoryName::of_topic(MemoryKind::ring, topic, 7);
  const auto session = MemoryName::of_session(18446744073709551615u, 3);
  CHECK(to_string(ring) == "ringway.ring." + to_string(topic) + ".7");
  CHECK(to_string(session) == "ringway.session.18446744073709551615.3");
  CHECK(parse_memory_name(to_string(ring)) == ring);
  CHECK(parse_memory_name(to_string(session)) == session);
  for (const char* wrong :
       {"", "ringway", "ringway.", "ringway.ring", "ringway.ring.", "ringway.ring.1.1",
        "ringway.session.1", "ringway.session.1.", "ringway.session.1.2.3", "ringway.session.01.2",
        "ringway.session.-1.2", "ringway.pin.1.2", "other.session.1.2",
        "ringway.session.18446744073709551616.3"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_memory_name(wrong).has_value());
  }
  CHECK(parse_uuid(to_string(topic)) == topic);
  CHECK_FALSE(parse_uuid("00000000-0000-0000-0000-00000000000g").has_value());
  CHECK_FALSE(parse_uuid("00000000-0000-0000-00000000-00000000").has_value());
}

}  // namespace shm_memory_test
