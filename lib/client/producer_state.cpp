#include "client/producer_state.hpp"

#include <fmt/format.h>

#include <thread>

#include "client/log_gaps.hpp"
#include "layout/session.hpp"
#include "ring/bell.hpp"
#include "ringway/error.hpp"
#include "shm/descriptor_limit.hpp"

namespace ringway {
namespace {

// How often a healthy-looking supervisor is checked on while records are published.
constexpr std::int64_t kWatchEveryNs = 50'000'000;

control::Open open_request(const std::string& topic, bool exclusive) {
  control::Open request;
  request.topic = topic;
  request.role = layout::Role::producer;
  request.exclusive = exclusive;
  return request;
}

/// Waits for an exclusive producer to share; whoever wants to be one does not wait for others to
/// go.
OpenHandle open_in_time(BusState& bus, const std::string& topic, bool exclusive) {
  const Deadline deadline(bus.timeout());
  for (;;) {
    try {
      return bus.open(open_request(topic, exclusive), BusState::Patience::until_timeout);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::busy || exclusive || deadline.passed()) throw;
    }
  }
}

}  // namespace

ProducerState::ProducerState(std::shared_ptr<BusState> bus, std::string topic,
                             const ProducerOptions& options)
    : bus_(std::move(bus)), topic_(std::move(topic)), options_(options) {
  OpenHandle fresh = open_in_time(*bus_, topic_, options_.exclusive);
  try {
    if (options_.exclusive && !fresh.exclusive) {
      throw Error(ErrorCode::incompatible, topic_, "the supervisor knows no exclusive producers",
                  "let library and supervisor be of one installation");
    }
    if (options_.partition && *options_.partition >= fresh.memory->partitions()) {
      throw Error(ErrorCode::usage,
                  fmt::format("partition {} of topic '{}'", *options_.partition, topic_),
                  fmt::format("does not exist: the topic has {}", fresh.memory->partitions()),
                  "count from 0");
    }
    adopt(fresh);
  } catch (...) {
    bus_->close(fresh);
    throw;
  }
  turn_ = options_.partition
              ? KeylessTurn(partitions_, *options_.partition, KeylessTurn::kStays)
              : KeylessTurn(partitions_, handle_.producer, options_.keyless_batch_bytes);
}

ProducerState::~ProducerState() {
  settle_open_claim();
  bus_->close(handle_);
}

void ProducerState::adopt(OpenHandle fresh) {
  std::vector<ProducerLane> lanes;
  lanes.reserve(fresh.memory->partitions());
  for (std::uint32_t p = 0; p < fresh.memory->partitions(); ++p) {
    lanes.emplace_back(fresh.memory->view(p), fresh.slots[p]);
  }
  remember_levels(lanes);
  lanes_ = std::move(lanes);
  handle_ = std::move(fresh);
  partitions_ = handle_.memory->partitions();
  alone_ = handle_.exclusive;
  bell_.emplace(*handle_.memory, bus_->doorbell(), bus_->fenced_by_sleepers());
  pages_lost_ = 0;  // another handle may have lost some of it
}

void ProducerState::remember_levels(std::vector<ProducerLane>& fresh) {
  for (std::size_t p = 0; p < std::min(fresh.size(), lanes_.size()); ++p) {
    ProducerLane& old = lanes_[p];
    fresh[p].former = old.former;
    // Relaxed: a ring's base stands before anybody can open it.
    const auto base = fresh[p].board().base_offset.load(std::memory_order::relaxed);
    if (base == old.board().base_offset.load(std::memory_order::relaxed))
      continue;  // the same ring
    fresh[p].former.left({old.watermark(Level::committed), old.watermark(Level::written),
                          old.watermark(Level::durable)},
                         base);
  }
}

/// Who had the topic for itself has it again, unless somebody else was faster.
OpenHandle ProducerState::open_again(std::optional<std::uint64_t> moved) {
  control::Open request = open_request(topic_, options_.exclusive);
  request.moved = moved;
  if (options_.exclusive) {
    try {
      return bus_->open(request, BusState::Patience::none);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::busy) throw;
    }
    request.exclusive = false;
  }
  return bus_->open(request, BusState::Patience::none);
}

