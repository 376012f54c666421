#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/bus_state.hpp"
#include "client/deadline.hpp"
#include "client/interrupt.hpp"
#include "client/partitioner.hpp"
#include "client/producer_lane.hpp"
#include "client/record_shape.hpp"
#include "client/topic_bell.hpp"
#include "ringway/producer.hpp"
#include "shm/clock.hpp"
#include "shm/landing.hpp"

namespace ringway {

/// What a Producer handle stands for. One thread at a time but for interrupt(). Knows the one Claim
/// or Batch that is open, so that either may be destroyed first.
class [[gnu::visibility("hidden")]] ProducerState {
 public:
  /// @throws Error as Bus::producer().
  ProducerState(std::shared_ptr<BusState> bus, std::string topic, const ProducerOptions& options);
  ~ProducerState();
  ProducerState(const ProducerState&) = delete;
  ProducerState& operator=(const ProducerState&) = delete;

  bool in_child() const noexcept { return bus_->in_child(); }

  // What publishes: producer_claims.cpp, which alone calls it.
  [[gnu::always_inline]] Published publish(Bytes payload, const PublishOptions& options,
                                           Timeout timeout) noexcept;
  [[gnu::always_inline]] void claim(Claim& into, std::size_t payload_bytes,
                                    const PublishOptions& options, Timeout timeout) noexcept;
  void claim_batch(Batch& into, std::uint32_t records, std::size_t record_bytes,
                   const PublishOptions& options) noexcept;
  [[gnu::always_inline]] std::byte* append(Batch& batch, std::size_t payload_bytes,
                                           const PublishOptions& options) noexcept;
  [[gnu::always_inline]] Published commit(const Claim& claim) noexcept;
  [[gnu::always_inline]] Published commit(const Batch& batch) noexcept;
  [[gnu::noinline]] void abort(const ClaimedBytes& bytes, RecordOffset offset,
                               std::uint32_t offsets, bool keyless) noexcept;
  void moved(Claim& to) noexcept { claim_ = &to; }
  void moved(Batch& to) noexcept { batch_ = &to; }

  Status wait(RecordOffset offset, Level level, Timeout timeout) noexcept;
  std::string why() const;
  std::uint64_t record_bytes_max() const noexcept;
  std::uint32_t partitions() const noexcept { return partitions_; }
  std::uint32_t identity() const noexcept { return handle_.producer; }
  bool exclusive() const noexcept { return lanes_.front().writer.exclusive(); }
  void interrupt() noexcept { interrupt_.raise(); }

 private:
  void adopt(OpenHandle fresh);
  void remember_levels(std::vector<ProducerLane>& fresh);
  OpenHandle open_again(std::optional<std::uint64_t> moved);
  void map_anew() noexcept;
  Status reopen() noexcept;

  // On the way of every record, inlined there (producer_claims.cpp): a result that comes by way of
  // memory waits for its stores.
  [[gnu::always_inline]] Published publish_with(Bytes payload, const PublishOptions& options,
                                                Timeout timeout) noexcept;
  [[gnu::always_inline]] void claim_with(Claim& into, std::size_t payload_bytes,
                                         const PublishOptions& options, Timeout timeout) noexcept;
  [[gnu::always_inline]] std::byte* append_with(Batch& batch, std::size_t payload_bytes,
                                                const PublishOptions& options) noexcept;
  [[gnu::always_inline]] bool admits(const RecordShape& shape) const noexcept;
  [[gnu::always_inline]] std::int64_t timestamp(const PublishOptions& options) noexcept;
  [[gnu::always_inline]] std::uint32_t partition_for(const PublishOptions& options) const noexcept;
  [[gnu::always_inline]] ring::Claimed take(std::uint32_t partition, std::uint64_t bytes,
                                            std::uint32_t offsets, Timeout timeout) noexcept;
  [[gnu::always_inline]] bool stamp(std::uint32_t partition, const ring::Claimed& claim,
                                    std::uint32_t offsets) noexcept;
  [[gnu::always_inline]] Published published(std::uint32_t partition, const ring::Claimed& claim,
                                             bool keyless, bool stands) noexcept;
  std::int64_t clock_now() noexcept {
    return options_.clock == ClockSource::fast ? fast_clock_.now() : precise_clock_.now();
  }

