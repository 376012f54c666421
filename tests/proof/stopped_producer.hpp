#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "support/shared_with_children.hpp"
#include "ringway/ringway.hpp"
#include "support/daemon_process.hpp"

namespace ringway::proof {

/// A process that stands still in mid-claim, with another's record behind it. The topic is its own.
class StoppedProducer {
 public:
  StoppedProducer(const std::string& socket, const std::string& topic);

  /// Until the record behind the claim can be seen. From any process.
  void await_what_stands_behind() const;

  /// Commits, is told what became of that, and publishes once more.
  void go_on();
  void kill();
  /// The topic holds what everybody was told, in order. @throws Violation
  void check(bool behind_was_seen) const;

 private:
  struct Told {
    std::atomic<bool> may_go_on, claim_stands, published_after;
  };
  static void play(ringway::test::Child& self, Told& told, const std::string& socket,
                   const std::string& topic);

  std::string socket_, topic_;
  test::SharedWithChildren<Told> told_;
  ringway::test::Child process_;
};

}  // namespace ringway::proof
