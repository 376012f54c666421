#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>

#include "daemon/session_table.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon {

/// Whether a producer may be opened beside those there are. One that wants the topic for itself
/// must be alone. Where one has it, the next one comes in as soon as that one shares
/// (ring/sharing.hpp), is closed, or is dead and repaired. Control thread only.
class ProducerAdmission {
 public:
  ProducerAdmission(boost::asio::io_context& io, const SupervisorParts& parts,
                    SessionTable& sessions)
      : io_(io), parts_(parts), sessions_(sessions) {}

  struct Later {
    std::function<void()> again;                ///< something changed: ask once more
    std::function<void(const Error&)> refused;  ///< busy: nothing did for a while
  };
  /// True: open it now. False: one of `later` is called.
  /// @throws Error busy, naming who is in the way and stays there.
  bool admits(const std::shared_ptr<Topic>& topic, bool exclusive, Later later);

 private:
  void ask_to_share(const std::shared_ptr<Topic>& topic, std::uint64_t owner);

  boost::asio::io_context& io_;
  SupervisorParts parts_;
  SessionTable& sessions_;
};

}  // namespace ringway::daemon
