#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <utility>

#include "shm/process.hpp"

namespace ringway::daemon {

/// Calls `dead` when the process is dead whose pidfd (or a connection that ends with it) `watch`
/// is; never when that is closed. `watch` outlives the wait, or is closed.
///
/// That a wait ends is no proof: Asio hands out what the kernel said together, one after the other,
/// and by then a descriptor may have been closed whose place another one has, or the reason be
/// gone.
inline void await_death(boost::asio::posix::stream_descriptor& watch, std::function<void()> dead) {
  using Watch = boost::asio::posix::stream_descriptor;
  watch.async_wait(Watch::wait_read,
                   [&watch, dead = std::move(dead)](boost::system::error_code ended) mutable {
                     if (ended) return;
                     if (!shm::is_dead(watch.native_handle())) {
                       return await_death(watch, std::move(dead));
                     }
                     dead();
                   });
}

}  // namespace ringway::daemon
