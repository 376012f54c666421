#pragma once

#include <cstdint>
#include <optional>

#include "daemon/partition_handles.hpp"
#include "ring/retire.hpp"
#include "ring/scan.hpp"
#include "shm/barrier.hpp"

namespace ringway::daemon {

/// How far a partition's ring has come towards its end (ring/retire.hpp). Closing can be taken
/// back, deciding cannot. Goes on where a supervisor before this one was interrupted. The flusher's
/// thread.
class RingEnding {
 public:
  enum class State : unsigned char {
    none,      ///< the ring goes on
    closing,   ///< no claim succeeds once producers share; some are still open
    deciding,  ///< what is open becomes void
    over,      ///< every claim is settled or decided
  };

  explicit RingEnding(const ring::PartitionView& view) noexcept : view_(view) {
    switch (static_cast<layout::Retired>(view_.retired().load(std::memory_order::acquire))) {
      case layout::Retired::no:
        break;
      case layout::Retired::deciding:
        // Relaxed: who wrote it is dead, and had no barrier, maybe.
        fence({view_.end_position().load(std::memory_order::relaxed),
               view_.end_offset().load(std::memory_order::relaxed)});
        break;
      case layout::Retired::decided:
      case layout::Retired::spoiled:
        state_ = State::over;
        retired_ = true;
        break;
    }
  }

  State state() const noexcept { return state_; }
  /// The end stands, whatever is stamped behind it.
  bool retired() const noexcept { return retired_; }

  void begin() noexcept {
    if (state_ == State::none) state_ = State::closing;
  }
  void cancel() noexcept {
    if (retired_ || state_ == State::none) return;
    ring::reopen(view_);
    state_ = State::none;
  }
  /// closing -> deciding: what is open behind `committed` is to be void.
  void fence(ring::Place committed) noexcept {
    retire(committed);
    state_ = State::deciding;
  }
  /// The content cannot be followed: all of it behind `committed` is void.
  void give_up(ring::Place committed) noexcept {
    if (!retired_) retire(committed);
    ring::give_up(view_);
    state_ = State::over;
  }
  /// One look. `owner` may still store to tail: what closes it before that one shares, does not
  /// last. False: the content is corrupt, give_up() is next.
  bool look(ring::Place committed, PartitionHandles& handles,
            std::optional<std::uint64_t> owner = {}) noexcept {
    if (state_ == State::closing) {
      if (owner) return true;
      ring::close(view_);
      const auto tail = view_.codec().unpack(view_.tail().load(std::memory_order::acquire));
      if (tail.position == committed.position && !handles.unsettled()) state_ = State::over;
    } else if (state_ == State::deciding) {
      ring::close(view_);
      switch (handles.decide(view_, owner)) {
        case ring::Decision::decided:
          state_ = State::over;
          break;
        case ring::Decision::again:
          break;
        case ring::Decision::nobody:
          return ++unexplained_ < kUnexplainedMax;
        case ring::Decision::unreached:  // was asked about before: a spoiled slot says so now
        case ring::Decision::too_many:
        case ring::Decision::corrupt:
          return false;
      }
    }
    return true;
  }

 private:
  /// As for repair: no race of honest producers lasts as long.
  static constexpr int kUnexplainedMax = 1000;

  void retire(ring::Place committed) noexcept {
    ring::retire(view_, committed, [] { shm::ProcessBarrier::instance().issue(); });
    retired_ = true;
  }

  ring::PartitionView view_;
  State state_ = State::none;
  bool retired_ = false;
  int unexplained_ = 0;
};

}  // namespace ringway::daemon
