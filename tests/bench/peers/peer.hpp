#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

// What somebody would use instead of Ringway, as far as a benchmark sees it: records go in at one
// end and come out at the other, in order.

namespace ringway::peers {

/// The end where records go in. One process's, which made it.
class Sender {
 public:
  virtual ~Sender() = default;
  /// Waits where the peer makes senders wait. Throws Error.
  virtual void send(std::span<const std::byte> record) = 0;
  /// What was sent is on its way: where records are collected before they are passed on.
  virtual void flush() {}
};

/// The end where they come out.
class Receiver {
 public:
  virtual ~Receiver() = default;
  /// The next record, good until the next call; empty when none came for some milliseconds. Throws
  /// Error.
  virtual std::span<const std::byte> receive() = 0;
};

/// One way between two processes. Records of one size.
struct Lane {
  std::uint32_t number;  ///< 0 there, 1 back
  std::uint64_t size_bytes;
  bool at_once;  ///< each record is waited for: nothing is gained by collecting several
};

struct Peer {
  std::string name;       ///< part of the rows' names: letters, digits, underscores
  std::string about;      ///< what it is, and how it is used
  std::string persisted;  ///< what it promises of a record on disk when it comes out
  /// So many may be under way, where nothing else holds the sender up; 0: the peer does.
  std::uint64_t window = 0;
  /// Made in the processes that use them: what belongs to both is made before, with the peer.
  std::function<std::unique_ptr<Sender>(const Lane&)> sender;
  std::function<std::unique_ptr<Receiver>(const Lane&)> receiver;
};

/// How a peer is made, with the servers it needs: they are there for as long as it is. Throws
/// Error.
using MakePeer = std::function<std::unique_ptr<Peer>(std::uint64_t size_bytes)>;

struct Candidate {
  std::string name;
  MakePeer make;
};

Candidate unix_socket();
Candidate boost_message_queue();
Candidate zeromq();
Candidate iceoryx();
Candidate mosquitto(int qos);
Candidate redis(const std::string& fsync);  ///< everysec | always
Candidate nats();
Candidate kafka(const std::string& brokers);  ///< HOST:PORT, of somebody else's

}  // namespace ringway::peers
