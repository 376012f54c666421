#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

namespace ringway::proof {

inline constexpr std::uint64_t kAll = 1 << 30;

/// How often a whole process is killed in which way while it is at one operation.
struct Kills {
  std::uint64_t system_calls, stores, instructions, moments;
  std::uint64_t behind;    ///< the act, while what it set going ends: at system calls
  bool at_places = false;  ///< at stores: not each time that a place in the program comes

  /// By RINGWAY_TEST_LONG: a sample without it; all of them; or, if it is `places`, each system
  /// call, and each place that stores, the first and the last time.
  static Kills wanted() {
    const char* const given = std::getenv("RINGWAY_TEST_LONG");
    if (given == nullptr) return {10, 20, 6, 4, 4};
    if (given == std::string_view("places")) return {kAll, kAll, 6, 4, 4, true};
    return {kAll, kAll, 2000, 400, 200};
  }
};

/// Which of the kills are done, of each kind every so many: RINGWAY_TEST_PART=3/20 is the third of
/// twenty parts, which together are all of them.
struct Part {
  std::uint64_t which = 1, of = 1;

  static Part chosen() {
    const char* const given = std::getenv("RINGWAY_TEST_PART");
    Part part;
    if (given == nullptr) return part;
    char rest = 0;
    if (std::sscanf(given, "%lu/%lu%c", &part.which, &part.of, &rest) != 2 || part.which < 1 ||
        part.which > part.of) {
      throw std::invalid_argument(
          fmt::format("RINGWAY_TEST_PART is '{}', and not one of many, as in 3/20", given));
    }
    return part;
  }
  bool has(std::uint64_t kill) const { return kill % of == which - 1; }
};

}  // namespace ringway::proof
