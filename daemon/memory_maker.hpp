#pragma once

#include <concurrentqueue/blockingconcurrentqueue.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <variant>

#include "daemon/topic_memory.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon {

/// Makes the memory of topics, and frees it, in a thread of its own: with a ring of some GiB that
/// takes seconds, in which the control thread has deaths to hear of. Several are made by turns, so
/// that a small one does not wait for a large one. A crash costs nothing: until the keeper has it,
/// it is nobody's.
class MemoryMaker {
 public:
  /// All that is missing is `missing_bytes() == 0`; else why it cannot be made.
  using Outcome = std::variant<TopicMemoryInMaking, Error>;
  /// Called in the maker's thread: hands over, and no more.
  using Done = std::function<void(Outcome)>;

  MemoryMaker() : thread_([this] { run(); }) {}
  ~MemoryMaker() { stop(); }
  MemoryMaker(const MemoryMaker&) = delete;
  MemoryMaker& operator=(const MemoryMaker&) = delete;

  /// Hands over and returns at once.
  void make(const TopicIdentity& identity, const TopicSettings& settings, std::uint32_t attachments,
            Done done);
  /// The kernel takes its time for pages that nobody has any more, too: the last owner of some
  /// hands them over, from any thread, and goes on.
  void let_go(std::shared_ptr<const void> last);
  /// `done` as soon as the thread comes round, or has come to its end. From the thread that stops.
  void answer(std::function<void()> done);
  /// Of what is being made, what is not there yet. From any thread.
  std::uint64_t missing_bytes() const noexcept {
    return missing_bytes_.load(std::memory_order::relaxed);  // a figure to look at
  }
  /// What is not made by now never is, and nothing is `done` any more. From one thread.
  void stop();

 private:
  struct Order {
    TopicIdentity identity;
    TopicSettings settings;
    std::uint32_t attachments = 0;
    Done done;                           ///< empty: nothing is ordered, but the thread wakes up
    std::shared_ptr<const void> last{};  ///< ends with the order
    std::function<void()> answer{};      ///< empty: nobody asks
  };
  struct Job {
    TopicMemoryInMaking memory;
    Done done;
  };

  void run();
  void begin(const Order& order);
  void go_on();
  std::uint64_t promised_bytes() const noexcept;

  moodycamel::BlockingConcurrentQueue<Order> orders_;
  std::deque<Job> jobs_;  ///< whose turn it is comes first
  std::atomic<std::uint64_t> missing_bytes_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace ringway::daemon
