#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>

namespace ringway::test {

/// RINGWAY_TEST_SEED; without it another one each time, for the test to print.
inline std::uint64_t chosen_seed() {
  const char* const given = std::getenv("RINGWAY_TEST_SEED");
  return given == nullptr ? std::random_device()() : std::strtoull(given, nullptr, 10);
}

}  // namespace ringway::test
