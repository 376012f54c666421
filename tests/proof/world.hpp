#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "support/shared_with_children.hpp"
#include "proof/traffic.hpp"
#include "ringway/ringway.hpp"
#include "support/daemon_process.hpp"

namespace ringway::proof {

inline constexpr std::chrono::seconds kPatience{60};

/// A bus with a topic "kept" on it that is in use all the time, and what clients were told about
/// it. The checks throw Violation.
class World {
 public:
  World();

  Bus bus() const { return daemon.connect(); }

  /// The value that is published next; nobody knows yet whether it will be there.
  void choose_value() { maybe_.insert(++last_); }
  /// Publishes it, until it is durable. Throws when it was not told so.
  void publish_value() const;
  void was_told_of_value();

  /// A consumer with a named cursor moves it on.
  void commit_cursor() const;

  bool exists(const std::string& topic) const;

  /// Right after whoever was killed has died.
  void note_death() { written_at_death_ = traffic_->written(); }
  /// Ring and keeper may go at once from now on: what was not written may be missing.
  void memory_may_be_lost();

  /// What must be true when somebody was killed and is there again, of what was published since the
  /// last check.
  void check();
  /// The same of all that was ever published.
  void check_from_the_start();
  /// After all clients of a trial and all other topics are gone.
  void check_nothing_is_left() const;

  /// The supervisor shows nothing any more of a process that is dead. @throws Violation
  void await_gone(pid_t client) const;
  /// Another keeper than that one is there, and has all. @throws Violation
  void await_another_keeper(pid_t than) const;

  ringway::test::DaemonProcess daemon;

  /// What a client's process says.
  struct Client {
    std::atomic<bool> done;                ///< with its act, told of success or not
    std::atomic<bool> told;                ///< of success; some acts still detach then
    std::atomic<bool> wrongly_told;        ///< of something that is not so
    std::atomic<bool> others_done;         ///< with what they do beside it
    std::atomic<std::uint64_t> committed;  ///< position of the cursor
    std::atomic<std::uint64_t> published;  ///< records to a topic of its own, committed
  };
  Client& client() const { return *client_; }

 private:
  /// Everything before the offset was found right, and the traffic up to the number.
  struct Checked {
    std::uint64_t offset = 0;
    std::uint64_t number = 0;
  };
  /// Reads on up to the last value.
  Checked check_records(Checked from, std::set<std::uint64_t> values) const;
  void publish();
  std::size_t keepers_descriptors() const;

  std::string uuid_;  // of "kept"
  std::optional<Traffic> traffic_;
  std::uint64_t last_ = 0;
  std::set<std::uint64_t> told_, told_since_, maybe_;  // values
  Checked checked_;
  std::uint64_t written_at_death_ = 0;
  bool memory_may_be_lost_ = false;
  test::SharedWithChildren<Client> client_;
  std::size_t kept_by_keeper_ = 0;
};

}  // namespace ringway::proof
