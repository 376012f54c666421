#include "tools/consuming.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "control/shell_word.hpp"
#include "shm/clock.hpp"
#include "shm/descriptor_limit.hpp"
#include "tools/gap_note.hpp"
#include "tools/note.hpp"
#include "tools/stop_signal.hpp"
#include "tools/terminal.hpp"
#include "tools/topic_error.hpp"

namespace ringway::cli {
namespace {

constexpr std::size_t kPollRecords = 1024;
constexpr std::size_t kFlushBytes = 256 * 1024;
constexpr std::chrono::milliseconds kIdle{250};

/// Of a pipe: whoever read it is gone, and nothing has to be written to find out.
bool nobody_reads() {
  pollfd out{STDOUT_FILENO, 0, 0};
  return ::poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

}  // namespace

void Consuming::run() {
  const StopSignal stop(consumer_);
  while (left_ > 0 && !span_.finished(shm::realtime_ns()) && !stop.requested()) {
    const std::size_t wanted = std::min<std::uint64_t>(kPollRecords, left_);
    if (take(consumer_.poll(wanted)) > 0) {
      if (out_.size() >= kFlushBytes && !flush()) return;
      continue;
    }
    // Nothing more for now: what there is goes out before the wait.
    if (!flush() || nobody_reads()) return;
    if (span_.finished(shm::realtime_ns())) break;
    take(consumer_.poll(wanted, kIdle));
  }
  printer_.end(out_);
  ended_ = flush() && !stop.requested();
}

std::size_t Consuming::take(const RecordBatch& batch) {
  const RecordPrinter::Mark before = printer_.mark(out_);
  const std::uint64_t left_before = left_;
  for (const RecordView& record : batch) {
    if (!span_.wants(record)) continue;
    printer_.append(out_, record);
    --left_;
  }
  const Status intact = batch.empty() ? Status::ok : consumer_.validate();
  const Status status = batch.status();
  const std::size_t records = batch.size();
  if (intact != Status::ok) {
    printer_.rewind(out_, before);
    left_ = left_before;
    go_back_before(batch);
    judge(intact);
  }
  consumer_.advance();  // nobody waits for them while the output is blocked: they are text now
  for (const Gap& gap : consumer_.take_gaps()) note_gap(gap);
  say_gap();
  judge(status);
  return records;
}

/// Written over, or no longer there, while it was looked at: the next poll gives what is left.
void Consuming::go_back_before(const RecordBatch& batch) {
  std::map<std::uint32_t, std::uint64_t> first;
  for (const RecordView& record : batch) first.try_emplace(record.partition(), record.offset());
  for (const auto& [partition, offset] : first) {
    if (consumer_.seek(partition, at_offset(offset)) != Status::not_found) continue;
    static_cast<void>(consumer_.seek(partition, start()));
    note_gap({partition, offset, consumer_.position(partition), Status::lapped});
  }
}

/// Joins what hangs together, so that it is one line.
void Consuming::note_gap(const Gap& gap) {
  if (gap_ && gap_->partition == gap.partition && gap_->to == gap.from &&
      gap_->reason == gap.reason) {
    gap_->to = gap.to;
    return;
  }
  say_gap();
  gap_ = gap;
}

void Consuming::say_gap() {
  if (!gap_) return;
  damaged_ = damaged_ || gap_->reason == Status::corrupt;
  note(gap_note(options_.topic, *gap_, consumer_.first_offset(gap_->partition)));
  gap_.reset();
}

void Consuming::judge(Status status) {
  if (status != Status::disconnected) {
    waits_ = false;
  } else if (!std::exchange(waits_, true)) {
    note("waiting for the supervisor: what comes next is on disk");
  }
  switch (status) {
    case Status::quarantined:
      finish_badly();
      throw Error(ErrorCode::failed, topic_thing(options_.topic),
                  "a ring's content is corrupt: what follows cannot be read",
                  "see: " + control::typed("ringway inspect", {options_.topic}));
    case Status::closed:
      finish_badly();
      throw Error(ErrorCode::not_found, topic_thing(options_.topic),
                  "it was deleted, or the right to read it was taken away",
                  "see: ringway topic list");
    case Status::no_descriptors:
      finish_badly();
      throw shm::NoDescriptorLeft(topic_thing(options_.topic), "what comes next cannot be read");
    default:
      break;  // gaps were told; the rest passes
  }
}

void Consuming::finish_badly() {
  printer_.end(out_);
  static_cast<void>(flush());
}

/// False when nobody reads any more. A cursor moves only over what has left.
bool Consuming::flush() {
  if (!out_.empty() && write_all(STDOUT_FILENO, out_) != Written::all) return false;
  out_.clear();
  if (!options_.cursor.empty()) static_cast<void>(consumer_.commit());
  return true;
}

}  // namespace ringway::cli
