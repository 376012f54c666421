#include "client/consumer_state.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "client/segment_source.hpp"
#include "ringway/error.hpp"
#include "shm/clock.hpp"
#include "shm/descriptor_limit.hpp"

namespace ringway {
namespace {

constexpr std::size_t kRecordsMax = 65'536;
// As many new ones at once do not come one by one.
constexpr std::size_t kStream = 4;

Error refused_start(const std::string& topic, std::uint32_t partition, Status status,
                    const StartPoint& from) {
  const std::string thing = fmt::format("{} partition {}", topic, partition);
  switch (status) {
    case Status::beyond_end:
      return Error(ErrorCode::not_found, thing,
                   fmt::format("offset {} does not exist yet", from.offset),
                   "start at the end, or below it");
    case Status::not_found:
      return Error(ErrorCode::not_found, thing,
                   fmt::format("offset {} is not kept any more", from.offset),
                   "start at the oldest record that is kept");
    case Status::no_descriptors:
      return shm::NoDescriptorLeft(thing, "its log could not be looked into");
    default:
      return Error(ErrorCode::unavailable, thing, "its log could not be looked into",
                   "see that ringwayd runs");
  }
}

}  // namespace

ConsumerState::ConsumerState(std::shared_ptr<BusState> bus, std::string topic,
                             const ConsumerOptions& options)
    : bus_(std::move(bus)), topic_(std::move(topic)), options_(options) {
  handle_ = open(BusState::Patience::until_timeout);
  try {
    partitions_ = handle_.memory->partitions();
    assigned_ = options_.partitions;
    std::sort(assigned_.begin(), assigned_.end());
    assigned_.erase(std::unique(assigned_.begin(), assigned_.end()), assigned_.end());
    if (assigned_.empty()) {
      for (std::uint32_t p = 0; p < partitions_; ++p) assigned_.push_back(p);
    }
    if (assigned_.back() >= partitions_) {
      throw Error(ErrorCode::usage,
                  fmt::format("partition {} of topic '{}'", assigned_.back(), topic_),
                  fmt::format("does not exist: the topic has {}", partitions_),
                  "count from 0");
    }
    cursors_ = cursors_on(handle_, PartitionCursor::Arrival::opened);
    bell_.emplace(*handle_.memory, bus_->doorbell(), bus_->fenced_by_sleepers());
    start(options_.from);
  } catch (...) {
    bus_->close(handle_);
    throw;
  }
}

ConsumerState::~ConsumerState() {
  for (PartitionCursor& cursor : cursors_) cursor.leave();
  bus_->close(handle_);
}

OpenHandle ConsumerState::open(BusState::Patience patience, std::optional<std::uint64_t> moved) {
  control::Open request;
  request.moved = moved;
  request.topic = topic_;
  request.role = layout::Role::consumer;
  if (!options_.cursor.empty()) {
    request.cursor = options_.cursor;
    request.protects = options_.protects;
  }
  return bus_->open(request, patience);
}

std::vector<PartitionCursor> ConsumerState::cursors_on(const OpenHandle& handle,
                                                       PartitionCursor::Arrival arrival) {
  std::vector<PartitionCursor> cursors;
  cursors.reserve(assigned_.size());
  const layout::TopicMode mode = handle.memory->mode();
  for (const std::uint32_t p : assigned_) {
    std::unique_ptr<LogSource> log;
    if (mode == layout::TopicMode::persisted) {
      log = std::make_unique<SegmentSource>(bus_, handle.memory->identity().topic, p);
    }
    cursors.emplace_back(p, handle.memory->view(p), handle.slots[p], mode, std::move(log), arrival);
  }
  return cursors;
}

/// A named cursor goes on where it was; everything else starts at `from`.
void ConsumerState::start(const StartPoint& from) {
  latencies_.start(shm::realtime_ns());
  for (PartitionCursor& cursor : cursors_) {
    const auto kept = handle_.cursor_offsets[cursor.partition()];
    PartitionCursor::Target target;
    if (kept) {
      target.offset = *kept;
    } else {
      target = cursor.resolve(from);
    }
    if (target.status != Status::ok) {
      throw refused_start(topic_, cursor.partition(), target.status, from);
    }
    cursor.go_to(target);
    if (kept) cursor.keep_committed();
  }
}

/// ok, also when it is to be tried again; closed: it is lost for good.
Status ConsumerState::reopen() noexcept {
  try {
    // In the session it was opened in, the handle moves along; else there is none any more.
    const bool moves = bus_->session_serial() == handle_.session_serial;
    OpenHandle fresh =
        open(BusState::Patience::none, moves ? std::optional(handle_.handle) : std::nullopt);
    if (moves && fresh.handle == handle_.handle && fresh.memory == handle_.memory) {
      return Status::ok;
    }
    if (fresh.memory->identity().topic != handle_.memory->identity().topic) {
      bus_->close(fresh);
      throw Error(ErrorCode::not_found, topic_, "it was deleted and created anew", "");
    }
    const bool moved = moves && fresh.handle == handle_.handle;
    copies_ = copies_ && moved;
    std::vector<PartitionCursor> cursors = cursors_on(
        fresh, moved ? PartitionCursor::Arrival::moved : PartitionCursor::Arrival::opened);
    for (std::size_t i = 0; i < cursors.size(); ++i) {
      if (copies_) cursors[i].copy_from_now_on();
      cursors[i].follow(cursors_[i]);
    }
    records_.clear();
    cursors_ = std::move(cursors);
    handle_ = std::move(fresh);
    bell_.emplace(*handle_.memory, bus_->doorbell(), bus_->fenced_by_sleepers());
    pages_lost_ = 0;  // another handle may have lost some of it
    bus_->log("severity=info event=consumer_opened_again topic=\"{}\" generation={}", topic_,
              handle_.memory->identity().generation);
    return Status::ok;
  } catch (const shm::NoDescriptorLeft&) {
    return Status::no_descriptors;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::unavailable || error.code() == ErrorCode::timeout) {
      return Status::ok;
    }
    bus_->log("severity=error event=consumer_lost topic=\"{}\" reason=\"{}\"", topic_,
              error.what());
    const bool for_good = error.code() == ErrorCode::not_found || error.code() == ErrorCode::denied;
    return for_good ? Status::closed : Status::ok;
  } catch (const std::exception& error) {
    bus_->log("severity=error event=consumer_not_opened topic=\"{}\" reason=\"{}\"", topic_,
              error.what());
    return Status::ok;  // out of memory: tried again at the next occasion
  }
}

