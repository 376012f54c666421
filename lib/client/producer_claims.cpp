// The way of a record into the ring: what every publish goes through stands here, so that it is one
// run of instructions; what it seldom meets stands in producer_waiting.cpp and producer_state.cpp.
//
// Nothing of a record may lie in memory on that way: an aggregate that is stored by members and
// loaded as a whole waits for every store in front of it, which is longer than all the rest. So
// those of a claim are passed by value to what is not inlined, and are not const where a call fills
// them in: else GCC 12 leaves them in memory, where the call put them.

#include <new>
#include <utility>

#include "client/producer_state.hpp"
#include "ring/bell.hpp"
#include "ringway/producer.hpp"

namespace ringway {
namespace {

/// What is asked for besides a payload: nothing, most of the time. As a constant, so that this is
/// compiled into a way of its own, which looks for nothing.
constexpr PublishOptions kNothingMore{};

[[gnu::always_inline]] inline bool asks_for_more(const PublishOptions& options) noexcept {
  return options.key.has_value() || options.headers.size() != 0 || options.partition.has_value() ||
         options.timestamp_ns.has_value();
}

ClaimedBytes bytes_of(const ring::Claimed& claimed) noexcept {
  return {claimed.first, claimed.position, claimed.bytes};
}
ring::Claimed claimed_again(const ClaimedBytes& bytes, const RecordOffset& offset) noexcept {
  return {Status::ok, bytes.first, bytes.position, bytes.count, offset.value};
}

}  // namespace

/// Of a claim that was just won: the counter is read while the claim's locked instruction goes on,
/// and waits for nothing; in front of that it would be waited for.
inline std::int64_t ProducerState::timestamp(const PublishOptions& options) noexcept {
  const std::int64_t now = clock_now();
  if (now >= next_watch_ns_) [[unlikely]]
    watch_due_ = true;
  return options.timestamp_ns ? *options.timestamp_ns : now;
}

/// Whether the handle is as a claim needs it; what is due between two claims is done first.
inline bool ProducerState::ready() noexcept {
  if (in_child()) [[unlikely]]
    return false;
  if (holds_claim() || watch_due_) [[unlikely]]
    tidy_up();
  return true;
}

void ProducerState::tidy_up() noexcept {
  settle_open_claim();
  if (std::exchange(watch_due_, false)) watch_supervisor();
}

void ProducerState::settle_open_claim() noexcept {
  if (claim_ != nullptr) claim_->abort();
  if (batch_ != nullptr) batch_->abort();
}

/// Whether such a record can ever be published.
inline bool ProducerState::admits(const RecordShape& shape) const noexcept {
  return shape.fits && shape.bytes() <= layout::claim_bytes_max(handle_.memory->ring_bytes());
}

inline std::uint32_t ProducerState::partition_for(const PublishOptions& options) const noexcept {
  if (!options.key && !options.partition) return turn_.partition();
  if (options_.partition) return *options_.partition;
  if (options.partition) return *options.partition;
  return partition_of(*options.key, partitions_);
}

inline ring::Claimed ProducerState::take(std::uint32_t partition, std::uint64_t bytes,
                                         std::uint32_t offsets, Timeout timeout) noexcept {
  if (partition >= partitions_) [[unlikely]]
    return {Status::not_found, 0, 0, 0, 0};
  ring::Claimed claimed = lanes_[partition].writer.try_claim(bytes, offsets);
  if (claimed.status == Status::ok) [[likely]]
    return claimed;
  // By members: what a call fills in would lie in memory on the other way, too.
  ring::Claimed waited = take_waiting(partition, bytes, offsets, timeout);
  return {waited.status, waited.first, waited.position, waited.bytes, waited.offset};
}

/// COMMIT, unless bytes of the claim went where nobody sees them: then its offsets are skipped.
/// Whether the ring goes on.
inline bool ProducerState::stamp(std::uint32_t partition, const ring::Claimed& claim,
                                 std::uint32_t offsets) noexcept {
  // Relaxed: a fault is dealt with before the access that met it is over.
  if (shm::pages_lost.load(std::memory_order::relaxed) != pages_lost_) [[unlikely]] {
    if (skip_lost(partition, claim, offsets)) return true;
  }
  return lanes_[partition].writer.commit(claim);
}

/// After COMMIT, of which `stands` is the answer.
inline Published ProducerState::published(std::uint32_t partition, const ring::Claimed& claim,
                                          bool keyless, bool stands) noexcept {
  ring::ring_bell(*bell_);
  const RecordOffset offset{claim.offset, partition};
  last_ = offset;
  if (keyless) turn_.took(claim.bytes);
  Status status = Status::ok;
  if (!stands) [[unlikely]]
    status = settled(partition, claim);
  // Again: the stamp itself may have gone there.
  if (shm::pages_lost.load(std::memory_order::relaxed) != pages_lost_) [[unlikely]]
    status = after_loss(partition, status);
  return {status, offset};  // not last_: what was just stored in parts is slow to load as a whole
}

inline Published ProducerState::publish_with(Bytes payload, const PublishOptions& options,
                                             Timeout timeout) noexcept {
  RecordShape shape(payload.size(), options);
  if (!admits(shape)) [[unlikely]] {
    note_too_large(shape, payload.size(), options);
    return {Status::too_large, {}};
  }
  const std::uint32_t partition = partition_for(options);
  ring::Claimed claimed = take(partition, shape.bytes(), 1, timeout);
  if (claimed.status != Status::ok) [[unlikely]]
    return {claimed.status, {}};
  const std::int64_t time = timestamp(options);
  std::byte* const to = write_frame(lanes_[partition].writer.view().at(claimed.position), shape,
                                    options, time, handle_.producer);
  if (!payload.empty()) std::memcpy(to, payload.text().data(), payload.size());
  return published(partition, claimed, !options.key, stamp(partition, claimed, 1));
}

Published ProducerState::publish_more(Bytes payload, const PublishOptions& options,
                                      Timeout timeout) noexcept {
  return publish_with(payload, options, timeout);
}

inline Published ProducerState::publish(Bytes payload, const PublishOptions& options,
                                        Timeout timeout) noexcept {
  if (!ready()) [[unlikely]]
    return {Status::forked, {}};
  if (asks_for_more(options)) return publish_more(payload, options, timeout);
  return publish_with(payload, kNothingMore, timeout);
}

inline void ProducerState::claim_with(Claim& into, std::size_t payload_bytes,
                                      const PublishOptions& options, Timeout timeout) noexcept {
  RecordShape shape(payload_bytes, options);
  if (!admits(shape)) [[unlikely]] {
    into.status_ = Status::too_large;
    return note_too_large(shape, payload_bytes, options);
  }
  const std::uint32_t partition = partition_for(options);
  ring::Claimed claimed = take(partition, shape.bytes(), 1, timeout);
  into.status_ = claimed.status;
  if (claimed.status != Status::ok) [[unlikely]]
    return;
  const std::int64_t time = timestamp(options);
  std::byte* const payload = write_frame(lanes_[partition].writer.view().at(claimed.position),
                                         shape, options, time, handle_.producer);
  into.producer_ = this;
  into.keyless_ = !options.key;
  into.payload_ = {payload, payload_bytes};
  into.offset_ = {claimed.offset, partition};
  into.bytes_ = bytes_of(claimed);
  claim_ = &into;
}

void ProducerState::claim_more(Claim& into, std::size_t payload_bytes,
                               const PublishOptions& options, Timeout timeout) noexcept {
  claim_with(into, payload_bytes, options, timeout);
}

inline void ProducerState::claim(Claim& into, std::size_t payload_bytes,
                                 const PublishOptions& options, Timeout timeout) noexcept {
  into.status_ = Status::forked;
  if (!ready()) [[unlikely]]
    return;
  if (asks_for_more(options)) return claim_more(into, payload_bytes, options, timeout);
  claim_with(into, payload_bytes, kNothingMore, timeout);
}

inline Published ProducerState::commit(const Claim& claim) noexcept {
  if (in_child()) [[unlikely]]
    return {Status::forked, {}};
  claim_ = nullptr;
  const std::uint32_t partition = claim.offset_.partition;
  ring::Claimed claimed = claimed_again(claim.bytes_, claim.offset_);
  return published(partition, claimed, claim.keyless_, stamp(partition, claimed, 1));
}

/// Of a claim of `offsets` records: they are skipped.
void ProducerState::abort(const ClaimedBytes& bytes, RecordOffset offset, std::uint32_t offsets,
                          bool keyless) noexcept {
  claim_ = nullptr;
  batch_ = nullptr;
  if (in_child()) return;
  ring::Claimed claimed = claimed_again(bytes, offset);
  lanes_[offset.partition].writer.abort(claimed, offsets);
  static_cast<void>(published(offset.partition, claimed, keyless, true));
}

void ProducerState::claim_batch(Batch& into, std::uint32_t records, std::size_t record_bytes,
                                const PublishOptions& options) noexcept {
  into.status_ = Status::forked;
  if (!ready()) return;
  const std::uint64_t bytes_max = layout::claim_bytes_max(handle_.memory->ring_bytes());
  const std::uint64_t each = layout::record_bytes(std::min(record_bytes, bytes_max), 0, 0);
  into.status_ = Status::too_large;
  too_large_ = {TooLarge::What::batch, each * records, bytes_max};
  if (records == 0 || record_bytes > bytes_max || each > bytes_max / records) return;
  const std::uint32_t partition = partition_for(options);
  ring::Claimed claimed = take(partition, each * records, records, options.timeout);
  into.status_ = claimed.status;
  if (claimed.status != Status::ok) return;
  into.producer_ = this;
  into.keyless_ = !options.key;
  into.left_ = records;
  into.cursor_ = claimed.position;
  into.time_ns_ = timestamp(options);
  into.offset_ = {claimed.offset, partition};
  into.bytes_ = bytes_of(claimed);
  batch_ = &into;
}

inline std::byte* ProducerState::append_with(Batch& batch, std::size_t payload_bytes,
                                             const PublishOptions& options) noexcept {
  RecordShape shape(payload_bytes, options);
  if (batch.left_ == 0 || !shape.fits) return nullptr;
  // What is left must hold the skip of the records that are not used: a unit for each, or nobody
  // would follow it.
  const std::uint64_t rest = std::uint64_t{batch.left_ - 1} * layout::kUnitBytes;
  const std::uint64_t end = batch.bytes_.first + batch.bytes_.count;
  if (shape.bytes() + rest > end - batch.cursor_) return nullptr;
  auto& writer = lanes_[batch.offset_.partition].writer;
  // One look at the clock for all: a record's time is that of its claim.
  const std::int64_t time = options.timestamp_ns ? *options.timestamp_ns : batch.time_ns_;
  std::byte* const payload =
      write_frame(writer.view().at(batch.cursor_), shape, options, time, handle_.producer);
  // Nobody comes here before the claim's first stamp.
  if (batch.used_ != 0) writer.stamp_inner(batch.cursor_);
  batch.cursor_ += shape.bytes();
  --batch.left_;
  ++batch.used_;
  return payload;
}

std::byte* ProducerState::append_more(Batch& batch, std::size_t payload_bytes,
                                      const PublishOptions& options) noexcept {
  return append_with(batch, payload_bytes, options);
}

inline std::byte* ProducerState::append(Batch& batch, std::size_t payload_bytes,
                                        const PublishOptions& options) noexcept {
  if (in_child()) [[unlikely]]
    return nullptr;
  if (asks_for_more(options)) return append_more(batch, payload_bytes, options);
  return append_with(batch, payload_bytes, kNothingMore);
}

inline Published ProducerState::commit(const Batch& batch) noexcept {
  if (in_child()) return {Status::forked, {}};
  batch_ = nullptr;
  const std::uint32_t partition = batch.offset_.partition;
  auto& writer = lanes_[partition].writer;
  const std::uint64_t end = batch.bytes_.first + batch.bytes_.count;
  if (batch.cursor_ < end) {
    writer.view().store_header(batch.cursor_,
                               layout::skip_header(end - batch.cursor_, batch.left_));
    writer.stamp_inner(batch.cursor_);
  }
  ring::Claimed claimed = claimed_again(batch.bytes_, batch.offset_);
  return published(partition, claimed, batch.keyless_,
                   stamp(partition, claimed, batch.used_ + batch.left_));
}

// The handles. What they give away stands here with the way it goes: flat, as the compiler thinks
// that much too long to be inlined.

[[gnu::flatten]] Published Producer::publish(Bytes payload,
                                             const PublishOptions& options) noexcept {
  if (!state_) return {Status::closed, {}};
  return state_->publish(payload, options, options.timeout);
}

[[gnu::flatten]] Published Producer::try_publish(Bytes payload,
                                                 const PublishOptions& options) noexcept {
  if (!state_) return {Status::closed, {}};
  return state_->publish(payload, options, Timeout::zero());
}

[[gnu::flatten]] Claim Producer::claim(std::size_t payload_bytes,
                                       const PublishOptions& options) noexcept {
  Claim claim;
  if (state_) state_->claim(claim, payload_bytes, options, options.timeout);
  return claim;
}

[[gnu::flatten]] Claim Producer::try_claim(std::size_t payload_bytes,
                                           const PublishOptions& options) noexcept {
  Claim claim;
  if (state_) state_->claim(claim, payload_bytes, options, Timeout::zero());
  return claim;
}

[[gnu::flatten]] Batch Producer::claim_batch(std::uint32_t records, std::size_t record_bytes,
                                             const PublishOptions& options) noexcept {
  Batch batch;
  if (state_) state_->claim_batch(batch, records, record_bytes, options);
  return batch;
}

// Claims and batches tell the producer where they are, and it tells them when it goes.

Claim::Claim(Claim&& other) noexcept
    : producer_(std::exchange(other.producer_, nullptr)),
      status_(std::exchange(other.status_, Status::closed)),
      keyless_(other.keyless_),
      payload_(std::exchange(other.payload_, {})),
      offset_(other.offset_),
      bytes_(other.bytes_) {
  if (producer_ != nullptr) producer_->moved(*this);
}

Claim& Claim::operator=(Claim&& other) noexcept {
  if (this == &other) return *this;
  abort();
  return *new (this) Claim(std::move(other));
}

[[gnu::flatten]] Published Claim::commit() noexcept {
  ProducerState* const producer = std::exchange(producer_, nullptr);
  if (producer == nullptr) return {status_ == Status::ok ? Status::closed : status_, {}};
  status_ = Status::closed;
  payload_ = {};
  return producer->commit(*this);
}

void Claim::abort() noexcept {
  ProducerState* const producer = std::exchange(producer_, nullptr);
  if (producer == nullptr) return;
  status_ = Status::closed;
  payload_ = {};
  producer->abort(bytes_, offset_, 1, keyless_);
}

Batch::Batch(Batch&& other) noexcept
    : producer_(std::exchange(other.producer_, nullptr)),
      status_(std::exchange(other.status_, Status::closed)),
      keyless_(other.keyless_),
      left_(std::exchange(other.left_, 0)),
      used_(std::exchange(other.used_, 0)),
      cursor_(other.cursor_),
      time_ns_(other.time_ns_),
      offset_(other.offset_),
      bytes_(other.bytes_) {
  if (producer_ != nullptr) producer_->moved(*this);
}

Batch& Batch::operator=(Batch&& other) noexcept {
  if (this == &other) return *this;
  abort();
  return *new (this) Batch(std::move(other));
}

// Who asks for nothing more has no options made, which would be a quarter of the way.
[[gnu::flatten]] std::optional<std::span<std::byte>> Batch::append(
    std::size_t payload_bytes) noexcept {
  if (producer_ == nullptr) return {};
  std::byte* const payload = producer_->append(*this, payload_bytes, kNothingMore);
  if (payload == nullptr) return {};
  return std::span(payload, payload_bytes);
}

[[gnu::flatten]] std::optional<std::span<std::byte>> Batch::append(
    std::size_t payload_bytes, const PublishOptions& options) noexcept {
  if (producer_ == nullptr) return {};
  std::byte* const payload = producer_->append(*this, payload_bytes, options);
  if (payload == nullptr) return {};
  return std::span(payload, payload_bytes);
}

bool Batch::append_copy(Bytes payload, const PublishOptions& options) noexcept {
  const auto to = append(payload.size(), options);
  if (!to) return false;
  if (!payload.empty()) std::memcpy(to->data(), payload.text().data(), payload.size());
  return true;
}

[[gnu::flatten]] Published Batch::commit() noexcept {
  if (producer_ != nullptr && used_ == 0) {
    abort();
    return {Status::ok, offset_};
  }
  ProducerState* const producer = std::exchange(producer_, nullptr);
  if (producer == nullptr) return {status_ == Status::ok ? Status::closed : status_, {}};
  status_ = Status::closed;
  const Published published = producer->commit(*this);
  left_ = 0;
  return published;
}

void Batch::abort() noexcept {
  ProducerState* const producer = std::exchange(producer_, nullptr);
  if (producer == nullptr) return;
  status_ = Status::closed;
  producer->abort(bytes_, offset_, used_ + left_, keyless_);
  left_ = 0;
}

}  // namespace ringway
