#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

namespace ringway::daemon {

/// Tells the service manager, where it watches this process (WatchdogSec=), that the control thread
/// goes round: at half of the time that it allows. Owned by main; the io_context outlives it.
class Watchdog {
 public:
  explicit Watchdog(boost::asio::io_context& io);

 private:
  void feed();

  boost::asio::steady_timer timer_;
  std::chrono::microseconds pause_;  ///< 0: nobody watches
};

}  // namespace ringway::daemon
