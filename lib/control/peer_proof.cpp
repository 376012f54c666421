#include "control/peer_proof.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "control/access.hpp"
#include "ringway/error.hpp"
#include "shm/process.hpp"
#include "shm/uuid.hpp"
#include "shm/withheld.hpp"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77  // Linux 6.5
#endif

namespace ringway::control {
namespace {

Error unproven(pid_t pid, const std::string& rule) {
  return Error(ErrorCode::denied, fmt::format("peer with pid {}", pid), rule, "connect again");
}

/// The kernel's own answer; empty where it does not know the question.
shm::Descriptor kernel_pidfd(int socket) {
  if (shm::withheld("peerpidfd")) return {};
  int pidfd = -1;
  socklen_t bytes = sizeof pidfd;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &bytes) != 0) return {};
  return shm::Descriptor(pidfd);
}

/// The string under the only key of a message like {"challenge":"…"}; empty for any other.
std::string only_string(const Message& message, const char* key) {
  const auto json = nlohmann::json::parse(message.text, nullptr, false);
  if (!json.is_object() || json.size() != 1 || !json.contains(key) || !json[key].is_string()) {
    return {};
  }
  return json[key];
}

}  // namespace

bool PeerProof::kernel_proves_peers() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return false;
  const shm::Descriptor one(ends[0]);
  const shm::Descriptor other(ends[1]);
  return static_cast<bool>(kernel_pidfd(one.get()));
}

PeerProof::PeerProof(Channel& channel) : credentials_(channel.peer()) {
  const pid_t pid = credentials_.pid;
  if (pid == 0) {
    throw Error(ErrorCode::denied, "peer without a pid",
                "it runs in another pid namespace, where its death cannot be seen",
                "let both sides share a pid namespace");
  }
  require_known(credentials_);
  pidfd_ = kernel_pidfd(channel.fd());
  if (pidfd_) return;
  auto opened = shm::open_pid(pid);
  if (!opened) throw unproven(pid, "has ended");
  pidfd_ = std::move(*opened);
  channel.prove_senders();  // before the challenge: every answer then names its sender
  nonce_ = shm::to_string(shm::random_uuid());
  const std::string challenge = nlohmann::json{{"challenge", nonce_}}.dump();
  if (channel.send(challenge, {}, std::chrono::milliseconds(0)) != Delivery::sent) {
    throw unproven(pid, "does not take the challenge");
  }
}

void PeerProof::accept(const Message& answer) {
  const pid_t pid = credentials_.pid;
  if (!pending() || only_string(answer, "answer") != nonce_) {
    throw unproven(pid, "did not answer the challenge");
  }
  if (answer.sender != pid) {
    throw unproven(pid,
                   fmt::format("the challenge was answered by pid {}", answer.sender.value_or(0)));
  }
  if (shm::is_dead(pidfd_.get())) throw unproven(pid, "has ended");
  nonce_.clear();
}

bool answer_challenge(Channel& channel, const Message& message, std::chrono::milliseconds timeout) {
  const std::string nonce = only_string(message, "challenge");
  if (nonce.empty()) return false;
  // The receiver asked the kernel to name the sender, so nothing needs to be attached.
  const std::string answer = nlohmann::json{{"answer", nonce}}.dump();
  if (channel.send(answer, {}, timeout) != Delivery::sent) {
    throw Error(ErrorCode::unavailable, "supervisor", "did not take the answer to its challenge",
                "try again");
  }
  return true;
}

}  // namespace ringway::control
