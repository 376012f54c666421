// Producer, as services see it; what publishes stands in producer_claims.cpp.

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
