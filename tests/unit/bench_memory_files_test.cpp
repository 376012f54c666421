#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <memory>

#include "tools/bench/memory_files.hpp"

namespace ringway::cli::bench_memory_files_test {
namespace {

constexpr std::size_t kBytes = 8192;

/// A memory file, mapped; or memory of nobody else.
class Mapped {
 public:
  explicit Mapped(const char* name) {
    const int fd = name != nullptr ? ::memfd_create(name, MFD_CLOEXEC) : -1;
    if (fd >= 0) REQUIRE(::ftruncate(fd, kBytes) == 0);
    data_ = ::mmap(nullptr, kBytes, PROT_READ,
                   fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
    if (fd >= 0) ::close(fd);
    REQUIRE(data_ != MAP_FAILED);
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  ~Mapped() { ::munmap(data_, kBytes); }

  const char* data() const noexcept { return static_cast<const char*>(data_); }

 private:
  void* data_;
};

}  // namespace

TEST_CASE("bench: memory of a ring is told from a process's own", "[bench]") {
  MemoryFiles files;
  const Mapped ring("ringway-test");
  const Mapped own(nullptr);
  const auto heap = std::make_unique<char>();
  CHECK(files.hold(ring.data()));
  CHECK(files.hold(ring.data() + kBytes - 1));
  CHECK_FALSE(files.hold(own.data()));
  CHECK_FALSE(files.hold(heap.get()));
  const Mapped later("another ring");
  CHECK(files.hold(later.data()));
  CHECK(files.hold(ring.data()));
}

TEST_CASE("bench: a place that nothing is mapped at is refused", "[bench]") {
  CHECK_THROWS(MemoryFiles().hold(nullptr));
}

}  // namespace ringway::cli::bench_memory_files_test
