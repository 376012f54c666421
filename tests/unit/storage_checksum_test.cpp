#include "storage/checksum.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <new>
#include <vector>

namespace ringway::test::storage_checksum_test {
namespace {

std::vector<std::byte> bytes_of(std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 251);
  return bytes;
}

}  // namespace

TEST_CASE("checksum: the same as by the plain functions of the library", "[storage]") {
  const auto bytes = bytes_of(256 * 1024);
  const std::span<const std::byte> all(bytes);
  constexpr std::uint64_t kSeed = 0x1234'5678'9abc'def0;
  for (const std::size_t size : {0, 1, 16, 17, 128, 129, 240, 241, 1024, 1025, 4096, 262'144}) {
    CAPTURE(size);
    const auto some = all.first(size);
    const std::uint64_t plain = XXH3_64bits_withSeed(some.data(), some.size(), kSeed);
    CHECK(storage::checksum(some, kSeed) == plain);
    storage::RunningChecksum running(kSeed);
    for (std::size_t at = 0; at < size; at += 300) {
      running.add(some.subspan(at, std::min<std::size_t>(300, size - at)));
    }
    CHECK(running.value() == plain);
  }
}

TEST_CASE("checksum: a running one begins anew wherever it is made", "[storage]") {
  constexpr std::uint64_t kSeed = 0x1234'5678'9abc'def0;
  const auto bytes = bytes_of(1024);
  // What one with the same seed left behind, and somebody else has used since.
  static_assert(sizeof(XXH3_state_t) == sizeof(storage::RunningChecksum));
  XXH3_state_t memory{};
  memory.seed = kSeed;
  asm volatile("" : : "r"(&memory) : "memory");  // the compiler leaves it there
  auto* const running = new (&memory) storage::RunningChecksum(kSeed);
  running->add(bytes);
  CHECK(running->value() == storage::checksum(bytes, kSeed));
}

}  // namespace ringway::test::storage_checksum_test
