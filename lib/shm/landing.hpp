#pragma once

#include <cstddef>
#include <span>
#include <utility>

namespace ringway::shm {

/// From now on accesses inside a LandingArea that fault with SIGBUS go on, on zeros of this
/// process's own. Seals keep others from cutting a memory file short, but whoever may write it may
/// also punch holes into it, and a hole is filled at the next access only while there is memory.
/// Faults anywhere else end the process as before. Process-wide, repeatable. Programs call it; the
/// library installs no handler by itself.
/// @throws Error (limit) when the few pages it holds ready cannot be had.
void install_landing();

/// A range of a mapping inside which faults are survived, while this object lives; the mapping must
/// outlive it. Any thread. Without the handler it does nothing. Move-only.
class LandingArea {
 public:
  LandingArea() = default;
  /// @throws Error (limit) beyond 131,072 of them, more than a process may have mappings.
  explicit LandingArea(std::span<const std::byte> range);
  ~LandingArea();
  LandingArea(LandingArea&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
  LandingArea& operator=(LandingArea&& other) noexcept {
    std::swap(entry_, other.entry_);
    return *this;
  }

  /// Whether a page of it was lost: it reads as zeros here, what others write there is not seen,
  /// and they do not see what this process writes.
  bool hit() const noexcept;

 private:
  friend struct Landings;
  struct Entry;

  Entry* entry_ = nullptr;
};

}  // namespace ringway::shm
