#include "daemon/memory_maker.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>

#include <optional>
#include <utility>

namespace ringway::daemon {

void MemoryMaker::make(const TopicIdentity& identity, const TopicSettings& settings,
                       std::uint32_t attachments, Done done) {
  orders_.enqueue({identity, settings, attachments, std::move(done)});
}

void MemoryMaker::let_go(std::shared_ptr<const void> last) {
  // Relaxed: whatever comes too late ends with the queue.
  if (stopping_.load(std::memory_order::relaxed)) return;
  Order order;
  order.last = std::move(last);
  orders_.enqueue(std::move(order));
}

void MemoryMaker::answer(std::function<void()> done) {
  // A thread that has ended stands in nobody's way. Relaxed: who asks is who stops it.
  if (stopping_.load(std::memory_order::relaxed)) return done();
  Order order;
  order.answer = std::move(done);
  orders_.enqueue(std::move(order));
}

void MemoryMaker::stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true, std::memory_order::relaxed);  // relaxed: the queue orders it
  orders_.enqueue({});
  thread_.join();
  jobs_.clear();
  // What orders hold may hold this: memory that is to be freed here when it goes.
  for (Order order; orders_.try_dequeue(order); order = {}) {
    if (order.answer) order.answer();
  }
}

void MemoryMaker::run() {
  ::prctl(PR_SET_NAME, "maker");
  while (!stopping_.load(std::memory_order::relaxed)) {  // relaxed: see stop()
    Order order;
    if (jobs_.empty()) {
      orders_.wait_dequeue(order);
    } else if (!orders_.try_dequeue(order)) {
      go_on();
      missing_bytes_.store(promised_bytes(), std::memory_order::relaxed);
      continue;
    }
    if (order.done) begin(order);
    if (order.answer) order.answer();
  }
}

std::uint64_t MemoryMaker::promised_bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (const Job& job : jobs_) bytes += job.memory.missing_bytes();
  return bytes;
}

void MemoryMaker::begin(const Order& order) {
  try {
    jobs_.push_back(
        {TopicMemoryInMaking(order.identity, order.settings, order.attachments, promised_bytes()),
         order.done});
  } catch (const Error& refused) {
    order.done(refused);
  } catch (const std::exception& failed) {
    order.done(Error(ErrorCode::failed, fmt::format("topic '{}'", order.identity.name),
                     failed.what(), ""));
  }
}

void MemoryMaker::go_on() {
  Job job = std::move(jobs_.front());
  jobs_.pop_front();
  try {
    job.memory.step();
  } catch (const Error& refused) {
    return job.done(refused);
  }
  if (job.memory.missing_bytes() == 0) return job.done(std::move(job.memory));
  jobs_.push_back(std::move(job));
}

}  // namespace ringway::daemon
