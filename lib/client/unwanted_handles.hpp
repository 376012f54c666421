#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

namespace ringway {

/// The handles of a session that nobody here wants any more, each until the supervisor has answered
/// that it is closed: one that dies before may not have read it, and the next one has the handle
/// still. Any thread.
class UnwantedHandles {
 public:
  void add(std::uint64_t handle, bool named) {
    const std::lock_guard lock(mutex_);
    handles_.try_emplace(handle, Handle{.named = named});
  }
  /// The answer is to come.
  void told(std::uint64_t handle) noexcept {
    const std::lock_guard lock(mutex_);
    const auto found = handles_.find(handle);
    if (found != handles_.end()) found->second.told = true;
  }
  void closed(std::uint64_t handle) noexcept {
    const std::lock_guard lock(mutex_);
    handles_.erase(handle);
  }
  void all_closed() noexcept {
    const std::lock_guard lock(mutex_);
    handles_.clear();
  }
  /// No answer comes any more.
  void none_told() noexcept {
    const std::lock_guard lock(mutex_);
    for (auto& [id, handle] : handles_) handle.told = false;
  }

  std::vector<std::uint64_t> untold() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::uint64_t> all;
    for (const auto& [id, handle] : handles_) {
      if (!handle.told) all.push_back(id);
    }
    return all;
  }
  /// Whether one of them has a named cursor.
  bool hold_cursor() const noexcept {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(handles_, [](const auto& entry) { return entry.second.named; });
  }

 private:
  struct Handle {
    bool named = false;  // as OpenHandle's
    bool told = false;   // the supervisor was, on this connection
  };
  mutable std::mutex mutex_;
  std::map<std::uint64_t, Handle> handles_;
};

}  // namespace ringway
