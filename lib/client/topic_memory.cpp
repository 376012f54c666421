#include "client/topic_memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "ringway/error.hpp"
#include "shm/memory_file.hpp"

namespace ringway {
namespace {

/// So much of its rings a producer meets without a fault in each page: 4,096 of them take half a
/// millisecond here, and 1.5 us each where they come one by one.
constexpr std::uint64_t kPopulatedMax = 16 << 20;

constexpr const char* kOneInstallation = "let library and supervisor be of one installation";

void check_layout(const layout::BoardHeader& board, std::uint64_t bytes) {
  const std::uint64_t magic = board.magic.load(std::memory_order::acquire);
  if (magic != layout::kBoardMagic) {
    throw Error(ErrorCode::incompatible, "board", "it does not carry a Ringway board's magic",
                kOneInstallation);
  }
  if (!layout::can_use(board.major, board.incompatible_flags) ||
      board.header_bytes != sizeof(layout::BoardHeader)) {
    throw Error(ErrorCode::incompatible, "board",
                fmt::format("its layout is version {}.{} (flags {:#x}), this library's is {}.{}",
                            board.major, board.minor.load(std::memory_order::relaxed),
                            board.incompatible_flags, layout::kLayoutVersion.major,
                            layout::kLayoutVersion.minor),
                kOneInstallation);
  }
  if (board.partitions == 0 || board.partitions > layout::kPartitionsMax ||
      !std::has_single_bit(board.ring_bytes) || board.ring_bytes < layout::kRingBytesMin ||
      board.ring_bytes > layout::kRingBytesMax ||
      bytes != layout::board_file_bytes(board.partitions, board.attachments)) {
    throw Error(ErrorCode::incompatible, "board", "its sizes contradict each other",
                kOneInstallation);
  }
}

}  // namespace

TopicMemory::TopicMemory(const Identity& identity, shm::Descriptor board, shm::Descriptor ring,
                         shm::Descriptor bell)
    : identity_(identity),
      board_file_(std::move(board)),
      ring_file_(std::move(ring)),
      bell_file_(std::move(bell)) {
  const std::uint64_t board_bytes = shm::verified_memory_bytes(board_file_.get(), "board");
  if (board_bytes < sizeof(layout::BoardHeader)) {
    throw Error(ErrorCode::incompatible, "board", "it is too short", kOneInstallation);
  }
  board_region_ = shm::Region(board_file_.get(), shm::Access::read_only, 0, board_bytes);
  board_ = &board_region_.at<const layout::BoardHeader>(0);
  check_layout(*board_, board_bytes);
  if (std::memcmp(board_->topic_uuid, identity.topic.data(), identity.topic.size()) != 0 ||
      board_->generation != identity.generation) {
    throw Error(ErrorCode::incompatible, "board", "it belongs to another topic or ring", "");
  }
  // The supervisor writes the board; what was checked is kept, so that nothing else matters later.
  partitions_ = board_->partitions;
  ring_bytes_ = board_->ring_bytes;
  mode_ = board_->mode;
  board_partitions_ =
      board_region_.array<const layout::BoardPartition>(layout::kPageBytes, partitions_).data();
  attachments_ = board_region_.array<const layout::Attachment>(
      layout::board_attachments_offset(partitions_), board_->attachments);

  const std::uint64_t bell_bytes = layout::bell_file_bytes(partitions_);
  shm::verify_memory_file(bell_file_.get(), "bell", bell_bytes);
  bell_region_ = shm::Region(bell_file_.get(), shm::Access::read_write, 0, bell_bytes);
  bell_ = &bell_region_.at<layout::BellHeader>(0);
  bell_partitions_ =
      bell_region_.array<layout::BellPartition>(layout::kPageBytes, partitions_).data();

  shm::verify_memory_file(ring_file_.get(), "ring",
                          layout::ring_file_bytes(partitions_, ring_bytes_));
  const bool writable = identity.role == layout::Role::producer;
  ring_region_ =
      shm::Region(ring_file_.get(), writable ? shm::Access::read_write : shm::Access::read_only, 0,
                  layout::ring_data_offset(partitions_, ring_bytes_, 0));
  // The ring algorithms take one kind of view for both roles; a consumer only loads through it.
  bell_seq_ = const_cast<std::atomic<std::uint32_t>*>(
      &ring_region_.at<const layout::RingHeader>(0).bell_seq);
  // A producer that finds no tail must not claim where others have.
  tails_landing_ = shm::LandingArea(ring_region_.array<const std::byte>(0, ring_region_.bytes()),
                                    writable ? shm::Landing::ones : shm::Landing::zeros_read_only);
  bell_landing_ = shm::LandingArea(bell_region_.array<const std::byte>(0, bell_bytes));
  data_.resize(partitions_);
}

const std::atomic<std::uint64_t>& TopicMemory::tail(std::uint32_t partition) const noexcept {
  return ring_region_
      .at<const layout::PartitionTail>(layout::kPageBytes +
                                       partition * sizeof(layout::PartitionTail))
      .tail;
}

ring::PartitionView TopicMemory::view(std::uint32_t partition) {
  const bool writable = identity_.role == layout::Role::producer;
  const std::lock_guard lock(mutex_);
  auto& [area, landing] = data_[partition];
  if (area.data() == nullptr) {
    shm::DataArea mapped(
        ring_file_.get(), writable ? shm::Access::read_write : shm::Access::read_only,
        layout::ring_data_offset(partitions_, ring_bytes_, partition), ring_bytes_);
    landing = shm::LandingArea({mapped.data(), mapped.mapped_bytes()},
                               writable ? shm::Landing::zeros : shm::Landing::zeros_read_only);
    area = std::move(mapped);
    if (writable && populated_bytes_ + ring_bytes_ <= kPopulatedMax) {
      populated_bytes_ += ring_bytes_;
      area.populate();
    }
  }
  const auto& tail = ring_region_.at<const layout::PartitionTail>(
      layout::kPageBytes + partition * sizeof(layout::PartitionTail));
  // As above: nobody but the supervisor writes the board, and no consumer the tail.
  return {const_cast<layout::BoardPartition&>(board_partitions_[partition]),
          const_cast<layout::PartitionTail&>(tail), area.data(), ring_bytes_,
          area.wrap() == shm::Wrap::mirrored ? ring::Mapping::mirrored : ring::Mapping::single};
}

bool TopicMemory::lost_ring_page(std::uint32_t partition) {
  const std::lock_guard lock(mutex_);
  return tails_landing_.hit() || data_[partition].landing.hit();
}

bool TopicMemory::lost_page() {
  const std::lock_guard lock(mutex_);
  return tails_landing_.hit() || bell_landing_.hit() ||
         std::ranges::any_of(data_, [](const Data& data) { return data.landing.hit(); });
}

std::shared_ptr<TopicMemory> TopicMemory::mapped_anew() const {
  return std::make_shared<TopicMemory>(identity_, shm::duplicate(board_file_.get()),
                                       shm::duplicate(ring_file_.get()),
                                       shm::duplicate(bell_file_.get()));
}

}  // namespace ringway
