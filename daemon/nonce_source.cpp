#include "daemon/nonce_source.hpp"

#include <sys/random.h>

#include <utility>

namespace ringway::daemon {

std::uint64_t NonceSource::operator()() noexcept {
  while (left_ == 0) {
    // Up to 256 bytes come whole or not at all (getrandom(2)); a signal may interrupt the wait.
    if (::getrandom(drawn_, sizeof drawn_, 0) == sizeof drawn_) left_ = kAhead;
  }
  return std::exchange(drawn_[--left_], 0);
}

}  // namespace ringway::daemon
