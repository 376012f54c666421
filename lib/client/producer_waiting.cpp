// What a producer does when the ring is full, and what it says about it.

#include <fmt/format.h>

#include "client/producer_state.hpp"
#include "ring/relax.hpp"

namespace ringway {
namespace {

// About 10 us: shorter than a sleep and its wake-up.
constexpr int kSpins = 200;

constexpr ring::Claimed refused(Status status) noexcept {
  return {status, 0, 0, 0, 0};
}

}  // namespace

/// Of a record that can never be published, for why().
void ProducerState::note_too_large(RecordShape shape, std::size_t payload_bytes,
                                   const PublishOptions& options) noexcept {
  const std::uint64_t key_bytes = options.key ? options.key->size() : 0;
  std::uint64_t headers_bytes = 0;  // as far as they can be encoded at all
  for (const Header& header : options.headers) {
    headers_bytes += header.key.size() + header.value.size();
  }
  if (key_bytes > layout::kKeyBytesMax) {
    too_large_ = {TooLarge::What::key, key_bytes, layout::kKeyBytesMax};
  } else if (!encoded_bytes(options.headers)) {
    too_large_ = {TooLarge::What::headers, headers_bytes, UINT16_MAX};
  } else {
    too_large_ = {TooLarge::What::record, payload_bytes + key_bytes + shape.headers_bytes,
                  record_bytes_max()};
  }
}

/// What a refusal of the ring means to the caller. back_pressured: wait.
Status ProducerState::refusal(std::uint32_t partition, Status of_ring) noexcept {
  if (of_ring != Status::closed && of_ring != Status::back_pressured) return of_ring;
  // Lost again, though it was mapped anew.
  if (shm::pages_lost.load(std::memory_order::relaxed) != pages_lost_ &&
      handle_.memory->lost_ring_page(partition)) {
    return Status::quarantined;
  }
  // A closed tail: for good when the content is corrupt; else a successor is to come. The one that
  // spoiled it may have opened tail again, or put it where no space will ever come.
  const auto hold = lanes_[partition].board().hold.load(std::memory_order::relaxed);
  return static_cast<layout::Hold>(hold) == layout::Hold::quarantined ? Status::quarantined
                                                                      : Status::back_pressured;
}

ring::Claimed ProducerState::take_waiting(std::uint32_t partition, std::uint64_t bytes,
                                          std::uint32_t offsets, Timeout timeout) noexcept {
  refused_partition_ = partition;
  too_large_ = {};
  const bool may_wait = timeout > Timeout::zero();
  const Deadline deadline(timeout);
  for (;;) {
    if (const Status status = keep_going(); status != Status::ok) return refused(status);
    if (const std::uint64_t most = layout::claim_bytes_max(handle_.memory->ring_bytes());
        bytes > most) {
      too_large_ = {TooLarge::What::batch, bytes, most};
      return refused(Status::too_large);  // opened anew in a smaller ring
    }
    const auto try_again = [&] { return lanes_[partition].writer.try_claim(bytes, offsets); };
    const layout::BoardPartition& board = lanes_[partition].board();
    ring::Claimed claimed = try_again();
    for (int spin = 0; may_wait && spin < kSpins && claimed.status == Status::back_pressured;
         ++spin) {
      relax();
      claimed = try_again();
    }
    if (claimed.status == Status::ok) return claimed;
    const Status status = refusal(partition, claimed.status);
    if (status != Status::back_pressured || !may_wait) {
      bell_->call_supervisor();
      return refused(status);
    }
    if (interrupt_.take()) return refused(Status::interrupted);
    if (deadline.passed()) return refused(Status::timeout);

    const std::uint32_t seq = board.progress.load(std::memory_order::acquire);
    // Relaxed: fenced below, as the supervisor's side is.
    handle_.memory->bell(partition).progress_waiters.fetch_or(layout::kWaitsForSpace,
                                                              std::memory_order::relaxed);
    ring::PartitionView::full_fence();
    claimed = try_again();
    if (claimed.status == Status::ok) return claimed;
    sleep_for_progress(partition, seq, deadline.sleep(kSleepMax));
  }
}

std::string ProducerState::why() const {
  if (in_child()) return "the producer belongs to the parent process";
  switch (too_large_.what) {
    case TooLarge::What::nothing:
      break;
    case TooLarge::What::key:
      return fmt::format("a key of {} bytes does not fit: at most {}", too_large_.bytes,
                         too_large_.bytes_max);
    case TooLarge::What::headers:
      return fmt::format("headers of {} bytes do not fit: at most {} with their lengths",
                         too_large_.bytes, too_large_.bytes_max);
    case TooLarge::What::record:
      return fmt::format("a record of {} bytes does not fit: at most {}", too_large_.bytes,
                         too_large_.bytes_max);
    case TooLarge::What::batch:
      return fmt::format("a claim of {} bytes of ring does not fit: at most {}", too_large_.bytes,
                         too_large_.bytes_max);
  }
  const layout::BoardHeader& header = handle_.memory->board();
  const layout::BoardPartition& board = handle_.memory->board(refused_partition_);
  // Relaxed: for people.
  const auto state = static_cast<layout::TopicState>(header.state.load(std::memory_order::relaxed));
  const auto pid = board.hold_pid.load(std::memory_order::relaxed);
  if (state == layout::TopicState::deleted) return "the topic was deleted";
  if (state == layout::TopicState::stopping) {
    return bus_->attached() ? "the supervisor is stopping"
                            : "the supervisor is away: it was stopping";
  }
  if (!bus_->attached()) return bus_->why_away();
  const std::string where =
      handle_.log_directory.empty() ? "" : fmt::format(" ({})", handle_.log_directory);
  switch (static_cast<layout::Hold>(board.hold.load(std::memory_order::relaxed))) {
    case layout::Hold::none:
      break;
    case layout::Hold::disk_slow:
      return "the disk is slow: what is in the ring waits to be durable";
    case layout::Hold::disk_full:
      return "the disk is full" + where;
    case layout::Hold::disk_error:
      return "the disk reports errors" + where;
    case layout::Hold::pinned:
      return fmt::format("pinned by pid {}, which holds records in place", pid);
    case layout::Hold::stopped_claim:
      return fmt::format("pid {} does not finish its claim", pid);
    case layout::Hold::slow_consumer:
      return fmt::format("pid {} has not consumed the oldest records yet", pid);
    case layout::Hold::stopping:
      return "the supervisor is stopping";
    case layout::Hold::quarantined:
      return "the ring's content is corrupt";
    case layout::Hold::memory_only:
      return "the disk refuses, and records are kept in memory only";
  }
  return "the ring is full";
}

}  // namespace ringway
