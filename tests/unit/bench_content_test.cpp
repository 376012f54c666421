#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

#include "tools/bench/content.hpp"
#include "tools/bench/limits/stamped_slot.hpp"

namespace ringway::cli::bench_content_test {
namespace {

constexpr std::size_t kSizes[] = {16, 32, 48, 64, 80, 96, 128, 1024, 1056};

template <class Stores>
std::vector<std::byte> filled(std::size_t bytes, std::uint64_t number) {
  std::vector<std::byte> record(bytes);
  content::fill<Stores>(record.data(), bytes, number);
  return record;
}

TEST_CASE("bench: what was filled is what is checked, at every size", "[bench]") {
  for (const std::size_t bytes : kSizes) {
    const auto record = filled<content::PlainStores>(bytes, 7);
    CHECK(content::differences(record.data(), bytes, 7) == 0);
    CHECK(content::differences(record.data(), bytes, 8) != 0);
    CHECK(content::number_in(record.data()) == 7);
  }
}

TEST_CASE("bench: every byte of a record is checked", "[bench]") {
  for (const std::size_t bytes : kSizes) {
    auto record = filled<content::PlainStores>(bytes, 7);
    for (std::byte& byte : record) {
      byte ^= std::byte{1};
      CHECK(content::differences(record.data(), bytes, 7) != 0);
      byte ^= std::byte{1};
    }
  }
}

TEST_CASE("bench: words that changed places are noticed", "[bench]") {
  auto record = filled<content::PlainStores>(64, 7);
  std::swap_ranges(record.begin(), record.begin() + 16, record.begin() + 16);
  CHECK(content::differences(record.data(), 64, 7) != 0);
}

TEST_CASE("bench: however it is stored, a record has the same content", "[bench]") {
  for (const std::size_t bytes : kSizes) {
    CHECK(filled<content::OwnedStores<1>>(bytes, 9) == filled<content::PlainStores>(bytes, 9));
#if defined(__SSE2__)
    CHECK(filled<content::StreamedStores>(bytes, 9) == filled<content::PlainStores>(bytes, 9));
#endif
  }
}

TEST_CASE("bench: a stamped slot holds its record once it is published", "[bench]") {
  std::vector<std::byte> slot(96);
  stamped_slot::fill_behind_stamp<content::PlainStores>(slot.data(), slot.size(), 5);
  CHECK_FALSE(stamped_slot::holds(slot.data(), 5));
  stamped_slot::publish(slot.data(), 5);
  CHECK(stamped_slot::holds(slot.data(), 5));
  CHECK(content::differences(slot.data(), slot.size(), 5) == 0);
}

}  // namespace
}  // namespace ringway::cli::bench_content_test
