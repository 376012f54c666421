#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "control/channel.hpp"
#include "control/messages.hpp"

namespace ringway::control {

/// The socket of the descriptor keeper of a runtime directory.
std::string keeper_socket(const std::string& runtime_dir);

/// What the keeper holds: a descriptor, its name, and what has to be known of it:
///
///     {"kind": "ring" | "board" | "bell" | "session" | "pidfd" | "doorbell",
///      "topic": name, "access": {…}}        the last two for what belongs to a topic
struct KeptDescriptor {
  std::string name;
  nlohmann::json meta{};
  shm::Descriptor descriptor{};
};

/// A connection to the descriptor keeper, one request at a time. Used by the supervisor to leave
/// and find memory, and by whoever looks at a topic while no supervisor answers. One thread at a
/// time.
class KeeperConnection {
 public:
  /// @throws Error unavailable when no keeper listens there.
  explicit KeeperConnection(const std::string& runtime_dir,
                            std::chrono::milliseconds timeout = std::chrono::seconds(10));

  /// Sends the request and returns the reply. Once one did not come in time, the next calls do not
  /// wait, and ask nothing, until it has come: what was asked may be done late.
  /// @throws Error: the keeper's refusal; unavailable (it has died); timeout.
  Envelope call(nlohmann::json request, std::span<const int> descriptors = {});

  /// All pages of a request that is answered by kept descriptors: "list" or "look".
  std::vector<KeptDescriptor> pages(nlohmann::json request);

  /// A topic's ring and board, reopened read-only, as far as this user has the right; root and the
  /// supervisor's user get all session memory besides.
  /// @throws Error not_found, denied.
  std::vector<KeptDescriptor> look(const std::string& topic);

  /// Of the supervisor whose memory is kept here; everybody may know.
  struct Whose {
    std::string state_dir;
    std::optional<std::uint64_t> rings{};  ///< that are kept; an earlier version does not say
  };
  Whose whose();

  /// The keeper's pid; 0 in another pid namespace.
  pid_t pid() const { return channel_.peer().pid; }

  /// For the next calls.
  void set_timeout(std::chrono::milliseconds timeout) noexcept { timeout_ = timeout; }

  /// Becomes readable when the keeper has died.
  int fd() const noexcept { return channel_.fd(); }

 private:
  void take_late_answer();

  Channel channel_;
  std::chrono::milliseconds timeout_;
  std::uint64_t last_id_ = 0;
  bool owes_answer_ = false;  // to the last request
  std::vector<shm::Descriptor> received_;
};

}  // namespace ringway::control
