#include "daemon/session.hpp"

#include <fmt/format.h>

#include "daemon/named_cursors.hpp"

namespace ringway::daemon {

Chunk::Chunk(shm::Descriptor fd_, std::uint32_t slots)
    : fd(std::move(fd_)),
      mapping(std::make_shared<shm::Region>(fd.get(), shm::Access::read_only, 0,
                                            layout::session_file_bytes(slots))),
      runs(slots) {}

const layout::Slot* Chunk::slot(std::uint32_t index) const {
  return &mapping->at<const layout::Slot>(sizeof(layout::SessionHeader) +
                                          index * sizeof(layout::Slot));
}

void Chunk::clear(std::uint32_t first, std::uint32_t count) const {
  const shm::Region writable(fd.get(), shm::Access::read_write, 0, mapping->bytes());
  const std::uint64_t offset = sizeof(layout::SessionHeader) + first * sizeof(layout::Slot);
  for (layout::Slot& slot : writable.array<layout::Slot>(offset, count)) {
    // Relaxed: the client learns of them by a message.
    slot.word.store(0, std::memory_order::relaxed);
    slot.length.store(0, std::memory_order::relaxed);
    slot.pin.store(layout::kNoPin, std::memory_order::relaxed);
    slot.offset.store(kNoOffset, std::memory_order::relaxed);
    slot.committed.store(kNoOffset, std::memory_order::relaxed);
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
