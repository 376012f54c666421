// Producer, as services see it.

#include "ringway/producer.hpp"

#include "client/forked.hpp"
#include "client/producer_state.hpp"

namespace ringway {

Producer::Producer(std::shared_ptr<ProducerState> state) noexcept : state_(std::move(state)) {}
Producer::Producer(Producer&&) noexcept = default;
Producer& Producer::operator=(Producer&& other) noexcept {
  if (this != &other) {
    release(state_);
    state_ = std::move(other.state_);
  }
  return *this;
}
Producer::~Producer() {
  release(state_);
}

Published Producer::publish(Bytes payload, const PublishOptions& options) noexcept {
  if (!state_) return {Status::closed, {}};
  return state_->publish(payload, options, options.timeout);
}

Published Producer::try_publish(Bytes payload, const PublishOptions& options) noexcept {
  if (!state_) return {Status::closed, {}};
  return state_->publish(payload, options, Timeout::zero());
}

Claim Producer::claim(std::size_t payload_bytes, const PublishOptions& options) noexcept {
  Claim claim;
  if (state_) state_->claim(claim, payload_bytes, options, options.timeout);
  return claim;
}

Claim Producer::try_claim(std::size_t payload_bytes, const PublishOptions& options) noexcept {
  Claim claim;
  if (state_) state_->claim(claim, payload_bytes, options, Timeout::zero());
  return claim;
}

Batch Producer::claim_batch(std::uint32_t records, std::size_t record_bytes,
                            const PublishOptions& options) noexcept {
  Batch batch;
  if (state_) state_->claim_batch(batch, records, record_bytes, options);
  return batch;
}

Status Producer::wait(RecordOffset offset, Level level, Timeout timeout) noexcept {
  return state_ ? state_->wait(offset, level, timeout) : Status::closed;
}

std::string Producer::why() const {
  return state_ ? state_->why() : "the producer is closed";
}
std::uint64_t Producer::record_bytes_max() const noexcept {
  return state_ ? state_->record_bytes_max() : 0;
}
std::uint32_t Producer::partitions() const noexcept {
  return state_ ? state_->partitions() : 0;
}
std::uint32_t Producer::identity() const noexcept {
  return state_ ? state_->identity() : 0;
}
bool Producer::exclusive() const noexcept {
  return state_ && state_->exclusive();
}
void Producer::interrupt() noexcept {
  if (state_) state_->interrupt();
}

}  // namespace ringway