Status ConsumerState::keep_going() noexcept {
  const auto state = static_cast<layout::TopicState>(
      handle_.memory->board().state.load(std::memory_order::acquire));
  if (state == layout::TopicState::deleted) return Status::closed;
  bus_->keep_attached();
  const bool lost = bus_->session_serial() != handle_.session_serial;
  if (lost || ring_was_replaced()) {
    if (const Status status = reopen(); status != Status::ok) return status;
  }
  return shm::pages_lost.load(std::memory_order::relaxed) == pages_lost_ ? Status::ok
                                                                         : after_loss();
}

/// Whether it is time to go on in another ring. What was in the old one is all in the log; without
/// a log it is read here to its end first.
bool ConsumerState::ring_was_replaced() noexcept {
  const auto state = static_cast<layout::TopicState>(
      handle_.memory->board().state.load(std::memory_order::acquire));
  if (state != layout::TopicState::replaced) return false;
  // After the state: it says that nothing more will come here.
  return handle_.memory->mode() == layout::TopicMode::persisted || !something_came();
}

bool ConsumerState::make_room(std::size_t records_max) noexcept {
  if (records_.capacity() >= records_max) return true;
  try {
    records_ = RecordList(records_max);
  } catch (const std::bad_alloc&) {
    // Less at a time, then.
  }
  return records_.capacity() != 0;
}

