#include "proof/traffic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <thread>

#include "proof/violation.hpp"
#include "ringway/ringway.hpp"

namespace ringway::proof {
namespace {

using namespace std::chrono_literals;
using ringway::test::Child;

constexpr auto kPatience = 60s;
/// So many lie in the ring, not written, when it is lost.
constexpr auto kPause = 300us;
/// A record that lies so far back and is not written went with a ring.
constexpr std::uint64_t kWrittenSoon = 100'000;

}  // namespace

std::optional<std::uint64_t> Traffic::number_of(std::string_view record) {
  std::uint64_t number = 0;
  if (!record.starts_with('s')) return std::nullopt;
  const auto [end, error] =
      std::from_chars(record.data() + 1, record.data() + record.size(), number);
  if (error != std::errc() || end != record.data() + record.size()) {
    throw Violation("a record that nobody wrote");
  }
  return number;
}

Traffic::Traffic(const std::string& socket, const std::string& topic)
    : producer_([&](Child&) { publish(*told_, socket, topic); }),
      follower_([&](Child&) { follow(*told_, socket, topic); }) {
  must_go_on();
}

void Traffic::complain(Told& told, const std::string& what) {
  if (told.complained) return;
  std::strncpy(told.complaint, what.c_str(), sizeof told.complaint - 1);
  told.complained = true;
}

void Traffic::publish(Told& told, const std::string& socket, const std::string& topic) {
  Bus bus = Bus::connect(socket);
  Producer producer = bus.producer(topic);
  RecordOffset asked{};
  std::uint64_t asked_number = 0;
  for (std::uint64_t number = 1;; ++number) {
    const auto [status, offset] = producer.publish(fmt::format("s{}", number));
    if (status != Status::ok) {
      complain(told, fmt::format("a live producer was told {}", to_string(status)));
    }
    told.published = number;
    if (asked_number == 0 || asked_number + kWrittenSoon < number) {
      asked = offset;
      asked_number = number;
    }
    if (producer.wait(asked, Level::written, Timeout::zero()) == Status::ok) {
      told.written = asked_number;
      asked_number = 0;
    }
    std::this_thread::sleep_for(kPause);
  }
}

void Traffic::follow(Told& told, const std::string& socket, const std::string& topic) {
  Bus bus = Bus::connect(socket);
  Consumer consumer = bus.consumer(topic, {.from = start()});
  std::uint64_t last = 0, next_offset = 0;
  for (;;) {
    const RecordBatch batch = consumer.poll(1000, 1s);
    const bool gap = batch.status() == Status::not_found && told.memory_may_be_lost;
    if (batch.status() != Status::ok && batch.status() != Status::timeout && !gap) {
      complain(told, fmt::format("a live consumer was told {}", to_string(batch.status())));
    }
    for (const RecordView& record : batch) {
      if (record.offset() < next_offset) complain(told, "a live consumer saw an offset twice");
      next_offset = record.offset() + 1;
      const auto number = number_of(record.value());
      if (!number) continue;
      if (*number <= last || (*number != last + 1 && !told.memory_may_be_lost)) {
        complain(told, fmt::format("a live consumer saw record {} behind {}", *number, last));
      }
      told.seen = last = *number;
    }
  }
}

void Traffic::await(const std::atomic<std::uint64_t>& number, std::uint64_t at_least,
                    const char* who) const {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (number < at_least) {
    if (told_->complained) throw Violation(told_->complaint);
    if (std::chrono::steady_clock::now() > until) {
      throw Violation(
          fmt::format("a live {} does not go on from {} to {}", who, number.load(), at_least));
    }
    std::this_thread::sleep_for(100us);
  }
  if (told_->complained) throw Violation(told_->complaint);
}

void Traffic::must_go_on() const {
  await(told_->published, told_->published + 2, "producer");
  must_see(told_->published);
}

void Traffic::must_see(std::uint64_t number) const {
  // What was lost with a ring is not seen; what is published from now on is.
  if (told_->memory_may_be_lost) number = std::max(number, told_->seen + 1);
  await(told_->seen, number, "consumer");
}

}  // namespace ringway::proof
