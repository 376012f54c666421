#include "daemon/topic_memory.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "daemon/layout_minor.hpp"
#include "ringway/error.hpp"
#include "shm/memory_file.hpp"
#include "shm/memory_name.hpp"

namespace ringway::daemon {
namespace {

std::string name_of(const TopicIdentity& identity, shm::MemoryKind kind) {
  return shm::to_string(shm::MemoryName::of_topic(kind, identity.uuid, identity.generation));
}

std::uint64_t file_bytes(int fd, shm::MemoryKind kind) {
  return shm::verified_memory_bytes(fd, std::string(shm::to_string(kind)));
}

void fill(layout::BoardHeader& board, const TopicIdentity& identity, const TopicSettings& settings,
          std::uint32_t attachments) {
  board.major = layout::kLayoutVersion.major;
  board.minor.store(kServedMinor, std::memory_order::relaxed);  // the magic carries it
  board.header_bytes = sizeof board;
  board.compatible_flags = 0;
  board.incompatible_flags =
      settings.when_disk_fails == WhenDiskFails::memory ? layout::kLeavesGaps : 0;
  std::ranges::copy(identity.uuid, board.topic_uuid);
  board.generation = identity.generation;
  board.ring_bytes = settings.ring_bytes;
  board.partitions = settings.partitions;
  board.attachments = attachments;
  board.mode = mode_of(settings);
  board.name_bytes = static_cast<std::uint32_t>(identity.name.size());
  std::memcpy(board.name, identity.name.data(), identity.name.size());
}

void check(bool fits, const TopicIdentity& identity, const std::string& rule,
           ErrorCode code = ErrorCode::failed) {
  if (fits) return;
  throw Error(code, fmt::format("kept memory of topic '{}'", identity.name), rule,
              code == ErrorCode::incompatible ? "start the ringwayd that made it and stop it in an "
                                                "orderly way first"
                                              : "");
}

}  // namespace

layout::TopicMode mode_of(const TopicSettings& settings) noexcept {
  if (settings.persist) return layout::TopicMode::persisted;
  return settings.when_full == WhenFull::block ? layout::TopicMode::memory_block
                                               : layout::TopicMode::memory_overwrite;
}

std::uint64_t TopicMemory::bytes(const TopicSettings& settings,
                                 std::uint32_t attachments) noexcept {
  return layout::ring_file_bytes(settings.partitions, settings.ring_bytes) +
         layout::board_file_bytes(settings.partitions, attachments) +
         layout::bell_file_bytes(settings.partitions);
}

TopicMemoryInMaking::TopicMemoryInMaking(const TopicIdentity& identity,
                                         const TopicSettings& settings, std::uint32_t attachments,
                                         std::uint64_t promised_bytes)
    : ring_(name_of(identity, shm::MemoryKind::ring),
            layout::ring_file_bytes(settings.partitions, settings.ring_bytes), promised_bytes),
      board_(name_of(identity, shm::MemoryKind::board),
             layout::board_file_bytes(settings.partitions, attachments),
             promised_bytes + ring_.missing_bytes()),
      bell_(name_of(identity, shm::MemoryKind::bell), layout::bell_file_bytes(settings.partitions),
            promised_bytes + ring_.missing_bytes() + board_.missing_bytes()) {}

void TopicMemoryInMaking::step() {
  for (shm::MemoryFileInMaking* const file : {&ring_, &board_, &bell_}) {
    if (file->missing_bytes() > 0) return file->step();
  }
}

std::uint64_t TopicMemoryInMaking::missing_bytes() const noexcept {
  return ring_.missing_bytes() + board_.missing_bytes() + bell_.missing_bytes();
}

TopicMemory::TopicMemory(shm::Descriptor ring, shm::Descriptor board, shm::Descriptor bell)
    : ring_fd_(std::move(ring)),
      board_fd_(std::move(board)),
      bell_fd_(std::move(bell)),
      ring_(ring_fd_.get(), shm::Access::read_write, 0,
            file_bytes(ring_fd_.get(), shm::MemoryKind::ring)),
      board_(board_fd_.get(), shm::Access::read_write, 0,
             file_bytes(board_fd_.get(), shm::MemoryKind::board)),
      bell_(bell_fd_.get(), shm::Access::read_write, 0,
            file_bytes(bell_fd_.get(), shm::MemoryKind::bell)) {}

TopicMemory TopicMemory::create(const TopicIdentity& identity, const TopicSettings& settings,
                                std::uint32_t attachments) {
  TopicMemoryInMaking files(identity, settings, attachments, 0);
  while (files.missing_bytes() > 0) files.step();
  return create(identity, settings, attachments, std::move(files));
}

TopicMemory TopicMemory::create(const TopicIdentity& identity, const TopicSettings& settings,
                                std::uint32_t attachments, TopicMemoryInMaking files) {
  TopicMemory memory(files.ring_.take(), files.board_.take(), files.bell_.take());
  fill(memory.board(), identity, settings, attachments);
  memory.ring().magic = layout::kRingMagic;
  memory.ring().major = layout::kLayoutVersion.major;
  memory.ring().minor = kServedMinor;
  memory.watch_for_holes();
  return memory;
}

TopicMemory TopicMemory::adopt(const TopicIdentity& identity, const TopicSettings& settings,
                               shm::Descriptor ring, shm::Descriptor board, shm::Descriptor bell) {
  TopicMemory memory(std::move(ring), std::move(board), std::move(bell));
  // The board is the supervisor's own writing, but of another version, or cut short by a crash.
  check(memory.board_.bytes() >= sizeof(layout::BoardHeader), identity, "the board is too small");
  const layout::BoardHeader& header = memory.board();
  check(header.magic.load(std::memory_order::acquire) == layout::kBoardMagic, identity,
        "the board was never finished");
  check(layout::can_use(header.major, header.incompatible_flags) &&
            header.header_bytes == sizeof header,
        identity,
        fmt::format("has layout version {}.{} (flags {:#x}), this ringwayd knows {}.{}",
                    header.major, header.minor.load(std::memory_order::relaxed),
                    header.incompatible_flags, layout::kLayoutVersion.major, kServedMinor),
        ErrorCode::incompatible);
  check(std::ranges::equal(header.topic_uuid, identity.uuid) &&
            header.generation == identity.generation,
        identity, "belongs to another topic or ring generation");
  check(header.ring_bytes == settings.ring_bytes && header.partitions == settings.partitions &&
            header.mode == mode_of(settings),
        identity, "does not have the shape that the catalog says");
  check(memory.board_.bytes() == layout::board_file_bytes(header.partitions, header.attachments) &&
            memory.ring_.bytes() == layout::ring_file_bytes(header.partitions, header.ring_bytes) &&
            memory.bell_.bytes() == layout::bell_file_bytes(header.partitions),
        identity, "does not have the size that its board says");
  // Relaxed: whoever cares maps the board after it was told of this supervisor.
  memory.board().minor.store(kServedMinor, std::memory_order::relaxed);
  memory.watch_for_holes();
  return memory;
}

void TopicMemory::watch_for_holes() {
  const layout::BoardHeader& header = board();
  const std::uint64_t data = layout::ring_data_offset(header.partitions, header.ring_bytes, 0);
  tails_landing_ = shm::LandingArea(ring_.array<const std::byte>(0, data));
  bell_landing_ = shm::LandingArea(bell_.array<const std::byte>(0, bell_.bytes()));
  for (std::uint32_t p = 0; p < header.partitions; ++p) {
    data_landings_.emplace_back(ring_.array<const std::byte>(
        layout::ring_data_offset(header.partitions, header.ring_bytes, p), header.ring_bytes));
  }
}

void TopicMemory::publish() const noexcept {
  board().magic.store(layout::kBoardMagic, std::memory_order::release);
}

std::span<layout::Attachment> TopicMemory::attachments() const {
  return board_.array<layout::Attachment>(layout::board_attachments_offset(board().partitions),
                                          board().attachments);
}

layout::BellPartition& TopicMemory::bell(std::uint32_t partition) const {
  return bell_.at<layout::BellPartition>(sizeof(layout::BellHeader) +
                                         partition * sizeof(layout::BellPartition));
}

ring::PartitionView TopicMemory::view(std::uint32_t partition) const {
  const layout::BoardHeader& header = board();
  auto& board = board_.at<layout::BoardPartition>(sizeof(layout::BoardHeader) +
                                                  partition * sizeof(layout::BoardPartition));
  auto& tail = ring_.at<layout::PartitionTail>(sizeof(layout::RingHeader) +
                                               partition * sizeof(layout::PartitionTail));
  // Mapped once: the supervisor only ever looks at headers, which never straddle the end.
  const std::uint64_t data =
      layout::ring_data_offset(header.partitions, header.ring_bytes, partition);
  return {board, tail, ring_.array<std::byte>(data, header.ring_bytes).data(), header.ring_bytes,
          ring::Mapping::single};
}

}  // namespace ringway::daemon
