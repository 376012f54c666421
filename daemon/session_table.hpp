#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "daemon/handles.hpp"
#include "daemon/session.hpp"

namespace ringway::daemon {

/// Everybody who is on the bus. Watches each process's pidfd: its being readable is the only proof
/// of death there is, and then everything the process held is settled and freed at once. A process
/// that is merely disconnected keeps what it has: it may go on writing where it has mapped, and
/// come back. Control thread only.
class SessionTable {
 public:
  SessionTable(boost::asio::io_context& io, const SupervisorParts& parts, Handles& handles,
               Doorbells& doorbells)
      : io_(io),
        parts_(parts),
        handles_(handles),
        doorbells_(doorbells),
        ids_(parts.catalog, Identity::session) {}

  /// A new session for a process that was identified.
  std::shared_ptr<Session> begin(const control::Credentials& credentials, shm::Descriptor pidfd,
                                 const control::Hello& hello);
  /// The session that `hello` asks for, if it belongs to the same living process; its old
  /// connection is closed.
  std::shared_ptr<Session> resume(const control::Credentials& credentials,
                                  const control::Hello& hello);
  /// A resumed session never heard of its handles behind this one, nor of memory that only they
  /// lie in: all that goes before it goes on. `done` then.
  void take_back_behind(const std::shared_ptr<Session>& session, std::uint64_t last_handle,
                        std::function<void()> done);
  /// Its socket is closed: proves nothing. Without handles the session ends.
  void disconnected(const std::shared_ptr<Session>& session);

  /// The client is done with a handle.
  void close(const std::shared_ptr<Session>& session, std::uint64_t handle,
             std::function<void()> done);
  /// The flusher has let go of a topic that is being deleted.
  void forget(const Topic& topic);

  /// Whether the session's process is dead; its release has begun then.
  bool is_dead(std::uint64_t session);
  /// The session that holds a named cursor although its process is dead, if so; its release has
  /// begun then.
  std::shared_ptr<Session> dead_holder(const Topic& topic, const std::string& cursor);

  /// Start: sessions as the boards of adopted topics and the keeper tell of them.
  void adopt(const TopicRegistry& registry, std::map<std::string, KeptDescriptor>& kept);
  /// Start, when the flusher serves: whoever died meanwhile, or was being closed, is released.
  void watch_adopted();

  /// Which processes still hold records in place in rings before a topic's present one, by ring.
  std::map<std::uint64_t, std::set<std::uint32_t>> holders_of_retired(const Topic& topic) const;
  /// An open handle's entry on its topic's present board; nullptr where there is no such handle.
  layout::Attachment* entry_of(std::uint64_t handle) const;
  /// Where an open handle holds records in place now; kNoPin: nowhere, or there is no such handle.
  std::uint64_t pin_of(std::uint64_t handle, std::uint32_t partition) const;
  /// Ends the process that holds a handle, by its pidfd. False: there is none, it is the one that
  /// the supervisor is part of, or it may not be done.
  bool kill_holder(std::uint64_t handle) const;

  const std::map<std::uint64_t, std::shared_ptr<Session>>& all() const noexcept {
    return sessions_;
  }

 private:
  void watch(const std::shared_ptr<Session>& session);
  void died(const std::shared_ptr<Session>& session);
  void end(const std::shared_ptr<Session>& session);
  void end_if_over(const std::shared_ptr<Session>& session);
  void close_released(const std::shared_ptr<Session>& session);
  void reserve_adopted(const TopicRegistry& registry,
                       const std::map<std::string, KeptDescriptor>& kept) const;
  std::shared_ptr<Session> adopt_session(const layout::Attachment& entry,
                                         std::map<std::string, KeptDescriptor>& kept);

  boost::asio::io_context& io_;
  SupervisorParts parts_;
  Handles& handles_;
  Doorbells& doorbells_;
  IdentitySource ids_;
  std::map<std::uint64_t, std::shared_ptr<Session>> sessions_;
};

}  // namespace ringway::daemon
