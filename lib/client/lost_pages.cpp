// What a program calls, and what handles do once pages were lost.

#include "ringway/lost_pages.hpp"

#include "client/consumer_state.hpp"
#include "client/producer_state.hpp"
#include "shm/landing.hpp"

namespace ringway {

void survive_lost_pages() {
  shm::install_landing();
}

/// Null when it cannot be had now.
std::shared_ptr<TopicMemory> BusState::map_anew(const TopicMemory& lost) noexcept {
  try {
    // Somebody may be waiting for an answer of the supervisor: this can wait for the next time.
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return nullptr;
    std::weak_ptr<TopicMemory>& known = memories_[lost.identity()];
    auto memory = known.lock();
    if (!memory || memory->lost_page()) {
      memory = lost.mapped_anew();
      known = memory;
    }
    return memory;
  } catch (const std::exception& error) {
    log("severity=warning event=not_mapped_anew reason=\"{}\"", error.what());
    return nullptr;
  }
}

// Neither lets go of the lost mapping before the next one stands: then it tries again at the next
// occasion. The number is loaded first: what is lost meanwhile makes it look again.

/// Not with a claim open: that is settled in the mapping it was made in.
void ProducerState::map_anew() noexcept {
  const std::uint32_t lost = shm::pages_lost.load(std::memory_order::acquire);
  if (holds_claim()) return;
  if (handle_.memory->lost_page()) {
    OpenHandle again = handle_;
    again.memory = bus_->map_anew(*handle_.memory);
    if (again.memory == nullptr) return;
    try {
      adopt(std::move(again));
    } catch (const std::exception& error) {
      bus_->log("severity=warning event=not_mapped_anew topic=\"{}\" reason=\"{}\"", topic_,
                error.what());
      return;
    }
    bus_->log("severity=warning event=pages_lost topic=\"{}\" role=producer", topic_);
  }
  pages_lost_ = lost;
}

/// False: it was another topic's pages, or another partition's.
bool ProducerState::skip_lost(std::uint32_t partition, ring::Claimed claim,
                              std::uint32_t offsets) noexcept {
  if (!handle_.memory->lost_ring_page(partition)) return false;
  lanes_[partition].writer.abort(claim, offsets);
  return true;
}

/// What to say of a record that was committed as `status`.
Status ProducerState::after_loss(std::uint32_t partition, Status status) noexcept {
  const bool lost = handle_.memory->lost_ring_page(partition);
  map_anew();
  return lost && status == Status::ok ? Status::quarantined : status;
}

/// Between polls: no view is out. quarantined when it was the ring that lost pages, which until now
/// read as if nothing had been written there.
Status ConsumerState::after_loss() noexcept {
  const std::uint32_t lost = shm::pages_lost.load(std::memory_order::acquire);
  const Status status = lost_ring_page() ? Status::quarantined : Status::ok;
  if (handle_.memory->lost_page()) {
    const auto memory = bus_->map_anew(*handle_.memory);
    if (memory == nullptr) return status;
    try {
      std::vector<ring::PartitionView> views;
      for (const std::uint32_t p : assigned_) views.push_back(memory->view(p));
      for (std::size_t i = 0; i < cursors_.size(); ++i) cursors_[i].mapped_anew(views[i]);
    } catch (const std::exception& error) {
      bus_->log("severity=warning event=not_mapped_anew topic=\"{}\" reason=\"{}\"", topic_,
                error.what());
      return status;
    }
    handle_.memory = memory;
    bell_.emplace(*handle_.memory, bus_->doorbell(), bus_->fenced_by_sleepers());
    bus_->log("severity=warning event=pages_lost topic=\"{}\" role=consumer", topic_);
  }
  pages_lost_ = lost;
  return status;
}

bool ConsumerState::lost_ring_page() const noexcept {
  return std::ranges::any_of(assigned_,
                             [&](std::uint32_t p) { return handle_.memory->lost_ring_page(p); });
}

}  // namespace ringway
