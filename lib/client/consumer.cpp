// Consumer, as services see it.

#include "ringway/consumer.hpp"

#include "client/consumer_state.hpp"
#include "client/forked.hpp"

namespace ringway {

Consumer::Consumer(std::shared_ptr<ConsumerState> state) noexcept : state_(std::move(state)) {}
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&& other) noexcept {
  if (this != &other) {
    release(state_);
    state_ = std::move(other.state_);
  }
  return *this;
}
Consumer::~Consumer() {
  release(state_);
}

RecordBatch Consumer::poll(std::size_t records_max, Timeout timeout) noexcept {
  if (!state_) return {{}, Status::closed};
  return state_->poll(records_max, timeout);
}
Status Consumer::validate() const noexcept {
  return state_ ? state_->validate() : Status::closed;
}
void Consumer::advance() noexcept {
  if (state_) state_->advance();
}
Status Consumer::seek(StartPoint to) noexcept {
  return state_ ? state_->seek(to) : Status::closed;
}
Status Consumer::seek(std::uint32_t partition, StartPoint to) noexcept {
  return state_ ? state_->seek(partition, to) : Status::closed;
}
std::uint64_t Consumer::position(std::uint32_t partition) const noexcept {
  return state_ ? state_->position(partition) : 0;
}
std::uint64_t Consumer::first_offset(std::uint32_t partition) const noexcept {
  return state_ ? state_->first_offset(partition) : 0;
}
std::uint64_t Consumer::committed_offset(std::uint32_t partition) const noexcept {
  return watermark(partition, Level::committed);
}
std::uint64_t Consumer::watermark(std::uint32_t partition, Level level) const noexcept {
  return state_ ? state_->watermark(partition, level) : 0;
}
Lag Consumer::lag() const noexcept {
  return state_ ? state_->lag() : Lag{};
}
std::uint32_t Consumer::partitions() const noexcept {
  return state_ ? state_->partitions() : 0;
}
std::span<const std::uint32_t> Consumer::assigned() const noexcept {
  return state_ ? state_->assigned() : std::span<const std::uint32_t>();
}
Status Consumer::wait(Timeout timeout) noexcept {
  return state_ ? state_->wait(timeout) : Status::closed;
}
Status Consumer::commit() noexcept {
  return state_ ? state_->commit() : Status::closed;
}
std::vector<Gap> Consumer::take_gaps() {
  return state_ ? state_->take_gaps() : std::vector<Gap>();
}
void Consumer::interrupt() noexcept {
  if (state_) state_->interrupt();
}

}  // namespace ringway
