#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace ringway::shm {

/// From now on accesses inside a LandingArea that fault with SIGBUS go on, on memory of this
/// process's own. Seals keep others from cutting a memory file short, but whoever may write it may
/// also punch holes into it, and a hole is filled at the next access only while there is memory.
/// What else comes as SIGBUS goes to whoever handled it before. Process-wide, repeatable. Programs
/// call it; the library installs no handler by itself.
/// @throws Error (failed) when the few pages it holds ready cannot be had.
void install_landing();

/// Moves before a lost page is replaced, in whatever area of this process: whoever loads it after
/// an access knows whether that may have been to such a page. Alone on its line: it is looked at
/// with every record, and hardly ever written.
alignas(64) inline constinit std::atomic<std::uint32_t> pages_lost{0};

/// How many pages were lost in the area that this address lies in. Any thread; a look through all
/// areas.
std::uint32_t pages_lost_at(const void* address) noexcept;

/// What a lost page is from then on.
enum class Landing : std::uint8_t {
  zeros,  ///< reads as zeros
  ones,   ///< reads as bytes of ones: tails are closed
  /// Reads as zeros and takes no memory, ever: of a mapping that this process cannot write to.
  zeros_read_only,
};

/// A range of a mapping inside which faults are survived, while this object lives; the mapping must
/// outlive it. Any thread. Without the handler it does nothing. Move-only.
class LandingArea {
 public:
  LandingArea() = default;
  /// @throws Error (limit) beyond 131,072 of them, more than a process may have mappings.
  explicit LandingArea(std::span<const std::byte> range, Landing landing = Landing::zeros);
  ~LandingArea();
  LandingArea(LandingArea&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
  LandingArea& operator=(LandingArea&& other) noexcept {
    std::swap(entry_, other.entry_);
    return *this;
  }

  /// Whether a page of it was lost: what others write there is not seen, and they do not see what
  /// this process writes. Of no more pages than are held ready, or while there is memory, each is
  /// one of its own; the others are two pages, one for those of zeros and one for those of ones,
  /// and read as what was last written to any of their kind.
  bool hit() const noexcept;

 private:
  friend struct Landings;
  struct Entry;

  Entry* entry_ = nullptr;
};

}  // namespace ringway::shm
