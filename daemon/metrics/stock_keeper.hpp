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

  explicit StockKeeper(Ask ask) : ask_(std::move(ask)) {}

  /// Nothing when the control thread does not answer within two seconds, or end() was called. The
  /// answer then counts for who asks next.
  std::shared_ptr<const Inventory> stock() {
    if (now() - taken_at_ < kFreshFor) return taken_;
    std::unique_lock lock(shared_->mutex);
    if (!std::exchange(shared_->asked, true)) {
      lock.unlock();
      ask_([shared = shared_](Inventory inventory) {
        const std::lock_guard answered(shared->mutex);
        shared->answer = std::make_shared<const Inventory>(std::move(inventory));
        shared->asked = false;
        shared->changed.notify_all();
      });
      lock.lock();
    }
    shared_->changed.wait_for(lock, kPatience, [&] { return shared_->answer || shared_->over; });
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
  static constexpr std::chrono::seconds kPatience{2};

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
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::shared_ptr<const Inventory> taken_;
  std::chrono::steady_clock::time_point taken_at_{};
};

}  // namespace ringway::daemon::metrics
