#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shm/uuid.hpp"

namespace ringway::shm {

enum class MemoryKind : std::uint8_t { ring, board, bell, session };

/// "ring", "board", "bell" or "session".
std::string_view to_string(MemoryKind kind) noexcept;

/// The name of a shared memory file, as /proc/PID/fd and the keeper show it. Made and parsed here
/// only:
///
///     ringway.ring.<topic uuid>.<generation>       ringway.board.…, ringway.bell.… alike
///     ringway.session.<session>.<chunk>
struct MemoryName {
  MemoryKind kind{};
  Uuid topic{};               ///< not of sessions
  std::uint64_t session = 0;  ///< of sessions only
  std::uint64_t number = 0;   ///< ring generation, or the session's chunk

  static MemoryName of_topic(MemoryKind kind, const Uuid& topic, std::uint64_t generation);
  static MemoryName of_session(std::uint64_t session, std::uint32_t chunk);

  bool operator==(const MemoryName&) const = default;
};

std::string to_string(const MemoryName& name);

/// Reads exactly what to_string writes.
std::optional<MemoryName> parse_memory_name(std::string_view text);

}  // namespace ringway::shm
