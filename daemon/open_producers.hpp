#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace ringway::daemon {

/// Who produces to one topic, as far as exclusive producers are concerned: as many as like, or one
/// that has it for itself until another one comes. Control thread only.
class OpenProducers {
 public:
  struct Producer {
    std::uint64_t session = 0;
    std::uint32_t pid = 0;
    bool exclusive = false;
    std::size_t attachment = 0;
    bool leaving = false;  ///< closed or dead, not settled yet
    bool asked = false;    ///< to share
  };
  using Producers = std::map<std::uint64_t, Producer>;  ///< by handle
  using Wake = std::function<void()>;

  void add(std::uint64_t handle, const Producer& producer) {
    producers_.emplace(handle, producer);
    if (producer.exclusive) owner_ = handle;
  }
  void leaves(std::uint64_t handle) {
    if (const auto found = producers_.find(handle); found != producers_.end()) {
      found->second.leaving = true;
    }
  }
  void asked_to_share(std::uint64_t handle) { producers_.at(handle).asked = true; }
  /// Whether the handle has the topic for itself in the next ring, too.
  bool stays_exclusive(std::uint64_t handle) const {
    return owner_ == handle && !producers_.at(handle).asked;
  }
  /// Those who waited for a change may be woken.
  [[nodiscard]] std::vector<std::shared_ptr<Wake>> gone(std::uint64_t handle) {
    producers_.erase(handle);
    if (owner_ == handle) owner_.reset();
    return take_waiting();
  }
  /// The owner shares now, if it is still that one.
  [[nodiscard]] std::vector<std::shared_ptr<Wake>> shared(std::uint64_t handle) {
    if (owner_ != handle) return {};
    producers_.at(handle).exclusive = false;
    owner_.reset();
    return take_waiting();
  }

  const Producers& all() const noexcept { return producers_; }
  /// The handle that has the topic for itself.
  std::optional<std::uint64_t> owner() const noexcept { return owner_; }

  /// `wake` at the next change, unless its owner has let go of it by then.
  void when_changed(const std::shared_ptr<Wake>& wake) {
    std::erase_if(waiting_, [](const auto& waiting) { return waiting.expired(); });
    waiting_.push_back(wake);
  }

 private:
  std::vector<std::shared_ptr<Wake>> take_waiting() {
    std::vector<std::shared_ptr<Wake>> awake;
    for (const auto& waiting : waiting_) {
      if (auto wake = waiting.lock()) awake.push_back(std::move(wake));
    }
    waiting_.clear();
    return awake;
  }

  Producers producers_;
  std::optional<std::uint64_t> owner_;
  std::vector<std::weak_ptr<Wake>> waiting_;
};

}  // namespace ringway::daemon
