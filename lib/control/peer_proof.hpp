#pragma once

#include <optional>
#include <string>

#include "control/channel.hpp"
#include "shm/descriptor.hpp"

namespace ringway::control {

/// Gets hold of the process at the other end: a pidfd that certainly is that process's, not that of
/// a later owner of its pid. Linux 6.5 gives it (SO_PEERPIDFD). Before, the pid is opened and then
/// challenged to answer: an answer that the kernel attributes to that pid, received after the pidfd
/// was opened and with its process alive, can only come from that process.
/// Owned by the server's session; one thread at a time.
class PeerProof {
 public:
  /// Whether this kernel needs no challenge.
  static bool kernel_proves_peers();

  /// Asks the kernel, or sends the challenge. Never blocks.
  /// @throws Error when the peer is gone, congested, in another pid namespace, or of a user whom
  /// this user namespace does not map.
  explicit PeerProof(Channel& channel);

  /// Whether an answer is still awaited: the next message goes to accept().
  bool pending() const noexcept { return !nonce_.empty(); }

  /// Takes the answer to the challenge.
  /// @throws Error denied when it proves nothing; close the channel then.
  void accept(const Message& answer);

  const Credentials& credentials() const noexcept { return credentials_; }

  /// The peer's pidfd, to be taken once, when nothing is pending any more.
  shm::Descriptor take_pidfd() noexcept { return std::move(pidfd_); }

 private:
  Credentials credentials_;
  shm::Descriptor pidfd_;
  std::string nonce_;
};

/// The client's side: if the message is a challenge, answers it and says so; it was not meant for
/// anybody else then.
/// @throws Error when the answer cannot be sent in time.
bool answer_challenge(Channel& channel, const Message& message, std::chrono::milliseconds timeout);

}  // namespace ringway::control
