#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "proof/aftermath.hpp"
#include "proof/cast.hpp"
#include "proof/puppet.hpp"

namespace ringway::proof {

/// What a puppet in that seat does; called in its process. The cast is a copy, on the same stage.
using Act = std::function<Puppet::Part(Cast&, Seat)>;

/// How far a producer has come in its (first) claim, as its memory shows.
enum class Point : unsigned char {
  trying,     ///< its intent is there, its claim is not
  claimed,    ///< the tail has moved, its slot says `trying` still
  owned,      ///< its slot says `owned`
  committed,  ///< the first stamp stands, its slot is not idle yet
};

/// A producer that stands at a point of its act while the victim acts.
struct Rival {
  enum class Fate : unsigned char {
    lives,         ///< it plays on after the victim's death
    dies_before,   ///< killed before the victim begins
    dies_as_well,  ///< killed together with the victim
  };
  Seat seat;
  Act act;
  Point at;
  Fate fate;
};

/// While the victim has an intent and no claim yet, a rival overtakes it.
struct Overtaking {
  Seat rival;
  Point until;
};

/// One operation in one state of the ring.
struct Scene {
  std::string state;
  Act victim;
  std::function<void(Cast&)> beginning = [](Cast&) {};
  ring::Mapping mapping = ring::Mapping::mirrored;
  enum class Role : unsigned char { producer, reader, supervisor } role = Role::producer;
  std::vector<Rival> rivals{};
  std::optional<Overtaking> overtaking{};
  /// When all rivals have come to their places, one of them goes on; then the victim begins.
  std::optional<Overtaking> parting{};
  /// Living processes that are there before the victim begins; begun anew for each death.
  std::function<void(Cast&)> company{};
  /// Goes on from each death in a way of its own; then memory is put back, and the others go on.
  std::function<void(Cast&)> audience{};
  /// How all go on, if not by go_on().
  std::function<void(const Cast&)> aftermath{};
  /// Boundaries: system calls, stores to shared memory, and other instructions that a seed chooses.
  enum class Grain : unsigned char { instructions, boundaries } grain = Grain::instructions;
  Stage::Log log = Stage::Log::none;
};

/// A puppet and what it took from the ring, seen from outside.
class Actor {
 public:
  Actor(Cast& cast, Seat seat, const Act& act)
      : seat_(seat), puppet_([&] { return act(cast, seat); }) {}
  Actor(Seat seat, Puppet puppet, std::vector<Claim> claims)
      : seat_(seat), puppet_(std::move(puppet)), claims_(std::move(claims)) {}

  Seat seat() const noexcept { return seat_; }
  Puppet& puppet() noexcept { return puppet_; }
  const Puppet& puppet() const noexcept { return puppet_; }
  const std::vector<Claim>& claims() const noexcept { return claims_; }
  Actor copy() { return {seat_, puppet_.copy(), claims_}; }

  void step(const Stage& stage);
  bool at(const Stage& stage, Point point) const;
  /// @throws std::logic_error when it never gets there.
  void lead_to(const Stage& stage, Point point);

 private:
  Seat seat_;
  Puppet puppet_;
  std::vector<Claim> claims_;
};

}  // namespace ringway::proof
