#include "daemon/watchdog.hpp"

#include "daemon/notify.hpp"

namespace ringway::daemon {

Watchdog::Watchdog(boost::asio::io_context& io) : timer_(io), pause_(watchdog_patience() / 2) {
  if (pause_.count() > 0) feed();
}

void Watchdog::feed() {
  notify("WATCHDOG=1");
  timer_.expires_after(pause_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) feed();
  });
}

}  // namespace ringway::daemon
