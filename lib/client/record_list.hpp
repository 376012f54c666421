#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "ringway/record.hpp"

namespace ringway {

/// The views that one poll gives: room for a number of them that does not change, and how many say
/// something. Whoever knows that there is room writes to it without being asked each time, which a
/// vector would.
class RecordList {
 public:
  RecordList() noexcept = default;
  /// @throws std::bad_alloc
  explicit RecordList(std::size_t capacity)
      : views_(std::make_unique<RecordView[]>(capacity)), capacity_(capacity) {}

  std::size_t capacity() const noexcept { return capacity_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  const RecordView& operator[](std::size_t index) const noexcept { return views_[index]; }
  std::span<const RecordView> views() const noexcept { return {views_.get(), size_}; }
  const RecordView* begin() const noexcept { return views_.get(); }
  const RecordView* end() const noexcept { return views_.get() + size_; }

  /// Where the next one goes.
  RecordView* free() noexcept { return views_.get() + size_; }
  /// What was written from free() on, up to here, says something now.
  void take_until(const RecordView* end) noexcept {
    size_ = static_cast<std::size_t>(end - views_.get());
  }
  /// Back to so many as there were.
  void drop_behind(std::size_t size) noexcept { size_ = size; }
  void clear() noexcept { size_ = 0; }

 private:
  std::unique_ptr<RecordView[]> views_;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
};

}  // namespace ringway
