#include "daemon/flusher.hpp"

#include <concurrentqueue/concurrentqueue.h>
#include <poll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

#include "daemon/log_flush.hpp"
#include "daemon/short_slice.hpp"
#include "daemon/topic_duty.hpp"
#include "ringway/error.hpp"
#include "shm/barrier.hpp"
#include "shm/withheld.hpp"
#include "storage/write_engine.hpp"

namespace ringway::daemon {

namespace {

using Clock = std::chrono::steady_clock;

/// Every sleep ends within this, whatever hostile clients wrote into a bell.
constexpr std::chrono::milliseconds kLongestSleep{250};
/// So long the rounds go on before commands and completions have their turn again: a partition that
/// makes its file waits for the device several times, and there may be thousands.
constexpr std::chrono::milliseconds kSlice{2};
/// While draining, how long to wait for the device between two rounds.
constexpr std::chrono::milliseconds kDrainPause{1};

/// io_uring, or pwrite where there is none.
std::unique_ptr<storage::WriteEngine> best_engine(const EventLog& events) {
  using storage::EngineChoice;
  if (!shm::withheld("io_uring")) {
    try {
      return storage::make_write_engine(EngineChoice::io_uring);
    } catch (const Error& refused) {
      events.warning("io_uring_refused",
                     {{"why", refused.what()}, {"effect", "the log is written by pwrite"}});
    }
  }
  return storage::make_write_engine(EngineChoice::pwrite);
}

}  // namespace

class Flusher::Thread {
 public:
  explicit Thread(Options options)
      : options_(std::move(options)),
        own_doorbell_(options_.doorbells.make()),
        engine_(best_engine(options_.events)),
        thread_([this] { run(); }) {}

  ~Thread() {
    stopping_.store(true, std::memory_order::relaxed);  // relaxed: the doorbell's write orders it
    ring();
    thread_.join();
  }

  /// Chosen once: any thread may ask.
  std::string_view engine_name() const noexcept { return engine_->name(); }

  using Command = std::function<void(Thread&)>;

  void post(Command command) {
    queue_.enqueue(std::move(command));
    ring();
  }

  void add(std::shared_ptr<ServedTopic> topic) {
    topics_.push_back(std::make_unique<TopicDuty>(std::move(topic), options_.file_system, *engine_,
                                                  options_.events));
    if (drain_) topics_.back()->drain();
  }

  void remove(const ServedTopic* topic, std::function<void()> done) {
    const auto found = find(topic);
    if (found != topics_.end()) {
      finish_writes(**found);
      (*found)->let_go();
      topics_.erase(found);
    }
    done();
  }

  SegmentRemoval retire(const ServedTopic* topic, std::uint32_t partition,
                        std::uint64_t first_kept) {
    TopicDuty* const found = duty(topic);
    return found ? found->retire(partition, first_kept) : SegmentRemoval{};
  }

  void leave_segment(const ServedTopic* topic, std::uint32_t partition) {
    if (TopicDuty* found = duty(topic)) found->leave_segment(partition);
  }

  TopicDuty* duty(const ServedTopic* topic) {
    const auto found = find(topic);
    return found == topics_.end() ? nullptr : found->get();
  }

  void drain(Clock::time_point deadline, std::function<void(bool)> done) {
    for (auto& topic : topics_) topic->drain();
    drain_ = Drain{deadline, std::move(done)};
  }

 private:
  using Topics = std::vector<std::unique_ptr<TopicDuty>>;

  /// An orderly stop under way. Commands are still carried out: a producer that dies in mid-claim
  /// meanwhile must be repaired for the drain to end.
  struct Drain {
    Clock::time_point deadline;
    std::function<void(bool complete)> done;
  };

  Topics::iterator find(const ServedTopic* topic) {
    return std::find_if(topics_.begin(), topics_.end(),
                        [&](const auto& duty) { return &duty->topic() == topic; });
  }

  void ring() const noexcept { ring_doorbell(own_doorbell_.get()); }

  void run() {
    ask_for_short_slices();
    ::prctl(PR_SET_NAME, "flusher");
    // A batch that gathers does so for less than the 50 us by which sleeps are late else.
    ::prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
    while (!stopping_.load(std::memory_order::relaxed)) {  // relaxed: see ~Thread
      for (Command command; queue_.try_dequeue(command);) command(*this);
      // Before the round: what is completed has its next step in it, and its waiters are woken.
      reap(std::chrono::nanoseconds(0));
      const auto now = Clock::now();
      Clock::time_point wake_at = now + kLongestSleep;
      wake_at = std::min(wake_at, round(now));
      if (drain_) {
        look_whether_drained();
        wake_at = std::min(wake_at, now + kDrainPause);
      } else {
        lull_quiet_topics();
      }
      sleep_until(wake_at);
    }
    for (auto& topic : topics_) finish_writes(*topic);
  }

  /// A look at every topic that is awake, or at as many as fit in a slice: then the next call goes
  /// on where this one ended.
  Clock::time_point round(Clock::time_point now) {
    Clock::time_point due = Clock::time_point::max();
    for (std::size_t looked = 0; looked < topics_.size(); ++looked) {
      next_topic_ %= topics_.size();
      TopicDuty& topic = *topics_[next_topic_];
      if (topic.awake()) {
        due = std::min(due, topic.round(now, now + kSlice));
        if (!topic.round_is_over()) return now;
        if (const auto trouble = topic.trouble(now); trouble && options_.on_trouble) {
          options_.on_trouble(topic.shared(), *trouble);
        }
      }
      ++next_topic_;
      if (topic.awake() && Clock::now() >= now + kSlice) return now;
    }
    return due;
  }

