#include "tools/bench/traffic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <ringway/bus.hpp>
#include <thread>
#include <vector>

namespace ringway::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kTick = 1ms;
constexpr auto kAskAgain = 300us;
constexpr auto kPatience = 120s;  // with a supervisor that starts: it is timed, not refused

/// The content of a record: whose it is, and its number there, in every word.
struct Content {
  std::uint64_t words[8];

  Content(std::uint32_t lane, std::uint64_t number) noexcept {
    std::fill(std::begin(words), std::end(words), std::uint64_t{lane} << 40 | number);
  }
  std::string_view bytes() const noexcept {
    return {reinterpret_cast<const char*>(words), sizeof words};
  }
};

/// The longest time between two events.
class PauseWatch {
 public:
  void mark() noexcept { last_ = Clock::now(), longest_ = {}; }
  void event() noexcept {
    const auto now = Clock::now();
    longest_ = std::max<Pause>(longest_, now - last_);
    last_ = now;
  }
  /// Also of a pause that goes on.
  Pause longest() const noexcept { return std::max<Pause>(longest_, Clock::now() - last_); }

 private:
  Clock::time_point last_ = Clock::now();
  Pause longest_{};
};

/// Answers orders that a role of traffic has; the finish is the caller's. True when it came.
bool obey(Channel& parent, PauseWatch& watch, Order& order) {
  const std::optional<Order> came = parent.receive<Order>();
  if (!came) return false;
  order = *came;
  if (order.kind == Order::Kind::mark) watch.mark();
  if (order.kind == Order::Kind::report) parent.send(watch.longest());
  return order.kind == Order::Kind::finish;
}

class Follower {
 public:
  Follower(Bus& bus, const TrafficShape& shape)
      : next_(shape.lanes()), partitions_(shape.partitions) {
    for (std::uint32_t topic = 0; topic < shape.topics; ++topic) {
      consumers_.push_back(bus.consumer(shape.topic(topic), {.from = start()}));
    }
  }

  /// How many came.
  std::size_t poll() {
    std::size_t came = 0;
    const Timeout patience = consumers_.size() == 1 ? Timeout(5ms) : Timeout::zero();
    for (std::uint32_t topic = 0; topic < consumers_.size(); ++topic) {
      const RecordBatch batch = consumers_[topic].poll(4096, patience);
      for (const RecordView& record : batch) check(topic, record);
      came += batch.size();
      const Status status = batch.status();
      if (batch.empty() && status != Status::ok && status != Status::timeout &&
          status != Status::disconnected) {
        throw Error(ErrorCode::failed, "poll", std::string(to_string(status)), "");
      }
    }
    if (came == 0 && consumers_.size() > 1) std::this_thread::sleep_for(100us);
    records_ += came;
    return came;
  }
  std::uint64_t records() const noexcept { return records_; }

 private:
  void check(std::uint32_t topic, const RecordView& record) {
    const std::uint32_t lane = topic * partitions_ + record.partition();
    const std::uint64_t number = next_[lane]++;
    if (record.value() == Content(lane, number).bytes()) return;
    throw Error(
        ErrorCode::failed,
        fmt::format("topic {} partition {} offset {}", topic, record.partition(), record.offset()),
        fmt::format("is not record {}, which should come next", number), "");
  }

  std::vector<Consumer> consumers_;
  std::vector<std::uint64_t> next_;
  std::uint32_t partitions_;
  std::uint64_t records_ = 0;
};

/// Repeats `ask` until a supervisor answers.
template <class Ask>
Attached first_answer(Ask&& ask) {
  for (;;) {
    try {
      ask();
      return Clock::now();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::unavailable) throw;
    }
    std::this_thread::sleep_for(kAskAgain);
  }
}

template <class Ask>
void answer_attach(Channel& parent, Ask&& ask) {
  parent.send(true);
  while (parent.await<Order>().kind == Order::Kind::attach) parent.send(first_answer(ask));
}

}  // namespace

std::string TrafficShape::topic(std::uint32_t index) const {
  return fmt::format("bench/{}", first + index);
}

void create_topics(const std::string& socket, const TrafficShape& shape, TopicChoices choices) {
  Bus bus = Bus::connect(ConnectOptions{.socket = socket, .timeout = kPatience});
  choices.partitions = shape.partitions;
  for (std::uint32_t topic = 0; topic < shape.topics; ++topic) {
    bus.create_topic(shape.topic(topic), choices);
  }
}

void play_traffic_producer(Channel& parent, const std::string& socket, const TrafficShape& shape) {
  Bus bus = Bus::connect(socket);
  std::vector<Producer> producers;
  for (std::uint32_t topic = 0; topic < shape.topics; ++topic) {
    producers.push_back(bus.producer(shape.topic(topic)));
  }
  parent.send(true);
  PauseWatch watch;
  Order order{};
  std::uint64_t records = 0;
  const std::uint64_t a_tick = std::max<std::uint64_t>(1, shape.records_per_s / (1s / kTick));
  for (auto due = Clock::now(); !obey(parent, watch, order);) {
    for (std::uint64_t i = 0; i < a_tick; ++i, ++records) {
      const auto lane = static_cast<std::uint32_t>(records % shape.lanes());
      Producer& producer = producers[lane / shape.partitions];
      const Content content(lane, records / shape.lanes());
      if (producer.publish(content.bytes(), {.partition = lane % shape.partitions}).status !=
          Status::ok) {
        throw Error(ErrorCode::failed, "publish", producer.why(), "");
      }
      watch.event();
    }
    due = std::max(due + kTick, Clock::now() - kTick);  // what a pause held up is not made up for
    std::this_thread::sleep_until(due);
  }
  parent.send(records);
}

void play_traffic_consumer(Channel& parent, const std::string& socket, const TrafficShape& shape) {
  Bus bus = Bus::connect(socket);
  Follower follower(bus, shape);
  parent.send(true);
  PauseWatch watch;
  Order order{};
  while (!obey(parent, watch, order)) {
    if (follower.poll() != 0) watch.event();
  }
  while (follower.records() < order.records) follower.poll();
  parent.send(follower.records());
}

void play_new_client(Channel& parent, const std::string& socket, const TrafficShape& shape) {
  answer_attach(parent, [&] {
    Bus::connect(ConnectOptions{.socket = socket, .timeout = kPatience}).producer(shape.topic(0));
  });
}

void play_old_client(Channel& parent, const std::string& socket, const TrafficShape& shape) {
  Bus bus = Bus::connect(ConnectOptions{.socket = socket, .timeout = kPatience});
  const Consumer consumer = bus.consumer(shape.topic(0));
  answer_attach(parent, [&] { bus.settings(shape.topic(0)); });
}

}  // namespace ringway::cli
