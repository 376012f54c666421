#include "tools/inspected_topic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "ringway/error.hpp"
#include "shm/memory_file.hpp"
#include "tools/topic_error.hpp"

namespace ringway::cli {
namespace {

constexpr const char* kOneInstallation = "use the ringway of the same installation";

std::string text_of(const char* bytes, std::size_t size) {
  return {bytes, strnlen(bytes, size)};
}

shm::LandingArea watched(std::span<const std::byte> range) {
  return shm::LandingArea(range, shm::Landing::zeros_read_only);
}

}  // namespace

std::vector<Handle> handles_in(std::span<const layout::Attachment> entries) {
  std::vector<Handle> handles;
  for (const layout::Attachment& shared : entries) {
    if (shared.state.load(std::memory_order::acquire) == 0) continue;
    const std::uint32_t flags = shared.flags.load(std::memory_order::relaxed);  // state orders it
    handles.push_back({.role = shared.role,
                       .producer = shared.producer,
                       .process = shared.process,
                       .user = text_of(shared.user, sizeof shared.user),
                       .cursor = text_of(shared.cursor_name, sizeof shared.cursor_name),
                       .exclusive = (flags & layout::kExclusive) != 0,
                       .copies = (flags & layout::kCopies) != 0,
                       .session = shared.session,
                       .chunk = shared.chunk,
                       .first_slot = shared.first_slot});
    // Given away while it was copied: whose it is now is shown the next time.
    std::atomic_thread_fence(std::memory_order::acquire);
    if (shared.state.load(std::memory_order::relaxed) == 0 ||
        shared.session != handles.back().session) {
      handles.pop_back();
    }
  }
  return handles;
}

InspectedTopic::InspectedTopic(FoundMemory found) : found_(std::move(found)) {
  const std::uint64_t board_bytes = shm::verified_memory_bytes(found_.board.get(), "board");
  board_ = shm::Region(found_.board.get(), shm::Access::read_only, 0, board_bytes);
  header_ = &board_.at<const layout::BoardHeader>(0);
  const std::uint64_t magic = header_->magic.load(std::memory_order::acquire);
  if (magic == 0) {
    // The name is written before anybody is given the board.
    throw Error(ErrorCode::failed, topic_thing(name()),
                fmt::format("its ring (generation {}) is not finished: the supervisor is at it, or "
                            "does not serve the topic",
                            generation()),
                "see why it is not served: ringway status");
  }
  if (magic != layout::kBoardMagic) {
    throw Error(ErrorCode::incompatible, "board", "it does not carry a Ringway board's magic",
                kOneInstallation);
  }
  if (!layout::can_use(header_->major, header_->incompatible_flags) ||
      header_->header_bytes != sizeof(layout::BoardHeader)) {
    throw Error(ErrorCode::incompatible, "board",
                fmt::format("its layout is version {}.{} (flags {:#x}), this program's is {}.{}",
                            header_->major, header_->minor.load(std::memory_order::relaxed),
                            header_->incompatible_flags, layout::kLayoutVersion.major,
                            layout::kLayoutVersion.minor),
                kOneInstallation);
  }
  partitions_ = header_->partitions;
  ring_bytes_ = header_->ring_bytes;
  attachments_ = header_->attachments;
  if (partitions_ == 0 || partitions_ > layout::kPartitionsMax ||
      !std::has_single_bit(ring_bytes_) || ring_bytes_ < layout::kRingBytesMin ||
      ring_bytes_ > layout::kRingBytesMax ||
      board_bytes != layout::board_file_bytes(partitions_, attachments_)) {
    throw Error(ErrorCode::incompatible, "board", "its sizes contradict each other",
                kOneInstallation);
  }
  shm::verify_memory_file(found_.ring.get(), "ring",
                          layout::ring_file_bytes(partitions_, ring_bytes_));
  tails_ = shm::Region(found_.ring.get(), shm::Access::read_only, 0,
                       layout::ring_data_offset(partitions_, ring_bytes_, 0));
  tails_landing_ = watched(tails_.array<const std::byte>(0, tails_.bytes()));
  for (const auto& [chunk, file] : found_.sessions) {
    const std::uint64_t bytes = shm::verified_memory_bytes(file.get(), "session");
    const auto& session =
        sessions_.emplace(chunk, shm::Region(file.get(), shm::Access::read_only, 0, bytes))
            .first->second;
    sessions_landings_.push_back(watched(session.array<const std::byte>(0, bytes)));
  }
  const auto lives = [](const Handle& handle) { return is_here(handle.process); };
  if (is_here(supervisor()) || std::ranges::any_of(handles(), lives)) {
    found_.recorded = Recorded::here;
  }
}

std::string InspectedTopic::name() const {
  return text_of(header_->name, sizeof header_->name);
}

std::string_view InspectedTopic::state_of(const layout::ProcessId& process) const {
  return process_state(process, found_.recorded);
}

std::string InspectedTopic::layout() const {
  return fmt::format("{}.{}", header_->major, header_->minor.load(std::memory_order::relaxed));
}

layout::TopicState InspectedTopic::state() const noexcept {
  return static_cast<layout::TopicState>(header_->state.load(std::memory_order::acquire));
}

std::vector<Handle> InspectedTopic::handles() const {
  return handles_in(board_.array<const layout::Attachment>(
      layout::board_attachments_offset(partitions_), attachments_));
}

const layout::Slot* InspectedTopic::slot(const Handle& handle, std::uint32_t partition) const {
  const auto session = sessions_.find({handle.session, handle.chunk});
  if (session == sessions_.end()) return nullptr;
  const std::uint64_t at =
      layout::kPageBytes + (std::uint64_t{handle.first_slot} + partition) * sizeof(layout::Slot);
  if (at + sizeof(layout::Slot) > session->second.bytes()) return nullptr;
  return &session->second.at<const layout::Slot>(at);
}

const layout::BoardPartition& InspectedTopic::board(std::uint32_t partition) const {
  return board_.at<const layout::BoardPartition>(layout::kPageBytes +
                                                 partition * sizeof(layout::BoardPartition));
}

ring::PartitionView InspectedTopic::view(std::uint32_t partition) {
  data_landing_ = shm::LandingArea();
  data_ = shm::DataArea();
  data_ = shm::DataArea(found_.ring.get(), shm::Access::read_only,
                        layout::ring_data_offset(partitions_, ring_bytes_, partition), ring_bytes_);
  data_landing_ = watched({data_.data(), data_.mapped_bytes()});
  const auto& tail = tails_.at<const layout::PartitionTail>(
      layout::kPageBytes + partition * sizeof(layout::PartitionTail));
  // One kind of view serves writers and readers; a mapping that is read-only takes no store.
  return {const_cast<layout::BoardPartition&>(board(partition)),
          const_cast<layout::PartitionTail&>(tail), data_.data(), ring_bytes_,
          data_.wrap() == shm::Wrap::mirrored ? ring::Mapping::mirrored : ring::Mapping::single};
}

}  // namespace ringway::cli