  void look_whether_drained() {
    const bool complete = std::all_of(topics_.begin(), topics_.end(),
                                      [](const auto& topic) { return topic->drained(); });
    if (!complete && Clock::now() < drain_->deadline) return;
    const auto done = std::move(drain_->done);
    drain_.reset();
    done(complete);
  }

  /// Topics that had nothing to do ask their producers to ring, then look once more.
  void lull_quiet_topics() {
    const auto now = Clock::now();
    bool any = false;
    for (auto& topic : topics_) any = topic->lull(now) || any;
    if (!any) return;
    shm::ProcessBarrier::instance().issue();
    for (auto& topic : topics_) topic->look_again(now);
  }

  void sleep_until(Clock::time_point wake_at) {
    // Also where there is no time to sleep: topics that sleep must hear their producers ring.
    const auto left = std::max(std::chrono::nanoseconds(wake_at - Clock::now()), {});
    const timespec timeout{.tv_sec = left.count() / 1'000'000'000,
                           .tv_nsec = left.count() % 1'000'000'000};
    std::array<pollfd, 2> wait{
        {{options_.doorbells.fd(), POLLIN, 0}, {engine_->event_descriptor(), POLLIN, 0}}};
    const bool rung =
        ::ppoll(wait.data(), wait.size(), &timeout, nullptr) > 0 && (wait[0].revents & POLLIN) != 0;
    const auto now = Clock::now();
    const bool overdue = now >= full_look_at_;
    if (rung) options_.doorbells.answer();
    if (rung || overdue) {
      for (auto& topic : topics_) topic->rouse(now, overdue);
    }
    if (overdue) full_look_at_ = now + kLongestSleep;
  }

  void reap(std::chrono::nanoseconds timeout) {
    std::array<storage::Completion, 64> completions;
    for (;;) {
      const std::size_t count = engine_->reap(completions, timeout);
      for (std::size_t i = 0; i < count; ++i) {
        // The token is the partition's duty, which outlives what it has under way.
        LogFlush::complete(completions[i].token, completions[i].result);
      }
      if (count < completions.size()) return;
      timeout = std::chrono::nanoseconds(0);
    }
  }

  /// Nothing of the topic's memory or files may be touched by the device afterwards.
  void finish_writes(TopicDuty& topic) {
    while (topic.writing()) reap(kLongestSleep);
  }

  Options options_;
  shm::Descriptor own_doorbell_;
  std::unique_ptr<storage::WriteEngine> engine_;
  moodycamel::ConcurrentQueue<Command> queue_;
  Topics topics_;
  std::size_t next_topic_ = 0;
  Clock::time_point full_look_at_{};
  std::optional<Drain> drain_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

Flusher::Flusher(Options options) : thread_(std::make_unique<Thread>(std::move(options))) {}
Flusher::~Flusher() = default;

std::string_view Flusher::engine_name() const noexcept {
  return thread_->engine_name();
}

void Flusher::add(std::shared_ptr<ServedTopic> topic) {
  thread_->post(
      [topic = std::move(topic)](Thread& thread) mutable { thread.add(std::move(topic)); });
}

void Flusher::remove(std::shared_ptr<ServedTopic> topic, std::function<void()> done) {
  thread_->post([topic = std::move(topic), done = std::move(done)](Thread& thread) {
    thread.remove(topic.get(), done);
  });
}

void Flusher::attach(std::shared_ptr<ServedTopic> topic, HandleSlots handle,
                     std::function<void()> done) {
  thread_->post([topic = std::move(topic), handle = std::move(handle),
                 done = std::move(done)](Thread& thread) {
    if (TopicDuty* duty = thread.duty(topic.get())) duty->attach(handle);
    done();
  });
}

void Flusher::release(std::shared_ptr<ServedTopic> topic, std::uint64_t handle,
                      std::function<void(std::uint32_t)> done) {
  thread_->post([topic = std::move(topic), handle, done = std::move(done)](Thread& thread) {
    if (TopicDuty* duty = thread.duty(topic.get())) {
      duty->release(handle, done);
    } else {
      done(0);
    }
  });
}

void Flusher::share(std::shared_ptr<ServedTopic> topic, std::function<void()> done) {
  thread_->post([topic = std::move(topic), done = std::move(done)](Thread& thread) {
    if (TopicDuty* duty = thread.duty(topic.get())) {
      duty->share(done);
    } else {
      done();
    }
  });
}

void Flusher::retire(std::shared_ptr<ServedTopic> topic, std::uint32_t partition,
                     std::uint64_t first_kept, std::function<void(SegmentRemoval)> done) {
  thread_->post([topic = std::move(topic), partition, first_kept,
                 done = std::move(done)](Thread& thread) {
    done(thread.retire(topic.get(), partition, first_kept));
  });
}

void Flusher::leave_segment(std::shared_ptr<ServedTopic> topic, std::uint32_t partition,
                            std::function<void()> done) {
  thread_->post([topic = std::move(topic), partition, done = std::move(done)](Thread& thread) {
    thread.leave_segment(topic.get(), partition);
    done();
  });
}

void Flusher::end_ring(std::shared_ptr<ServedTopic> topic, RingEnd how,
                       std::function<void(RingEnded)> done) {
  thread_->post([topic = std::move(topic), how, done = std::move(done)](Thread& thread) {
    if (TopicDuty* duty = thread.duty(topic.get())) {
      duty->end_ring(Clock::now(), how, done);
    } else {
      done({});
    }
  });
}

void Flusher::answer(std::function<void()> done) {
  thread_->post([done = std::move(done)](Thread& /*comes round*/) { done(); });
}

void Flusher::drain(std::chrono::steady_clock::time_point deadline,
                    std::function<void(bool complete)> done) {
  thread_->post(
      [deadline, done = std::move(done)](Thread& thread) { thread.drain(deadline, done); });
}

}  // namespace ringway::daemon