void ConsumerState::copy_from_now_on() noexcept {
  copies_ = true;
  for (PartitionCursor& cursor : cursors_) cursor.copy_from_now_on();
  bus_->log(
      "severity=warning event=consumer_copies topic=\"{}\" "
      "reason=\"it held records in place for too long\"",
      topic_);
}

Status ConsumerState::collect(std::size_t records_max) noexcept {
  records_.clear();
  if (!copies_ && handle_.copies()) [[unlikely]]
    copy_from_now_on();
  PartitionCursor::Harvest harvest{records_, std::min(records_max, records_.capacity()), gaps_};
  Status status = Status::ok;
  const std::size_t count = cursors_.size();
  std::size_t at = turn_ < count ? turn_ : 0;
  bool in_ring = true;
  for (std::size_t i = 0; i < count; ++i) {
    PartitionCursor& cursor = cursors_[at];
    if (records_.size() < harvest.records_max) {
      const Status one = cursor.collect(harvest);
      if (status == Status::ok) status = one;
      in_ring = in_ring && cursor.in_ring();
    } else {
      cursor.release();
    }
    if (++at == count) at = 0;
  }
  turn_ = turn_ + 1 < count ? turn_ + 1 : 0;
  in_stream_ = in_ring && records_.size() >= kStream;
  latencies_.give_out(records_.views(), handle_.slots[0], shm::realtime_ns);
  return status;
}

RecordBatch ConsumerState::poll(std::size_t records_max, Timeout timeout) noexcept {
  if (in_child()) [[unlikely]]
    return {{}, Status::forked};
  records_max = std::clamp<std::size_t>(records_max, 1, kRecordsMax);
  if (!make_room(records_max)) return {{}, Status::ok};
  Status loss = Status::ok;
  if (shm::pages_lost.load(std::memory_order::relaxed) != pages_lost_) [[unlikely]]
    loss = after_loss();
  // Relaxed: looked at again. An old ring that is still being read keeps its memory from others.
  if (handle_.memory->board().state.load(std::memory_order::relaxed) ==
          static_cast<std::uint32_t>(layout::TopicState::replaced) &&
      handle_.memory->mode() == layout::TopicMode::persisted) [[unlikely]] {
    advance();
    if (const Status going = keep_going(); going != Status::ok) return {{}, going};
  }
  if (in_stream_ && timeout > Timeout::zero()) keep_distance(timeout);
  Status status = collect(records_max);
  if (loss != Status::ok) [[unlikely]]
    return {records_.views(), loss};
  if (!records_.empty() || (status != Status::ok && status != Status::disconnected)) [[likely]] {
    return {records_.views(), status};
  }
  if (timeout <= Timeout::zero()) {
    if (const Status going = keep_going(); going != Status::ok) status = going;
    return {{}, status};
  }
  if (comes_at_once()) {
    status = collect(records_max);
    if (!records_.empty() || (status != Status::ok && status != Status::disconnected)) [[likely]]
      return {records_.views(), status};
  }
  const Deadline deadline(timeout);
  for (;;) {
    const Status waited = wait_until(deadline);
    if (waited != Status::ok) return {{}, waited};
    const std::uint64_t before = progress();
    status = collect(records_max);
    if (!records_.empty() || (status != Status::ok && status != Status::disconnected)) {
      return {records_.views(), status};
    }
    // What came was nothing to read: however much of that there is, the caller waits no longer.
    if (interrupt_.take()) return {{}, Status::interrupted};
    if (deadline.passed()) return {{}, Status::timeout};
    if (progress() != before) continue;
    // Something is there that cannot be had: asking in turns, the partitions would never rest.
    pause(deadline);
  }
}