/// ok, also when it is to be tried again; closed: it is lost for good.
Status ProducerState::reopen() noexcept {
  try {
    // In the session it was opened in, the handle moves along; else there is none any more.
    const bool moves = bus_->session_serial() == handle_.session_serial;
    OpenHandle fresh = open_again(moves ? std::optional(handle_.handle) : std::nullopt);
    if (moves && fresh.handle == handle_.handle && fresh.memory == handle_.memory) {
      return Status::ok;
    }
    if (fresh.memory->identity().topic != handle_.memory->identity().topic) {
      bus_->close(fresh);
      throw Error(ErrorCode::not_found, topic_, "it was deleted and created anew", "");
    }
    adopt(std::move(fresh));
    bus_->log("severity=info event=producer_opened_again topic=\"{}\" generation={}", topic_,
              handle_.memory->identity().generation);
    return Status::ok;
  } catch (const shm::NoDescriptorLeft&) {
    return Status::no_descriptors;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::unavailable || error.code() == ErrorCode::timeout ||
        error.code() == ErrorCode::busy) {
      return Status::ok;
    }
    bus_->log("severity=error event=producer_lost topic=\"{}\" reason=\"{}\"", topic_,
              error.what());
    const bool for_good = error.code() == ErrorCode::not_found || error.code() == ErrorCode::denied;
    return for_good ? Status::closed : Status::ok;
  } catch (const std::exception& error) {
    bus_->log("severity=error event=producer_not_opened topic=\"{}\" reason=\"{}\"", topic_,
              error.what());
    return Status::ok;  // out of memory: tried again at the next occasion
  }
}

/// Who has the topic for itself and is wanted to share says so for all partitions, also for those
/// it never claims in.
void ProducerState::give_way() noexcept {
  if (!alone_ || holds_claim() || exclusive()) return;
  for (ProducerLane& lane : lanes_) lane.writer.give_way();
  alone_ = false;
}

/// Between two looks at the ring: attaches again where the supervisor or the ring was replaced. Not
/// with a claim open: that is settled in the ring it was made in.
Status ProducerState::keep_going() noexcept {
  if (is_deleted()) return Status::closed;
  const layout::TopicState state = topic_state();
  give_way();
  bus_->keep_attached();
  if (shm::pages_lost.load(std::memory_order::relaxed) != pages_lost_) map_anew();
  const bool elsewhere =
      state == layout::TopicState::replaced || bus_->session_serial() != handle_.session_serial;
  return elsewhere && !holds_claim() ? reopen() : Status::ok;
}

/// A ring whose supervisor died together with the keeper is nobody's any more, and nothing in it
/// says so: whoever publishes without ever waiting has to look. Only where the watermark stands
/// still is a system call spent on it.
void ProducerState::watch_supervisor() noexcept {
  next_watch_ns_ = clock_now() + kWatchEveryNs;
  give_way();
  // Relaxed: whether it moved is all that counts.
  const std::uint64_t committed =
      lanes_[watched_.partition].board().committed_offset.load(std::memory_order::relaxed);
  if (committed <= watched_.value) static_cast<void>(keep_going());
  watched_ = last_;
}

std::uint64_t ProducerState::record_bytes_max() const noexcept {
  return layout::claim_bytes_max(handle_.memory->ring_bytes()) - sizeof(layout::RecordHeader);
}

/// What became of a claim that was stamped while its ring was being retired: ok or fenced. Only a
/// supervisor that dies between two steps of that makes this last.
Status ProducerState::settled(std::uint32_t partition, ring::Claimed claim) noexcept {
  constexpr std::chrono::microseconds kLookAgain{100};
  for (;;) {
    switch (lanes_[partition].writer.verdict(claim)) {
      case ring::Verdict::accepted:
        return Status::ok;
      case ring::Verdict::voided:
        return Status::fenced;
      case ring::Verdict::pending:
        break;
    }
    bus_->keep_attached();
    // Supervisor and keeper are gone, and the ring with them: as with every record in it.
    if (bus_->session_serial() != handle_.session_serial) return Status::ok;
    std::this_thread::sleep_for(kLookAgain);
  }
}

