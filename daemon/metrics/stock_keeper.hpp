#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "daemon/metrics/inventory.hpp"

namespace ringway::daemon::metrics {

/// The latest inventory, asked of the control thread when it is old. One thread asks.
class StockKeeper {
 public:
  using Ask = std::function<void(std::function<void(Inventory)> take)>;

  explicit StockKeeper(Ask ask, std::chrono::milliseconds patience = std::chrono::seconds(2))
      : ask_(std::move(ask)), patience_(patience) {}

  /// Nothing when the control thread does not answer within the patience, or end() was called. An
  /// answer that comes later counts for who waits for it by then, and for nobody who asks anew.
  std::shared_ptr<const Inventory> stock() {
    if (now() - taken_at_ < kFreshFor) return taken_;
    std::unique_lock lock(shared_->mutex);
    if (!std::exchange(shared_->asked, true)) {
      shared_->answer.reset();  // one that came late
      lock.unlock();
      ask_([shared = shared_](Inventory inventory) {
        const std::lock_guard answered(shared->mutex);
        shared->answer = std::make_shared<const Inventory>(std::move(inventory));
        shared->asked = false;
        shared->changed.notify_all();
      });
      lock.lock();
    }
    shared_->changed.wait_for(lock, patience_, [&] { return shared_->answer || shared_->over; });
    if (!shared_->answer) return nullptr;
    taken_ = std::move(shared_->answer);
    taken_at_ = now();
    return taken_;
  }

  /// Any thread: nobody waits any more.
  void end() {
    const std::lock_guard lock(shared_->mutex);
    shared_->over = true;
    shared_->changed.notify_all();
  }

 private:
  static constexpr std::chrono::milliseconds kFreshFor{500};

  /// With answers that come late.
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::shared_ptr<const Inventory> answer;
    bool asked = false;
    bool over = false;
  };

  static std::chrono::steady_clock::time_point now() { return std::chrono::steady_clock::now(); }

  Ask ask_;
  std::chrono::milliseconds patience_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::shared_ptr<const Inventory> taken_;
  std::chrono::steady_clock::time_point taken_at_{};
};

}  // namespace ringway::daemon::metrics
