#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "control/messages.hpp"
#include "daemon/catalog.hpp"
#include "daemon/session.hpp"
#include "daemon/topic_registry.hpp"

namespace ringway::daemon {

/// A handle as its client gets it: the reply's fields, and the descriptors in the reply's order.
struct OpenedHandle {
  control::Opened reply;
  std::vector<shm::Descriptor> descriptors;
};

/// Opens and releases handles: session slots, the entry on the board, the named cursor, and the
/// flusher's knowledge of them, in an order that a crash at any point leaves repairable. Control
/// thread only.
class Handles {
 public:
  Handles(const SupervisorParts& parts)
      : parts_(parts),
        handle_ids_(parts.catalog, Identity::handle),
        producer_ids_(parts.catalog, Identity::producer) {}

  using Done = std::function<void(OpenedHandle)>;

  /// Rights were checked. `done` when the flusher honours the handle's pins and claims.
  /// @throws Error: limit, busy (the cursor is held), failed (memory).
  void open(const std::shared_ptr<Session>& session, const std::shared_ptr<Topic>& topic,
            const control::Open& request, Done done);

  /// The handle that `request` names goes on in the topic's present ring; whoever had the topic
  /// exclusively still has it. False: there is no such handle.
  bool move(const std::shared_ptr<Session>& session, const std::shared_ptr<Topic>& topic,
            const control::Open& request, const Done& done);

  /// Closed, or its process is dead: claims are settled, positions saved, then everything it had is
  /// free. `done(repaired)` says how many claims were finished for it.
  void release(const std::shared_ptr<Session>& session, std::uint64_t handle,
               std::function<void(std::uint32_t repaired)> done);

  /// The flusher has let go of a deleted topic: frees what the session had of it.
  void forget(Session& session, const Topic& topic);

  /// Start: a handle that the board says a session has. False when its memory is gone.
  bool adopt(Session& session, const std::shared_ptr<Topic>& topic, std::size_t attachment);

  /// Gives up session memory in which no handle has a slot. What is opened next gets new memory.
  void drop_free_chunks(Session& session);

  /// Leaves with the keeper what tells of the session's process: its pidfd, its doorbell.
  void keep_proof(const Session& session) const;

  /// Adds what its consumers have sampled since the last time to their topics.
  static void take_latencies(Session& session);

  /// Copies the positions of all named cursors of the topic that have moved. When it throws, they
  /// are not lost: the next call tries again.
  void save_cursors(Topic& topic);

 private:
  struct Run {
    std::uint32_t chunk;
    std::uint32_t first;
    bool is_new;
  };
  static std::vector<shm::Descriptor> descriptors_of(const Topic& topic, layout::Role role);
  Run take_slots(Session& session, std::uint32_t count);
  void give_back(Session& session, const Run& run, std::uint32_t count);
  void make_chunk(Session& session, std::uint32_t slots);
  std::function<void()> answering(OpenedHandle opened, Done done) const;
  static void take_latency(const Session& session, Handle& handle);
  static void note_producer(const Session& session, std::uint64_t id, const Handle& handle);
  void finish_release(Session& session, std::uint64_t handle);
  void free_slots(Session& session, const Handle& handle);

  SupervisorParts parts_;
  IdentitySource handle_ids_;
  IdentitySource producer_ids_;
};

}  // namespace ringway::daemon
