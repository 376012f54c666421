#include "daemon/session.hpp"

#include <fmt/format.h>

#include "daemon/named_cursors.hpp"
#include "shm/memory_file.hpp"

namespace ringway::daemon {

namespace {

std::shared_ptr<const Chunk::Mapping> map(int fd, std::uint64_t bytes) {
  Chunk::Mapping mapping{shm::Region(fd, shm::Access::read_only, 0, bytes), {}};
  mapping.landing = shm::LandingArea(mapping.region.array<const std::byte>(0, bytes));
  return std::make_shared<const Chunk::Mapping>(std::move(mapping));
}

}  // namespace

Chunk::Chunk(shm::Descriptor fd_, std::uint32_t slots)
    : fd(std::move(fd_)), mapping(map(fd.get(), layout::session_file_bytes(slots))), runs(slots) {}

std::uint32_t Chunk::slots_in(int fd, const std::string& name) {
  const std::uint64_t bytes = shm::verified_memory_bytes(fd, name);
  return static_cast<std::uint32_t>((bytes - sizeof(layout::SessionHeader)) / sizeof(layout::Slot));
}

const layout::Slot* Chunk::slot(std::uint32_t index) const {
  return &mapping->region.at<const layout::Slot>(sizeof(layout::SessionHeader) +
                                                 index * sizeof(layout::Slot));
}

void Chunk::clear(std::uint32_t first, std::uint32_t count, std::uint64_t pin,
                  layout::ClaimMode mode) const {
  const shm::Region writable(fd.get(), shm::Access::read_write, 0, mapping->region.bytes());
  const shm::LandingArea landing(writable.array<const std::byte>(0, writable.bytes()));
  const std::uint64_t offset = sizeof(layout::SessionHeader) + first * sizeof(layout::Slot);
  for (layout::Slot& slot : writable.array<layout::Slot>(offset, count)) {
    // Relaxed: the client learns of them by a message.
    slot.word.store(0, std::memory_order::relaxed);
    slot.length.store(0, std::memory_order::relaxed);
    slot.mode.store(static_cast<std::uint32_t>(mode), std::memory_order::relaxed);
    slot.pin.store(pin, std::memory_order::relaxed);
    slot.offset.store(layout::kNoOffset, std::memory_order::relaxed);
    slot.committed.store(layout::kNoOffset, std::memory_order::relaxed);
  }
}

std::string pidfd_name(std::uint64_t session) {
  return fmt::format("ringway.pidfd.{}", session);
}

std::string doorbell_name(std::uint64_t session) {
  return fmt::format("ringway.doorbell.{}", session);
}

std::uint32_t Session::slots_taken() const noexcept {
  std::uint32_t sum = 0;
  for (const auto& [id_, handle] : handles) sum += handle.topic->settings.partitions;
  return sum;
}

}  // namespace ringway::daemon
