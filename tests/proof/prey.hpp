#pragma once

#include <functional>
#include <string>

#include "proof/world.hpp"

namespace ringway::proof {

/// What a process of the bus is doing when it is killed, and what must hold afterwards.
struct Prey {
  using Act = std::function<void()>;

  std::string name;
  std::function<void(World&, int trial)> prepare = [](auto&&...) {};
  /// Between two supervisors, of Span::life.
  std::function<void()> meanwhile = [] {};
  /// A client's, in a process of its own; throws when it is not told of success.
  std::function<void(const World&, int trial)> act{};
  /// Of a client as victim that is in the middle of something: what it does before it is hunted, in
  /// place of `act`; returns the act.
  std::function<Act(const World&, int trial)> settle_in{};
  /// What others do while a client is hunted. It ends whatever becomes of the client.
  std::function<void(World&, int trial)> beside = [](auto&&...) {};
  std::function<void(World&, int trial, bool told)> check = [](auto&&...) {};
  enum class Victim : unsigned char { supervisor, keeper, client } victim = Victim::supervisor;
  enum class Span : unsigned char {
    act,       ///< from the beginning of the act to its end
    life,      ///< the supervisor is launched for it
    last_act,  ///< the act asks for it and does not wait: to the victim's end
  } span = Span::act;
  bool memory_may_be_lost = false;
};

/// Kills the victim again and again while it is at it, in four ways: at system calls, at stores to
/// shared memory, at instructions, and at moments of a run that nobody watches; has the others go
/// on, and checks the world. What came when all was over is repeated. A killed client must be
/// nobody's any more, and the same act by another one succeeds. Prints a line. Fails the running
/// test case at violations, when too few came in time, and when there were fewer boundaries than
/// points.hpp says. RINGWAY_TEST_SEED chooses where; RINGWAY_TEST_LONG has every boundary.
void hunt(const Prey& prey);

}  // namespace ringway::proof
