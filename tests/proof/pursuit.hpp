#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "proof/hunt.hpp"
#include "proof/prey.hpp"

namespace ringway::proof {

/// Where it is killed.
struct Death {
  Hunt::Boundaries boundaries = Hunt::Boundaries::system_calls;
  std::uint64_t boundary = 0;         ///< so many of them behind the beginning,
  std::uint64_t place = 0;            ///< if not 0, only of the store at this place in the program
  std::uint64_t steps = 0;            ///< and single steps behind that
  std::chrono::nanoseconds moment{};  ///< if not 0: no boundary, but so much later, unwatched

  std::string text() const;
};

inline constexpr std::uint64_t kLast = ~std::uint64_t{0};
inline constexpr Death kAtTheEnd{.boundary = kLast};
inline constexpr Death kAtTheEndByStores{.boundaries = Hunt::Boundaries::stores, .boundary = kLast};
inline constexpr Death kAtTheEndUnwatched{.moment = std::chrono::nanoseconds::max()};

struct Length {
  std::uint64_t boundaries = 0;
  std::chrono::nanoseconds time{};
};

/// What was seen of the victim until it was dead.
struct Came {
  enum class When : unsigned char {
    in_act,
    behind_it,  ///< while what it set going ended
    too_late,
  } when = When::in_act;
  Length act, all;
  std::vector<std::uint64_t> places;  ///< of all boundaries: the stores' in the program
};

/// Kills the process where it is said, or when what it is at is over. The caller is the only one of
/// its thread to wait for it; `ready` is set when it is watched. @throws std::system_error
Came pursue(const World& world, const Prey& prey, pid_t pid, const Death& death,
            std::atomic<bool>& ready);

}  // namespace ringway::proof
