#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "proof/cast.hpp"
#include "proof/puppet.hpp"

namespace ringway::proof {

/// Who was killed, and what of it was unfinished at that moment.
struct Fallen {
  std::vector<Seat> producers;
  std::vector<Claim> holes;  ///< claimed, as the tail shows, and not stamped
  std::optional<Seat> reader;
  bool supervisor = false;

  /// A producer that took `claims` has died now.
  void add(const ring::PartitionView& view, Seat seat, const std::vector<Claim>& claims);
};

/// A live producer's process that stands still while somebody dies, and plays on afterwards.
struct Bystander {
  Seat seat;
  Puppet puppet;
};

struct Aftermath {
  std::chrono::nanoseconds repair{};  ///< time spent in repair, all attempts
};

/// The others go on: look, publish, repair, finish what they had begun, read, hand back, take the
/// free seats, and turn the ring once more; the supervisor is replaced on the way. @throws
/// Violation for whatever does not hold.
Aftermath go_on(Cast cast, const Fallen& fallen, std::vector<Bystander> living);

}  // namespace ringway::proof
