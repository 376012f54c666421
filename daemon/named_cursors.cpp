#include "daemon/named_cursors.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ringway/error.hpp"

namespace ringway::daemon {
namespace {

Error held(const std::string& name, const CursorHolder& holder) {
  return Error(ErrorCode::busy, fmt::format("cursor '{}'", name),
               fmt::format("is held by pid {}", holder.pid),
               "stop that consumer, or read by another cursor");
}

}  // namespace

NamedCursors::NamedCursors(const shm::Uuid& topic, std::uint32_t partitions,
                           std::vector<CursorRow> rows)
    : topic_(topic), partitions_(partitions) {
  for (const CursorRow& row : rows) {
    if (row.partition >= partitions_) continue;
    NamedCursor& cursor = cursors_[row.name];
    cursor.offsets.resize(partitions_);
    cursor.offsets[row.partition] = row.offset;
    cursor.protects = row.protects;
  }
}

const NamedCursor& NamedCursors::hold(const std::string& name, std::optional<bool> protects,
                                      const CursorHolder& holder) {
  NamedCursor& cursor = cursors_[name];
  if (cursor.holder) throw held(name, *cursor.holder);
  cursor.offsets.resize(partitions_);
  cursor.holder = holder;
  if (protects && *protects != cursor.protects) {
    cursor.protects = *protects;
    for (std::uint32_t p = 0; p < partitions_; ++p) {
      if (!cursor.offsets[p]) continue;
      unsaved_.insert_or_assign({name, p},
                                CursorRow{topic_, name, p, *cursor.offsets[p], *protects});
    }
  }
  return cursor;
}

void NamedCursors::let_go(const std::string& name, std::uint64_t handle) {
  const auto found = cursors_.find(name);
  if (found == cursors_.end() || !found->second.holder || found->second.holder->handle != handle) {
    return;
  }
  found->second.holder.reset();
  const auto unset = [](const auto& offset) { return !offset.has_value(); };
  if (std::ranges::all_of(found->second.offsets, unset)) cursors_.erase(found);
}

void NamedCursors::demand_free(const std::string& name) const {
  const NamedCursor* const found = find(name);
  if (found == nullptr) {
    throw Error(ErrorCode::not_found, fmt::format("cursor '{}'", name), "does not exist",
                "see which there are: ringway inspect TOPIC");
  }
  if (found->holder) throw held(name, *found->holder);
}

void NamedCursors::remove(const std::string& name) {
  cursors_.erase(name);
  std::erase_if(unsaved_, [&](const auto& entry) { return entry.first.first == name; });
}

const NamedCursor* NamedCursors::find(const std::string& name) const {
  const auto found = cursors_.find(name);
  return found == cursors_.end() ? nullptr : &found->second;
}

NamedCursors::Protection NamedCursors::protection(std::uint32_t partition) const noexcept {
  Protection lowest;
  const auto wants = [&](std::uint64_t offset, const std::string& name) {
    if (offset < lowest.offset) lowest = {offset, name};
  };
  for (const auto& [name, cursor] : cursors_) {
    if (!cursor.protects) continue;
    if (cursor.offsets[partition]) {
      wants(*cursor.offsets[partition], name);
    } else if (cursor.holder && cursor.holder->slots != nullptr) {
      // Nothing committed yet: what it is about to read counts.
      wants(cursor.holder->slots[partition].offset.load(std::memory_order::acquire), name);
    }
  }
  return lowest;
}

std::uint64_t NamedCursors::highest(std::uint32_t partition) const noexcept {
  std::uint64_t highest = 0;
  for (const auto& [name, cursor] : cursors_) {
    highest = std::max(highest, cursor.offsets[partition].value_or(0));
  }
  return highest;
}

}  // namespace ringway::daemon
