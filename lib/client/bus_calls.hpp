#pragma once

// The templates of BusState.

#include <thread>

#include "client/bus_state.hpp"
#include "ringway/error.hpp"

namespace ringway {

template <class Work>
auto BusState::with_connection(Patience patience, bool repeatable, Work&& work) {
  refuse_in_child();
  const auto deadline = Clock::now() + timeout_;
  std::unique_lock lock(mutex_, deadline);
  if (!lock) {
    throw Error(ErrorCode::timeout, socket_, "another thread's call is not answered",
                "see that ringwayd is not stopped");
  }
  struct AtTheEnd {
    ~AtTheEnd() { bus.tell_unwanted(); }  // who closed a handle meanwhile may not have waited
    BusState& bus;
  };
  const AtTheEnd at_the_end{*this};
  for (;;) {
    bool sent = false;
    try {
      if (!connection_ || connection_->hung_up()) connect_locked(timeout_, Silence::told);
      sent = true;
      return work();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::unavailable) throw;
      attached_.store(false, std::memory_order::relaxed);
      if (patience == Patience::none || (sent && !repeatable) || Clock::now() >= deadline) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

template <class R>
typename R::Reply BusState::call(const R& request, std::vector<shm::Descriptor>& attached) {
  constexpr bool kRepeatable = request_kind<R>() == RequestKind::repeatable;
  return with_connection(Patience::until_timeout, kRepeatable,
                         [&] { return connection_->call(request, attached); });
}

template <class R>
typename R::Reply BusState::call_at_once(const R& request, std::vector<shm::Descriptor>& attached) {
  return with_connection(Patience::none, true,
                         [&] { return connection_->call(request, attached); });
}

}  // namespace ringway
