#include "daemon/systemd.hpp"

#if defined(RINGWAY_HAS_SYSTEMD)
#include <fmt/format.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <cerrno>
#include <cstdlib>

#include "ringway/error.hpp"

namespace ringway::daemon {

namespace {

// Longer than a reload of all units takes.
constexpr std::uint64_t kBarrierPatienceUs = 10'000'000;

void sent(int result) {
  if (result > 0) return;
  const int error = result < 0 ? -result : ENOTCONN;
  const std::string limit = fix_of(error);
  if (!limit.empty()) throw system_error(error, "service manager", "cannot be told", limit);
  throw system_error(error, "service manager", "does not answer",
                     "look at systemctl status, or use descriptor_store \"keeper\"");
}

}  // namespace

void notify(const std::string& state) {
  // Not told is not heard: nothing here depends on it.
  static_cast<void>(::sd_notify(0, state.c_str()));
}

std::chrono::microseconds watchdog_patience() {
  std::uint64_t us = 0;
  if (::sd_watchdog_enabled(0, &us) > 0) return std::chrono::microseconds(us);
  return {};
}

bool is_service() {
  return std::getenv("NOTIFY_SOCKET") != nullptr;
}

void store_descriptor(const std::string& name, int fd) {
  // Without FDPOLL=0 it would let go of a pidfd whose process has died, which is its proof.
  const std::string state = fmt::format("FDSTORE=1\nFDNAME={}\nFDPOLL=0", name);
  sent(::sd_pid_notify_with_fds(0, 0, state.c_str(), &fd, 1));
}

void unstore_descriptor(const std::string& name) {
  sent(::sd_notify(0, fmt::format("FDSTOREREMOVE=1\nFDNAME={}", name).c_str()));
}

void await_service_manager() {
  sent(::sd_notify_barrier(0, kBarrierPatienceUs));
}

Inherited take_inherited() {
  Inherited all;
  char** names = nullptr;
  const int count = ::sd_listen_fds_with_names(1, &names);
  if (count < 0) throw system_error(-count, "LISTEN_FDS", "cannot be read");
  for (int i = 0; i < count; ++i) {
    shm::Descriptor descriptor(SD_LISTEN_FDS_START + i);
    const std::string name = names[i];
    std::free(names[i]);
    if (::sd_is_socket(descriptor.get(), AF_UNSPEC, 0, 1) <= 0) {
      all.kept.push_back({name, {}, std::move(descriptor)});
    } else if (all.listener || ::sd_is_socket(descriptor.get(), AF_UNIX, SOCK_SEQPACKET, 1) <= 0) {
      throw Error(ErrorCode::usage, fmt::format("socket unit '{}'", name),
                  "gives a socket that is not the one of a bus",
                  "give it one ListenSequentialPacket= with a path, and nothing else");
    } else {
      all.listener = std::move(descriptor);
    }
  }
  std::free(names);
  return all;
}

}  // namespace ringway::daemon

#else

namespace ringway::daemon {

void notify(const std::string& /*state*/) {}
std::chrono::microseconds watchdog_patience() { return {}; }
bool is_service() { return false; }
void store_descriptor(const std::string& /*name*/, int /*fd*/) {}
void unstore_descriptor(const std::string& /*name*/) {}
void await_service_manager() {}
Inherited take_inherited() { return {}; }

}  // namespace ringway::daemon

#endif
