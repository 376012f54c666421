// The way of a record into the ring: what every publish goes through stands here, so that it is one
// run of instructions; what it seldom meets stands in producer_waiting.cpp and producer_state.cpp.
//
// Nothing of a record may lie in memory on that way: an aggregate that is stored by members and
// loaded as a whole waits for every store in front of it, which is longer than all the rest. So
// those of a claim are passed by value to what is not inlined, and are not const where a call fills
// them in: else GCC 12 leaves them in memory, where the call put them.

#include "client/producer_state.hpp"
#include "ring/bell.hpp"
#include "ringway/producer.hpp"

namespace ringway {

inline std::int64_t ProducerState::timestamp(const PublishOptions& options) noexcept {
  const std::int64_t now = clock_now();
  if (now >= next_watch_ns_) [[unlikely]]
    watch_supervisor(now);
  return options.timestamp_ns ? *options.timestamp_ns : now;
}

/// Whether such a record can ever be published; if not, remembers why.
inline bool ProducerState::admits(const RecordShape& shape, std::size_t payload_bytes,
                                  const PublishOptions& options) noexcept {
  if (shape.fits && shape.bytes() <= layout::claim_bytes_max(handle_.memory->ring_bytes()))
      [[likely]] {
    return true;
  }
  note_too_large(shape, payload_bytes, options);
  return false;
}

inline std::uint32_t ProducerState::partition_for(const PublishOptions& options) const noexcept {
  if (options_.partition) return *options_.partition;
  if (options.partition) return *options.partition;
  if (options.key) return partition_of(*options.key, partitions_);
  return turn_.partition();
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

inline Published ProducerState::close_claim(bool stands) noexcept {
  claim_ = nullptr;
  batch_ = nullptr;
  open_offsets_ = 0;
  return published(open_partition_, open_, open_keyless_, stands);
}

void ProducerState::settle_open_claim() noexcept {
  if (claim_ != nullptr) claim_->abort();
  if (batch_ != nullptr) batch_->abort();
}

Published ProducerState::publish(Bytes payload, const PublishOptions& options,
                                 Timeout timeout) noexcept {
  if (in_child()) [[unlikely]]
    return {Status::forked, {}};
  if (open_offsets_ != 0) [[unlikely]]
    settle_open_claim();
  RecordShape shape(payload.size(), options);
  if (!admits(shape, payload.size(), options)) return {Status::too_large, {}};
  const std::int64_t time = timestamp(options);
  const std::uint32_t partition = partition_for(options);
  ring::Claimed claimed = take(partition, shape.bytes(), 1, timeout);
  if (claimed.status != Status::ok) [[unlikely]]
    return {claimed.status, {}};
  std::byte* const to = write_frame(lanes_[partition].writer.view().at(claimed.position), shape,
                                    options, time, handle_.producer);
  if (!payload.empty()) std::memcpy(to, payload.text().data(), payload.size());
  return published(partition, claimed, !options.key, stamp(partition, claimed, 1));
}

void ProducerState::claim(Claim& into, std::size_t payload_bytes, const PublishOptions& options,
                          Timeout timeout) noexcept {
  into.status_ = Status::forked;
  if (in_child()) return;
  settle_open_claim();
  RecordShape shape(payload_bytes, options);
  into.status_ = Status::too_large;
  if (!admits(shape, payload_bytes, options)) return;
  const std::int64_t time = timestamp(options);
  const std::uint32_t partition = partition_for(options);
  ring::Claimed claimed = take(partition, shape.bytes(), 1, timeout);
  into.status_ = claimed.status;
  if (claimed.status != Status::ok) return;
  std::byte* const payload = write_frame(lanes_[partition].writer.view().at(claimed.position),
                                         shape, options, time, handle_.producer);
  into.producer_ = this;
  into.payload_ = {payload, payload_bytes};
  into.offset_ = {claimed.offset, partition};
  claim_ = &into;
  open_ = claimed;
  open_keyless_ = !options.key;
  open_partition_ = partition;
  open_offsets_ = 1;
}

Published ProducerState::commit(Claim&) noexcept {
  if (in_child()) return {Status::forked, {}};
  return close_claim(stamp(open_partition_, open_, open_offsets_));
}

void ProducerState::abort(Claim&) noexcept {
  claim_ = nullptr;
  if (in_child()) return;
  lanes_[open_partition_].writer.abort(open_, open_offsets_);
  static_cast<void>(close_claim(true));
}

void ProducerState::claim_batch(Batch& into, std::uint32_t records, std::size_t record_bytes,
                                const PublishOptions& options) noexcept {
  into.status_ = Status::forked;
  if (in_child()) return;
  settle_open_claim();
  const std::uint64_t bytes_max = layout::claim_bytes_max(handle_.memory->ring_bytes());
  const std::uint64_t each = layout::record_bytes(std::min(record_bytes, bytes_max), 0, 0);
  into.status_ = Status::too_large;
  too_large_ = {TooLarge::What::batch, each * records, bytes_max};
  if (records == 0 || record_bytes > bytes_max || each > bytes_max / records) return;
  open_time_ns_ = timestamp(options);
  const std::uint32_t partition = partition_for(options);
  ring::Claimed claimed = take(partition, each * records, records, options.timeout);
  into.status_ = claimed.status;
  if (claimed.status != Status::ok) return;
  into.producer_ = this;
  into.left_ = records;
  into.used_ = 0;
  into.cursor_ = claimed.position;
  into.end_ = claimed.first + claimed.bytes;
  into.offset_ = {claimed.offset, partition};
  batch_ = &into;
  open_ = claimed;
  open_keyless_ = !options.key;
  open_partition_ = partition;
  open_offsets_ = records;
}

std::byte* ProducerState::append(Batch& batch, const RecordShape& shape,
                                 const PublishOptions& options) noexcept {
  if (in_child() || batch.left_ == 0 || !shape.fits) return nullptr;
  // What is left must hold the skip of the records that are not used: a unit for each, or nobody
  // would follow it.
  const std::uint64_t rest = std::uint64_t{batch.left_ - 1} * layout::kUnitBytes;
  if (shape.bytes() + rest > batch.end_ - batch.cursor_) return nullptr;
  auto& writer = lanes_[open_partition_].writer;
  // One look at the clock for all: a record's time is that of its claim.
  const std::int64_t time = options.timestamp_ns ? *options.timestamp_ns : open_time_ns_;
  std::byte* const payload =
      write_frame(writer.view().at(batch.cursor_), shape, options, time, handle_.producer);
  // Nobody comes here before the claim's first stamp.
  if (batch.cursor_ != open_.position) writer.stamp_inner(batch.cursor_);
  batch.cursor_ += shape.bytes();
  --batch.left_;
  ++batch.used_;
  return payload;
}

Published ProducerState::commit(Batch& batch) noexcept {
  if (in_child()) return {Status::forked, {}};
  auto& writer = lanes_[open_partition_].writer;
  if (batch.cursor_ < batch.end_) {
    writer.view().store_header(batch.cursor_,
                               layout::skip_header(batch.end_ - batch.cursor_, batch.left_));
    if (batch.cursor_ != open_.position) writer.stamp_inner(batch.cursor_);
  }
  return close_claim(stamp(open_partition_, open_, open_offsets_));
}

void ProducerState::abort(Batch&) noexcept {
  batch_ = nullptr;
  if (in_child()) return;
  lanes_[open_partition_].writer.abort(open_, open_offsets_);
  static_cast<void>(close_claim(true));
}

// The handles. They tell the producer where they are, and it tells them when it goes.

Claim::Claim(Claim&& other) noexcept
    : producer_(std::exchange(other.producer_, nullptr)),
      status_(std::exchange(other.status_, Status::closed)),
      payload_(std::exchange(other.payload_, {})),
      offset_(other.offset_) {
  if (producer_ != nullptr) producer_->moved(*this);
}

Claim& Claim::operator=(Claim&& other) noexcept {
  if (this == &other) return *this;
  abort();
  producer_ = std::exchange(other.producer_, nullptr);
  status_ = std::exchange(other.status_, Status::closed);
  payload_ = std::exchange(other.payload_, {});
  offset_ = other.offset_;
  if (producer_ != nullptr) producer_->moved(*this);
  return *this;
}

Claim::~Claim() {
  abort();
}

Published Claim::commit() noexcept {
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
  producer->abort(*this);
}

Batch::Batch(Batch&& other) noexcept
    : producer_(std::exchange(other.producer_, nullptr)),
      status_(std::exchange(other.status_, Status::closed)),
      left_(std::exchange(other.left_, 0)),
      used_(std::exchange(other.used_, 0)),
      cursor_(other.cursor_),
      end_(other.end_),
      offset_(other.offset_) {
  if (producer_ != nullptr) producer_->moved(*this);
}

Batch& Batch::operator=(Batch&& other) noexcept {
  if (this == &other) return *this;
  abort();
  producer_ = std::exchange(other.producer_, nullptr);
  status_ = std::exchange(other.status_, Status::closed);
  left_ = std::exchange(other.left_, 0);
  used_ = std::exchange(other.used_, 0);
  cursor_ = other.cursor_;
  end_ = other.end_;
  offset_ = other.offset_;
  if (producer_ != nullptr) producer_->moved(*this);
  return *this;
}

Batch::~Batch() {
  abort();
}

std::optional<std::span<std::byte>> Batch::append(std::size_t payload_bytes,
                                                  const PublishOptions& options) noexcept {
  if (producer_ == nullptr) return {};
  std::byte* const payload = producer_->append(*this, RecordShape(payload_bytes, options), options);
  if (payload == nullptr) return {};
  return std::span(payload, payload_bytes);
}

bool Batch::append_copy(Bytes payload, const PublishOptions& options) noexcept {
  const auto to = append(payload.size(), options);
  if (!to) return false;
  if (!payload.empty()) std::memcpy(to->data(), payload.text().data(), payload.size());
  return true;
}

Published Batch::commit() noexcept {
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
  left_ = 0;
  producer->abort(*this);
}

}  // namespace ringway