Status ProducerState::wait(RecordOffset offset, Level level, Timeout timeout) noexcept {
  if (in_child()) return Status::forked;
  if (offset.partition >= partitions_) return Status::not_found;
  const bool persisted = handle_.memory->mode() == layout::TopicMode::persisted;
  if (level != Level::committed && !persisted) return Status::not_found;
  if (is_deleted()) return Status::closed;  // a publish into its memory need not come to know
  const Deadline deadline(timeout);
  for (;;) {
    ProducerLane& lane = lanes_[offset.partition];
    layout::BellPartition& bell = handle_.memory->bell(offset.partition);
    const bool by_offset = handle_.memory->tells_by_offset();
    const std::atomic<std::uint32_t>& told =
        by_offset ? lane.board().told[layout::told_word(offset.value)] : lane.board().progress;
    const std::uint32_t seq = told.load(std::memory_order::acquire);  // PROGRESS
    // In this order: a gap stands on the board before a watermark passes it.
    const bool passed = offset < lane.watermark(level);
    if (lost_to_log(lane.board(), offset.value, level)) return Status::not_found;
    if (const auto reached = lane.former.reached(offset.value, level)) {
      return *reached ? Status::ok : Status::not_found;
    }
    if (passed) return Status::ok;
    // Relaxed: it does not end.
    if (lane.board().hold.load(std::memory_order::relaxed) ==
        static_cast<std::uint32_t>(layout::Hold::quarantined)) {
      return Status::quarantined;
    }
    if (interrupt_.take()) return Status::interrupted;
    if (deadline.passed()) return Status::timeout;
    const std::uint64_t serial = handle_.session_serial;
    const auto memory = handle_.memory;
    const std::uint32_t state = memory->board().state.load(std::memory_order::acquire);
    if (const Status status = keep_going(); status != Status::ok) return status;
    // Opened anew, or in another ring: `lane` is gone.
    if (serial != handle_.session_serial || memory != handle_.memory) continue;
    if (level == Level::committed) {
      // Other producers settle what is in the way, and they ring the bell.
      bell_->prepare(interrupt_, deadline.sleep(kSleepMax));
      // The state, too: who rang because of it may have done so before the bell was looked at.
      ring::sleep_on_bell(*bell_, [&] {
        return offset < lane.watermark(level) ||
               memory->board().state.load(std::memory_order::acquire) != state;
      });
      continue;
    }
    // Whoever finds it set relies on the one that set it to ring.
    if (bell.sync_wanted.exchange(1, std::memory_order::release) == 0) {  // WANTED
      bell_->call_supervisor();
    }
    // Relaxed: a hint; the fence that follows orders it.
    if (by_offset) {
      const std::uint32_t word = layout::told_word(offset.value);
      bell.told_waiters.fetch_or(
          1U << (level == Level::durable ? word : word + layout::kToldWords),
          std::memory_order::relaxed);
    } else {
      bell.progress_waiters.fetch_or(
          level == Level::durable ? layout::kWaitsForDurable : layout::kWaitsForWritten,
          std::memory_order::relaxed);
    }
    ring::PartitionView::full_fence();
    if (offset < lane.watermark(level) || lost_to_log(lane.board(), offset.value, level)) continue;
    interrupt_.park(told, seq, deadline.sleep(kSleepMax));
  }
}

/// Until the supervisor moved something in the partition. The caller has raised progress_waiters,
/// fenced, and looked again.
void ProducerState::sleep_for_progress(std::uint32_t partition, std::uint32_t seq,
                                       Timeout patience) noexcept {
  bell_->call_supervisor();
  interrupt_.park(lanes_[partition].board().progress, seq, patience);
}

}  // namespace ringway
