#include "proof/stopped_producer.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "proof/violation.hpp"

namespace ringway::proof {
namespace {

using namespace std::chrono_literals;
using ringway::test::Child;

constexpr auto kPatience = 60s;

void publish(const std::string& socket, const std::string& topic, std::string_view text) {
  Bus bus = Bus::connect(socket);
  if (bus.producer(topic).publish(text).status != Status::ok) {
    throw Violation("another producer is refused");
  }
}

/// Everything up to that record.
std::vector<std::string> read_up_to(const std::string& socket, const std::string& topic,
                                    std::string_view last) {
  Bus bus = Bus::connect(socket);
  Consumer consumer = bus.consumer(topic, {.from = start()});
  std::vector<std::string> all;
  while (all.empty() || all.back() != last) {
    const RecordBatch batch = consumer.poll(1, kPatience);
    if (batch.status() == Status::timeout) throw Violation(fmt::format("'{}' is not seen", last));
    for (const RecordView& record : batch) all.emplace_back(record.value());
  }
  return all;
}

}  // namespace

StoppedProducer::StoppedProducer(const std::string& socket, const std::string& topic)
    : socket_(socket),
      topic_(topic),
      process_([&](Child& self) { play(self, *told_, socket, topic); }) {
  if (!process_.await()) throw Violation("no claim");
  publish(socket_, topic_, "behind");
}

void StoppedProducer::play(Child& self, Told& told, const std::string& socket,
                           const std::string& topic) {
  Bus bus = Bus::connect(socket);
  Producer producer = bus.producer(topic);
  Claim claim = producer.claim(4);
  std::memcpy(claim.payload().data(), "held", 4);
  self.reached();
  while (!told.may_go_on) std::this_thread::sleep_for(1ms);
  told.claim_stands = claim.commit().status == Status::ok;
  told.published_after = producer.publish("after").status == Status::ok;
}

void StoppedProducer::await_what_stands_behind() const {
  static_cast<void>(read_up_to(socket_, topic_, "behind"));
}

void StoppedProducer::go_on() {
  told_->may_go_on = true;
  if (process_.join() != 0 || !told_->published_after) {
    throw Violation("a producer that stood still cannot go on");
  }
}

void StoppedProducer::kill() {
  process_.kill();
}

void StoppedProducer::check(bool behind_was_seen) const {
  if (behind_was_seen && told_->claim_stands) {
    throw Violation("a claim stands in front of what was seen already");
  }
  publish(socket_, topic_, "end");
  std::vector<std::string> expected;
  if (told_->claim_stands) expected.emplace_back("held");
  expected.emplace_back("behind");
  if (told_->published_after) expected.emplace_back("after");
  expected.emplace_back("end");
  const auto found = read_up_to(socket_, topic_, "end");
  if (found != expected) {
    throw Violation(
        fmt::format("the topic holds {}, not {}", fmt::join(found, " "), fmt::join(expected, " ")));
  }
}

}  // namespace ringway::proof
