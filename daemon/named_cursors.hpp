#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/catalog.hpp"
#include "layout/session.hpp"

namespace ringway::daemon {

/// Who has a named cursor open, and where it keeps its positions.
struct CursorHolder {
  std::uint64_t handle = 0;
  std::uint32_t pid = 0;
  const layout::Slot* slots = nullptr;  ///< one per partition, while the handle is open
};

/// One named cursor of a topic.
struct NamedCursor {
  std::vector<std::optional<std::uint64_t>> offsets;  ///< as in the catalog
  bool protects = false;
  std::optional<CursorHolder> holder;
};

/// The named cursors of one topic: who holds each, and where it stands. Positions live in their
/// holder's session memory and are copied from there. Control thread only.
class NamedCursors {
 public:
  NamedCursors(const shm::Uuid& topic, std::uint32_t partitions, std::vector<CursorRow> rows);

  /// Makes `name` the holder's; its positions are returned. Without a word on protection it stays
  /// as it was, at first without; a change is collected next time. One that is held is refused with
  /// Error(busy) naming the holder's pid.
  const NamedCursor& hold(const std::string& name, std::optional<bool> protects,
                          const CursorHolder& holder);
  /// After collect(): the cursor is free again. One that never had a position is forgotten.
  void let_go(const std::string& name, std::uint64_t handle);
  /// Whether it may be removed: Error(busy) while it is held, not_found when it is not there.
  void demand_free(const std::string& name) const;
  /// Forgets it. After the catalog did: what that refuses can be asked for again.
  void remove(const std::string& name);
  const NamedCursor* find(const std::string& name) const;
  const std::map<std::string, NamedCursor, std::less<>>& all() const noexcept { return cursors_; }

  /// Takes over what the holders have committed since, and appends to `changed` all that was not
  /// saved() yet. A position in front of which not all is committed, as `committed(partition,
  /// position)` says, is hostile or a mistake, and is not believed.
  template <class Committed>
  void collect(Committed&& committed, std::vector<CursorRow>& changed) {
    for (auto& [name, cursor] : cursors_) collect(name, cursor, committed);
    for (const auto& [place, row] : unsaved_) changed.push_back(row);
  }
  /// The catalog has what was collected.
  void saved() noexcept { unsaved_.clear(); }

  /// The lowest offset of a partition that a protecting cursor may still want, and that cursor.
  struct Protection {
    std::uint64_t offset = std::numeric_limits<std::uint64_t>::max();
    std::string_view cursor;  ///< valid until the next change; "" when nothing is protected
  };
  Protection protection(std::uint32_t partition) const noexcept;
  /// The highest offset of a partition in front of which a cursor says that all was committed.
  std::uint64_t highest(std::uint32_t partition) const noexcept;

 private:
  template <class Committed>
  void collect(const std::string& name, NamedCursor& cursor, Committed& committed) {
    if (!cursor.holder || cursor.holder->slots == nullptr) return;
    for (std::uint32_t p = 0; p < partitions_; ++p) {
      const std::uint64_t offset =
          cursor.holder->slots[p].committed.load(std::memory_order::acquire);
      const bool moved = offset != layout::kNoOffset && cursor.offsets[p] != offset;
      if (!moved || !committed(p, offset)) continue;
      cursor.offsets[p] = offset;
      unsaved_.insert_or_assign({name, p}, CursorRow{topic_, name, p, offset, cursor.protects});
    }
  }

  shm::Uuid topic_;
  std::uint32_t partitions_;
  std::map<std::string, NamedCursor, std::less<>> cursors_;
  std::map<std::pair<std::string, std::uint32_t>, CursorRow> unsaved_;  ///< by name and partition
};

}  // namespace ringway::daemon
