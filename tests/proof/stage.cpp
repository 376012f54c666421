#include "proof/stage.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "daemon/ring_opening.hpp"
#include "shm/memory_file.hpp"

namespace ringway::proof {
namespace {

/// Shipped mappings are not inherited; puppets are forked.
void let_children_have(std::span<std::byte> memory) {
  if (::madvise(memory.data(), memory.size(), MADV_DOFORK) != 0) {
    throw std::system_error(errno, std::generic_category(), "madvise");
  }
}

std::span<std::byte> bytes_from(void* first, std::uint64_t bytes) {
  return {static_cast<std::byte*>(first), static_cast<std::size_t>(bytes)};
}

constexpr std::uint32_t kAttachments = 8;
constexpr std::uint64_t kSegmentBytes = 64 * 1024;
constexpr std::uint64_t kBasePosition = 40 * layout::kPageBytes;

}  // namespace

Stage::Stage(std::uint64_t base_offset, Log log) : base_offset_(base_offset) {
  TopicSettings settings;
  settings.ring_bytes = kRingBytes;
  settings.segment_bytes = kSegmentBytes;
  settings.persist = log == Log::kept;
  std::string directory;
  if (settings.persist) {
    directory_.emplace();
    directory = *directory_ / "log";
  }
  auto made = daemon::TopicMemory::create(identity_, settings, kAttachments);
  mirrored_ =
      shm::DataArea(made.ring_fd(), shm::Access::read_write,
                    layout::ring_data_offset(1, kRingBytes, 0), kRingBytes, shm::Wrap::mirrored);
  topic_ = std::make_shared<daemon::ServedTopic>(
      daemon::ServedTopic::Options{identity_, settings, 1, directory}, std::move(made));
  actors_file_ = shm::create_memory_file("actors", layout::round_up_to_page(sizeof(Actors)));
  actors_region_ = shm::Region(actors_file_.get(), shm::Access::read_write, 0,
                               layout::round_up_to_page(sizeof(Actors)));
  actors_ = &actors_region_.at<Actors>(0);
  for (auto part : memory()) let_children_have(part);
  let_children_have(bytes_from(mirrored_.data(), kRingBytes));
  let_children_have(bytes_from(mirrored_.data() + kRingBytes, kRingBytes));

  for (layout::Slot& slot : actors_->slot) slot.pin = layout::kNoPin;
  // An earlier ring, of which nothing is left, came to there.
  daemon::open_partition(*topic_, 0, {settings.persist ? kBasePosition : 0, base_offset}, {});
  topic_->memory().publish();
}

ring::PartitionView Stage::view(ring::Mapping mapping) const noexcept {
  auto& tail = *reinterpret_cast<layout::PartitionTail*>(&topic_->view(0).tail());
  return {topic_->view(0).board(), tail, mirrored_.data(), kRingBytes, mapping};
}

std::uint64_t Stage::tail_word() const noexcept {
  return topic_->view(0).tail().load(std::memory_order::acquire);
}

layout::Tail Stage::tail() const noexcept {
  return topic_->view(0).codec().unpack(tail_word());
}

std::array<std::span<std::byte>, 4> Stage::memory() const noexcept {
  const daemon::TopicMemory& topic = topic_->memory();
  return {bytes_from(&topic.ring(), layout::ring_file_bytes(1, kRingBytes)),
          bytes_from(&topic.board(), layout::board_file_bytes(1, kAttachments)),
          bytes_from(&topic.bell(), layout::bell_file_bytes(1)),
          bytes_from(actors_, layout::round_up_to_page(sizeof(Actors)))};
}

Stage::Kept Stage::keep() const {
  Kept kept;
  for (const auto part : memory()) kept.insert(kept.end(), part.begin(), part.end());
  return kept;
}

bool Stage::is_as(const Kept& kept) const noexcept {
  const std::byte* from = kept.data();
  for (const auto part : memory()) {
    if (std::memcmp(part.data(), from, part.size()) != 0) return false;
    from += part.size();
  }
  return true;
}

void Stage::put_back(const Kept& kept) const {
  const std::byte* from = kept.data();
  for (const auto part : memory()) {
    std::memcpy(part.data(), from, part.size());
    from += part.size();
  }
}

}  // namespace ringway::proof
