#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/channel.hpp"
#include "daemon/consume_latency.hpp"
#include "daemon/slot_runs.hpp"
#include "daemon/topic.hpp"
#include "layout/session.hpp"
#include "shm/descriptor.hpp"
#include "shm/landing.hpp"
#include "shm/region.hpp"

namespace ringway::daemon {

/// One of a session's memory files, and which of its slots are given away.
struct Chunk {
  Chunk(shm::Descriptor fd, std::uint32_t slots);
  /// How many slots such a file has. Throws where it is none.
  static std::uint32_t slots_in(int fd, const std::string& name);

  /// Read-only: the slots are the client's. Where it punched holes, they read as zeros.
  struct Mapping {
    shm::Region region;
    shm::LandingArea landing;
  };

  shm::Descriptor fd;
  std::shared_ptr<const Mapping> mapping;
  SlotRuns runs;
  bool unheard = false;  ///< its client may not have it: nobody is given slots of it any more

  const layout::Slot* slot(std::uint32_t index) const;
  /// Slots as nobody has used them, before they are given away.
  void clear(std::uint32_t first, std::uint32_t count, std::uint64_t pin = layout::kNoPin,
             layout::ClaimMode mode = layout::ClaimMode::shared) const;
};

/// One open handle: a role on a topic, its run of slots, its entry on the board.
struct Handle {
  std::shared_ptr<Topic> topic;
  layout::Role role{};
  std::uint32_t chunk = 0;
  std::uint32_t first_slot = 0;
  std::uint32_t producer = 0;
  std::size_t attachment = 0;
  std::string cursor;
  std::uint64_t generation = 0;  ///< of the ring that its slots speak of
  bool exclusive = false;        ///< as opened; whether it still is: Topic::producers
  bool releasing = false;
  LatencyShare latency{};        ///< a consumer's
  std::vector<std::function<void()>> when_released{};  ///< of those who asked once more
};

/// A process's stay on the bus: who it is, proof of its life or death, its memory and its handles.
/// It outlives the connection, because a process can go on using what it has mapped; and it
/// outlives the supervisor, because board and keeper tell a new one about it. Owned by the
/// SessionTable.
struct Session {
  Session(boost::asio::io_context& io, std::uint64_t id_) : id(id_), watch(io) {}

  std::uint64_t id;
  layout::ProcessId process{};
  control::Credentials credentials{};
  std::string user;
  std::string client;    ///< as it calls itself
  std::string version;   ///< of its library; "" where it did not say
  bool reached = false;  ///< by the asymmetric barrier: its producers can be fenced
  bool dead = false;     ///< proven
  shm::Descriptor pidfd;
  shm::Descriptor doorbell;                     ///< what its producers ring (doorbells.hpp)
  boost::asio::posix::stream_descriptor watch;  ///< a duplicate of pidfd: readable means dead
  std::function<void()> disconnect{};           ///< closes its connection; empty: it has none
  std::map<std::uint32_t, Chunk> chunks;
  std::map<std::uint64_t, Handle> handles;
  std::vector<std::function<void()>> when_gone;

  std::uint32_t slots_taken() const noexcept;
};

/// Names at the keeper.
std::string pidfd_name(std::uint64_t session);
std::string doorbell_name(std::uint64_t session);

}  // namespace ringway::daemon
