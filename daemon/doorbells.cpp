#include "daemon/doorbells.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "ringway/error.hpp"

namespace ringway::daemon {

Doorbells::Doorbells() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) throw system_error(errno, "doorbells", "epoll_create1 failed");
}

shm::Descriptor Doorbells::make() {
  shm::Descriptor doorbell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!doorbell) throw system_error(errno, "doorbell", "eventfd failed");
  watch(doorbell.get());
  return doorbell;
}

void Doorbells::watch(int doorbell) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, doorbell, &event) != 0) {
    throw system_error(errno, "doorbell", "cannot be watched");
  }
}

void Doorbells::forget(int doorbell) noexcept {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, doorbell, nullptr);
}

void Doorbells::answer() noexcept {
  std::array<epoll_event, 64> rung;
  while (::epoll_wait(epoll_.get(), rung.data(), rung.size(), 0) == rung.size()) {
  }
}

void ring_doorbell(int doorbell) noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(doorbell, &one, sizeof one);
}

}  // namespace ringway::daemon