Status ConsumerState::validate() const noexcept {
  if (in_child()) return Status::forked;
  for (const PartitionCursor& cursor : cursors_) {
    if (!cursor.intact()) return Status::lapped;
  }
  if (shm::pages_lost.load(std::memory_order::relaxed) != pages_lost_ && lost_ring_page()) {
    return Status::quarantined;
  }
  return Status::ok;
}

void ConsumerState::advance() noexcept {
  if (in_child()) return;
  records_.clear();
  for (PartitionCursor& cursor : cursors_) cursor.release();
}

Status ConsumerState::seek(const StartPoint& to) noexcept {
  if (in_child()) return Status::forked;
  advance();
  try {
    std::vector<PartitionCursor::Target> targets;
    for (PartitionCursor& cursor : cursors_) {
      targets.push_back(cursor.resolve(to));
      if (targets.back().status != Status::ok) return targets.back().status;
    }
    for (std::size_t i = 0; i < cursors_.size(); ++i) cursors_[i].go_to(targets[i]);
    latencies_.start(shm::realtime_ns());
  } catch (const std::bad_alloc&) {
    return Status::disconnected;
  }
  return Status::ok;
}

Status ConsumerState::seek(std::uint32_t partition, const StartPoint& to) noexcept {
  if (in_child()) return Status::forked;
  advance();
  for (PartitionCursor& cursor : cursors_) {
    if (cursor.partition() != partition) continue;
    const PartitionCursor::Target target = cursor.resolve(to);
    if (target.status != Status::ok) return target.status;
    cursor.go_to(target);
    latencies_.start(shm::realtime_ns());  // for all of them: there is one
    return Status::ok;
  }
  return Status::not_found;
}

Status ConsumerState::commit() noexcept {
  if (in_child()) return Status::forked;
  if (options_.cursor.empty()) return Status::not_found;
  for (PartitionCursor& cursor : cursors_) cursor.keep_committed();
  // Whoever stops says so before he looks for positions the last time: either he sees these, or we
  // see that he may not have.
  ring::PartitionView::full_fence();
  const auto state = static_cast<layout::TopicState>(
      handle_.memory->board().state.load(std::memory_order::acquire));
  return state == layout::TopicState::stopping ? Status::disconnected : Status::ok;
}

const PartitionCursor* ConsumerState::cursor(std::uint32_t partition) const noexcept {
  const auto found = std::lower_bound(assigned_.begin(), assigned_.end(), partition);
  if (found == assigned_.end() || *found != partition) return nullptr;
  return &cursors_[static_cast<std::size_t>(found - assigned_.begin())];
}

std::uint64_t ConsumerState::position(std::uint32_t partition) const noexcept {
  const PartitionCursor* const found = cursor(partition);
  return found != nullptr ? found->offset() : 0;
}

std::uint64_t ConsumerState::first_offset(std::uint32_t partition) const noexcept {
  if (in_child() || partition >= partitions_) return 0;
  return handle_.memory->board(partition).first_offset.load(std::memory_order::acquire);
}

std::uint64_t ConsumerState::watermark(std::uint32_t partition, Level level) noexcept {
  if (in_child() || partition >= partitions_) return 0;
  const layout::BoardPartition& board = handle_.memory->board(partition);
  switch (level) {
    case Level::committed:
      // By its own look where it follows the partition: exact, with or without a supervisor.
      if (const PartitionCursor* const found = cursor(partition)) {
        return const_cast<PartitionCursor*>(found)->committed_offset();
      }
      return board.committed_offset.load(std::memory_order::acquire);
    case Level::written:
      return board.written_offset.load(std::memory_order::acquire);
    case Level::durable:
      return board.durable_offset.load(std::memory_order::acquire);
  }
  return 0;
}

Lag ConsumerState::lag() noexcept {
  Lag sum;
  if (in_child()) return sum;
  for (PartitionCursor& cursor : cursors_) {
    const Lag one = cursor.lag();
    sum.records += one.records;
    sum.bytes += one.bytes;
  }
  return sum;
}

}  // namespace ringway
