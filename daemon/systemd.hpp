#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "control/keeper_connection.hpp"
#include "shm/descriptor.hpp"

namespace ringway::daemon {

// What this process and the service manager that started it (systemd, where there is one) say to
// each other. Built without libsystemd, nobody listens and nothing was given.

/// "READY=1", "STOPPING=1", "STATUS=...", "WATCHDOG=1" (sd_notify(3)).
void notify(const std::string& state);

/// Within which time it wants to hear "WATCHDOG=1" from this process, each time anew
/// (sd_watchdog_enabled(3)); 0 where it does not.
std::chrono::microseconds watchdog_patience();

/// Whether it listens.
bool is_service();

// Its descriptor store (FDSTORE=1 of sd_notify(3)). What is sent is not there before
// await_service_manager(), and then only as far as FileDescriptorStoreMax= allows.
/// @throws Error failed.
void store_descriptor(const std::string& name, int fd);
void unstore_descriptor(const std::string& name);
/// Everything that was sent has been received. @throws Error failed when it does not answer.
void await_service_manager();

/// What a start was given (sd_listen_fds(3)).
struct Inherited {
  std::optional<shm::Descriptor> listener{};     ///< of a socket unit
  std::vector<control::KeptDescriptor> kept{};  ///< in the descriptor store, by a predecessor
};

/// Takes it, once, before there are other threads.
/// @throws Error usage when there are sockets that clients of a bus cannot connect to.
Inherited take_inherited();

}  // namespace ringway::daemon
