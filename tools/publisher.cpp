#include "tools/publisher.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ringway/error.hpp"
#include "tools/bus_access.hpp"

namespace ringway::cli {
namespace {

using Clock = std::chrono::steady_clock;

// Long enough that a ring that turns at full load is nothing to talk about.
constexpr std::chrono::seconds kSayAfter{2};

}  // namespace

Publisher::Publisher(Producer& producer, const StopSignal& stop, Options options)
    : producer_(producer),
      stop_(stop),
      options_(std::move(options)),
      last_(producer.partitions()) {}

void Publisher::publish(const InputRecord& record) {
  PublishOptions options{.headers = options_.headers};
  if (record.has_key) options.key = record.key;
  for (;;) {
    options.timeout = step();
    const auto [status, offset] = producer_.publish(record.value, options);
    if (status == Status::ok) [[likely]] {
      if (offset.partition >= last_.size()) last_.resize(offset.partition + 1);
      last_[offset.partition] = offset;
      ++records_;
      bytes_ += record.key.size() + record.value.size();
      return;
    }
    if (status == Status::interrupted) continue;
    if (status != Status::timeout) fail(status, fmt::format("record {}", records_ + 1));
    if (stop_deadline_ && Clock::now() >= *stop_deadline_) {
      throw Error(ErrorCode::timeout, topic_thing(options_.topic),
                  fmt::format("{} records are published, and the ring stays full: {}", records_,
                              producer_.why()),
                  "publish the rest again");
    }
    say_why();
  }
}

void Publisher::wait(Level level) {
  for (const std::optional<RecordOffset>& last : last_) {
    if (!last) continue;
    for (;;) {
      const Status status = producer_.wait(*last, level, kSayAfter);
      if (status == Status::ok) break;
      if (stop_.requested()) return;
      if (status == Status::interrupted) continue;
      if (status != Status::timeout) {
        fail(status, fmt::format("partition {}, offset {}", last->partition, last->value));
      }
      say_why();
    }
  }
}

std::chrono::nanoseconds Publisher::step() {
  if (!stop_.requested()) return kSayAfter;
  const Clock::time_point now = Clock::now();
  if (!stop_deadline_) stop_deadline_ = now + options_.patience;
  const auto left = std::max<std::chrono::nanoseconds>(*stop_deadline_ - now, {});
  return std::min<std::chrono::nanoseconds>(left, kSayAfter);
}

void Publisher::say_why() {
  std::string why = producer_.why();
  if (why == said_) return;
  note(fmt::format("waiting: {}", why));
  said_ = std::move(why);
}

void Publisher::fail(Status status, std::string_view attempted) const {
  const std::string thing = fmt::format("{}, {}", topic_thing(options_.topic), attempted);
  switch (status) {
    case Status::too_large:
      throw Error(ErrorCode::limit, thing, producer_.why(),
                  "split it, or enlarge the topic's ring");
    case Status::closed:
      throw Error(ErrorCode::not_found, thing, "the topic was deleted, or the right was taken away",
                  "see: ringway topic list");
    case Status::quarantined:
      throw Error(ErrorCode::failed, thing, "the ring's content is corrupt: it takes nothing more",
                  "see what 'ringway inspect' says");
    case Status::not_found:
      throw Error(ErrorCode::failed, thing,
                  "the ring was lost before the record had reached the level",
                  "consume the topic's end, and publish what is missing");
    default:
      throw Error(ErrorCode::failed, thing, std::string(to_string(status)),
                  "see what 'ringway status' says");
  }
}

}  // namespace ringway::cli
