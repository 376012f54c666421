#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "daemon/event_log.hpp"

namespace ringway::daemon {

/// A thread that can be asked whether it still goes round.
struct WatchedThread {
  std::string_view name;
  /// Hands over and returns at once; the thread calls `answer` when it has come to it.
  std::function<void(std::function<void()> answer)> ask;
};

/// Tells the service manager, where it watches this process (WatchdogSec=), that the control thread
/// and all others go round: asks them four times in the time that it allows, and tells it when all
/// have answered. One that does not is named in the log, and the service manager ends the process.
/// Control thread only. The io_context and the threads outlive it.
class Watchdog {
 public:
  Watchdog(boost::asio::io_context& io, const EventLog& log, std::vector<WatchedThread> threads);

 private:
  /// Shared with answers that come late.
  struct Round {
    std::vector<bool> answered;
    bool named = false;  ///< who has not answered
  };

  void ask();
  void look_later();
  void look();

  boost::asio::io_context& io_;
  const EventLog& log_;
  std::vector<WatchedThread> threads_;
  boost::asio::steady_timer timer_;
  std::chrono::microseconds pause_;  ///< 0: nobody watches
  std::shared_ptr<Round> round_;
};

}  // namespace ringway::daemon