  // The same ways for who asks for more than a payload.
  [[gnu::noinline]] Published publish_more(Bytes payload, const PublishOptions& options,
                                           Timeout timeout) noexcept;
  [[gnu::noinline]] void claim_more(Claim& into, std::size_t payload_bytes,
                                    const PublishOptions& options, Timeout timeout) noexcept;
  [[gnu::noinline]] std::byte* append_more(Batch& batch, std::size_t payload_bytes,
                                           const PublishOptions& options) noexcept;

  // What it seldom meets.
  [[gnu::cold, gnu::noinline]] void note_too_large(RecordShape shape, std::size_t payload_bytes,
                                                   const PublishOptions& options) noexcept;
  [[gnu::cold, gnu::noinline]] void watch_supervisor() noexcept;
  [[gnu::cold, gnu::noinline]] ring::Claimed take_waiting(std::uint32_t partition,
                                                          std::uint64_t bytes,
                                                          std::uint32_t offsets,
                                                          Timeout timeout) noexcept;
  [[gnu::cold, gnu::noinline]] bool skip_lost(std::uint32_t partition, ring::Claimed claim,
                                              std::uint32_t offsets) noexcept;
  [[gnu::cold, gnu::noinline]] Status settled(std::uint32_t partition,
                                              ring::Claimed claim) noexcept;
  [[gnu::cold, gnu::noinline]] Status after_loss(std::uint32_t partition, Status status) noexcept;
  Status refusal(std::uint32_t partition, Status of_ring) noexcept;
  bool holds_claim() const noexcept { return claim_ != nullptr || batch_ != nullptr; }
  [[gnu::always_inline]] bool ready() noexcept;
  [[gnu::noinline]] void tidy_up() noexcept;
  void settle_open_claim() noexcept;
  Status keep_going() noexcept;
  layout::TopicState topic_state() const noexcept {
    return static_cast<layout::TopicState>(
        handle_.memory->board().state.load(std::memory_order::acquire));
  }
  bool is_deleted() const noexcept { return topic_state() == layout::TopicState::deleted; }
  void give_way() noexcept;
  void sleep_for_progress(std::uint32_t partition, std::uint32_t seq, Timeout patience) noexcept;

  const std::shared_ptr<BusState> bus_;
  const std::string topic_;
  const ProducerOptions options_;
  OpenHandle handle_;
  std::uint32_t partitions_ = 0;
  std::vector<ProducerLane> lanes_;
  std::optional<TopicBell> bell_;
  KeylessTurn turn_{1, 0, 0};
  shm::FastClock fast_clock_;
  shm::PreciseClock precise_clock_;
  Interrupt interrupt_;
  std::uint32_t pages_lost_ = 0;  // of shm::pages_lost, what this handle has dealt with

  // The one that is open, if any.
  Claim* claim_ = nullptr;
  Batch* batch_ = nullptr;

  // For why(): what was refused last.
  struct TooLarge {
    enum class What : std::uint8_t { nothing, key, headers, record, batch };
    What what = What::nothing;
    std::uint64_t bytes = 0;
    std::uint64_t bytes_max = 0;
  };
  TooLarge too_large_{};
  std::uint32_t refused_partition_ = 0;
  bool alone_ = false;  // as an exclusive producer, and nobody was told otherwise
  std::int64_t next_watch_ns_ = 0;
  bool watch_due_ = false;  // a record's time was later than that
  RecordOffset last_{};     // published last
  RecordOffset watched_{};  // what it was when the supervisor was watched last
};

}  // namespace ringway
