#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "layout/session.hpp"
#include "shm/descriptor.hpp"
#include "shm/region.hpp"

namespace ringway {

/// The slots of this process's session, in chunks as the supervisor hands them over. Slots live for
/// as long as a handle holds their chunk. Under the bus's lock; the chunks themselves are shared.
class SessionMemory {
 public:
  struct Chunk {
    shm::Descriptor file;  // kept open for post-mortem tools
    shm::Region region;
    std::span<layout::Slot> slots;
  };

  /// @throws Error when the descriptor is no sealed chunk of `slots` slots.
  void add(std::uint32_t chunk, std::uint32_t slots, shm::Descriptor file);
  /// @throws Error when the supervisor names slots that were never handed over.
  std::shared_ptr<Chunk> chunk(std::uint32_t number, std::uint32_t first_slot,
                               std::uint32_t count) const;

 private:
  std::map<std::uint32_t, std::shared_ptr<Chunk>> chunks_;
};

}  // namespace ringway
