#include "daemon/watchdog.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "daemon/systemd.hpp"

namespace ringway::daemon {

Watchdog::Watchdog(boost::asio::io_context& io, const EventLog& log,
                   std::vector<WatchedThread> threads)
    : io_(io),
      log_(log),
      threads_(std::move(threads)),
      timer_(io),
      pause_(watchdog_patience() / 4) {
  if (pause_.count() > 0) ask();
}

void Watchdog::ask() {
  round_ = std::make_shared<Round>();
  round_->answered.resize(threads_.size());
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    threads_[i].ask([&io = io_, weak = std::weak_ptr(round_), i] {
      boost::asio::post(io, [weak, i] {
        if (const auto round = weak.lock()) round->answered[i] = true;
      });
    });
  }
  look_later();
}

void Watchdog::look_later() {
  timer_.expires_after(pause_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) look();
  });
}

void Watchdog::look() {
  const auto silent = std::ranges::find(round_->answered, false);
  if (silent == round_->answered.end()) {
    notify("WATCHDOG=1");
    return ask();
  }
  if (!std::exchange(round_->named, true)) {
    log_.error("thread_stands_still",
               {{"thread", threads_[silent - round_->answered.begin()].name},
                {"effect", "the service manager ends this process unless it goes on soon"}});
  }
  look_later();
}

}  // namespace ringway::daemon
