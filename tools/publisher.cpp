#include "tools/publisher.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "control/shell_word.hpp"
#include "ringway/error.hpp"
#include "shm/descriptor_limit.hpp"
#include "tools/note.hpp"
#include "tools/quantity.hpp"
#include "tools/topic_error.hpp"

namespace ringway::cli {
namespace {

using Clock = std::chrono::steady_clock;

// Long enough that a ring that turns at full load is nothing to talk about.
constexpr std::chrono::seconds kSayAfter{2};
// Who asked to stop looks at the terminal.
constexpr std::chrono::milliseconds kSayEndingAfter{100};
// Records in front of the last one may be missing from the log: each is asked about. Enough of them
// that the producer hardly ever stands still meanwhile.
constexpr std::size_t kLoggedMax = std::size_t{1} << 20;

}  // namespace

Publisher::Publisher(Producer& producer, const StopSignal& stop, Options options)
    : producer_(producer),
      stop_(stop),
      options_(std::move(options)),
      last_(producer.partitions()) {}

void Publisher::publish(const InputRecord& record) {
  PublishOptions options{.headers = options_.headers};
  if (record.has_key) options.key = record.key;
  publish(record.value, options);
}

void Publisher::publish(std::string_view value, PublishOptions options) {
  const std::size_t key_bytes = options.key ? options.key->size() : 0;
  for (;;) {
    options.timeout = step();
    const auto [status, offset] = producer_.publish(value, options);
    if (status == Status::ok) [[likely]] {
      ++records_;
      bytes_ += key_bytes + value.size();
      return await_later(offset);
    }
    if (status == Status::interrupted) continue;
    const std::string attempted = fmt::format("record {}", records_ + 1);
    if (status != Status::timeout) fail(status, attempted);
    if (out_of_patience()) {
      throw Error(ErrorCode::timeout, fmt::format("{}, {}", topic_thing(options_.topic), attempted),
                  fmt::format("is not published, nor is what comes behind it: the ring stays full: "
                              "{}",
                              producer_.why()),
                  "publish them again");
    }
    say_why(attempted);
  }
}

void Publisher::await_later(RecordOffset offset) {
  if (options_.level != Level::committed) {
    logged_.push_back(offset);
    if (logged_.size() == kLoggedMax) wait();
    return;
  }
  if (offset.partition >= last_.size()) last_.resize(offset.partition + 1);
  last_[offset.partition] = offset;
}

void Publisher::wait() {
  for (const std::optional<RecordOffset>& last : last_) {
    if (last) await(*last);
  }
  for (const RecordOffset& offset : logged_) await(offset);
  logged_.clear();
}

void Publisher::await(RecordOffset offset) {
  for (;;) {
    const Status status = producer_.wait(offset, options_.level, step());
    if (status == Status::ok) return;
    if (status == Status::interrupted) continue;
    const std::string attempted =
        fmt::format("partition {}, offset {}", offset.partition, offset.value);
    if (status != Status::timeout) fail(status, attempted);
    if (out_of_patience()) {
      throw Error(ErrorCode::timeout, fmt::format("{}, {}", topic_thing(options_.topic), attempted),
                  fmt::format("has not reached the level yet: {}", producer_.why()),
                  "see what 'ringway status' says");
    }
    say_why(attempted);
  }
}

bool Publisher::out_of_patience() const noexcept {
  return stop_deadline_ && Clock::now() >= *stop_deadline_;
}

std::chrono::nanoseconds Publisher::step() {
  if (!stop_.requested()) return kSayAfter;
  const Clock::time_point now = Clock::now();
  if (!stop_deadline_) stop_deadline_ = now + options_.patience;
  const auto left = std::max<std::chrono::nanoseconds>(*stop_deadline_ - now, {});
  return std::min<std::chrono::nanoseconds>(left, said_ending_ ? kSayAfter : kSayEndingAfter);
}

void Publisher::say_why(std::string_view attempted) {
  std::string why = producer_.why();
  if (stop_deadline_ && !said_ending_) {
    note(fmt::format("ending: {} is waited for, up to {}: {}; a second signal ends it at once",
                     attempted, format_duration(options_.patience), why));
    said_ending_ = true;
    said_ = std::move(why);
    return;
  }
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
    case Status::no_descriptors:
      throw shm::NoDescriptorLeft(thing, "the topic's ring cannot be opened again");
    case Status::not_found:
      throw Error(ErrorCode::failed, thing,
                  "it went with its ring, or left memory while the disk refused, before it had "
                  "reached the level",
                  "see what is missing: " +
                      control::typed("ringway consume", {options_.topic}, "-o start -e"));
    default:
      throw Error(ErrorCode::failed, thing, std::string(to_string(status)),
                  "see what 'ringway status' says");
  }
}

}  // namespace ringway::cli
