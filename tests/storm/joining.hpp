#pragma once

// How a role gets onto a bus whose supervisor may be dead, stopped or starting right now.

#include <chrono>
#include <ringway/ringway.hpp>
#include <string>
#include <thread>

#include "storm/role.hpp"

namespace ringway::storm {

/// The first success of `work`, which throws Error while the bus is away or the cursor still counts
/// as held by a predecessor that died.
template <class Work>
auto once_possible(Work&& work) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (;;) {
    try {
      return work();
    } catch (const Error& error) {
      const bool passing = error.code() == ErrorCode::unavailable ||
                           error.code() == ErrorCode::timeout || error.code() == ErrorCode::busy;
      if (!passing || std::chrono::steady_clock::now() > deadline) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
}

inline Bus join(const std::string& socket) {
  return once_possible([&] { return Bus::connect(ConnectOptions{.socket = socket, .log = say}); });
}

}  // namespace ringway::storm
