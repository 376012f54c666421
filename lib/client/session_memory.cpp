#include "client/session_memory.hpp"

#include <fmt/format.h>

#include "layout/board.hpp"
#include "ringway/error.hpp"
#include "shm/memory_file.hpp"

namespace ringway {

void SessionMemory::add(std::uint32_t number, std::uint32_t slots, shm::Descriptor file) {
  const std::uint64_t bytes = layout::session_file_bytes(slots);
  shm::verify_memory_file(file.get(), "session", bytes);
  auto chunk = std::make_shared<Chunk>();
  chunk->region = shm::Region(file.get(), shm::Access::read_write, 0, bytes);
  const auto& header = chunk->region.at<const layout::SessionHeader>(0);
  if (header.magic != layout::kSessionMagic || header.major != layout::kLayoutVersion.major) {
    throw Error(
        ErrorCode::incompatible, "session memory",
        fmt::format("its layout is version {}.{}, this library's is {}.{}", header.major,
                    header.minor, layout::kLayoutVersion.major, layout::kLayoutVersion.minor),
        "let library and supervisor be of one installation");
  }
  chunk->slots = chunk->region.array<layout::Slot>(layout::kPageBytes, slots);
  chunk->file = std::move(file);
  chunks_[number] = std::move(chunk);
}

std::shared_ptr<SessionMemory::Chunk> SessionMemory::chunk(std::uint32_t number,
                                                           std::uint32_t first_slot,
                                                           std::uint32_t count) const {
  const auto found = chunks_.find(number);
  if (found == chunks_.end() || first_slot > found->second->slots.size() ||
      count > found->second->slots.size() - first_slot) {
    throw Error(ErrorCode::failed, "session memory",
                "the supervisor names slots that it did not hand over", "report this");
  }
  return found->second;
}

}  // namespace ringway
