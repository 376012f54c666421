#include "daemon/partition_duty.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "daemon/told_waiters.hpp"
#include "layout/bell.hpp"
#include "shm/park.hpp"

namespace ringway::daemon {

namespace {

/// A claim that stays open for this long is named as what holds the partition up.
constexpr std::chrono::milliseconds kStuckAfter{100};
/// One that stays open for this long and that no slot speaks of was forged.
constexpr std::chrono::milliseconds kForgedAfter{1000};
/// How long the end of a ring in quarantine waits for its log.
constexpr std::chrono::milliseconds kSpoiledPatience{2000};

/// Others load the line of `own` all the time. Relaxed: it orders nothing.
template <class T>
void store_if_new(std::atomic<T>& own, T value) noexcept {
  if (own.load(std::memory_order::relaxed) != value) own.store(value, std::memory_order::relaxed);
}

}  // namespace

PartitionDuty::PartitionDuty(ServedTopic& topic, std::uint32_t partition,
                             storage::FileSystem& file_system, storage::WriteEngine& engine,
                             const EventLog& events)
    : topic_(topic),
      partition_(partition),
      events_(events, topic, partition),
      view_(topic.view(partition)),
      board_(view_.board()),
      bell_(topic.memory().bell(partition)),
      holes_(board_),
      follower_(view_, {0, 0}),
      ending_(view_) {
  // Relaxed: whoever wrote it is dead.
  quarantined_ = board_.hold.load(std::memory_order::relaxed) ==
                 static_cast<std::uint32_t>(layout::Hold::quarantined);
  // An orderly stop, or an ending, that could not finish left the tail closed.
  if (!quarantined_ && !ending_.retired()) {
    view_.tail().fetch_and(~layout::TailCodec::kClosed, std::memory_order::acq_rel);  // CLAIM
  }
  if (topic.settings().persist) {
    log_.emplace(topic, partition, file_system, engine, events);
    follower_ = CommitFollower(view_, log_->noted());
  } else {
    follower_ = CommitFollower::adopting(view_);
  }
  // As the limit says, not as the marks do: whoever served before may have died between the two,
  // and producers that wait at the limit bring nothing that would move the marks again.
  reusable_ = {board_.limit.load(std::memory_order::relaxed) - view_.ring_bytes(),  // own
               board_.anchor.load(std::memory_order::relaxed)};
}

PartitionDuty::Round PartitionDuty::follow_and_flush(SteadyTime now) {
  if (log_) log_->hear_waiters();
  const ring::Place before = follower_.committed();
  if (log_) log_->catch_up(before, now);
  if (!quarantined_) follow();
  if (log_) {
    if (log_->lost_ring_page() && !quarantined_) quarantine("a page of its ring cannot be read");
    log_->flush(now, hurries());
  }
  if (ending_.state() == RingEnding::State::none) {
    hand_back_space();
  } else if (ending_.state() != RingEnding::State::over) {
    over_since_ = now;
    if (quarantined_ || !ending_.look(follower_.committed(), handles_, storing_owner())) {
      ending_.give_up(follower_.committed());
    }
  }
  if (quarantined_) {
    ring::close(view_);  // again: who spoiled the ring, or stored over it, may have opened it
  } else {
    look_for_damage(now);
    if (draining_ && shared() && !tail_is_closed()) ring::close(view_);
  }
  say_why(now);
  wake_waiters();

  const bool awaited = handles_.unsettled() || limit_is_pinned_;
  return {follower_.committed().position - before.position,
          log_ ? log_->due(awaited) : SteadyTime::max()};
}

void PartitionDuty::follow() {
  if (!log_) {
    const bool looks = !something_came() || consumer_lags();
    if (const auto place = looks ? std::nullopt : place_to_jump_to()) {
      follower_.jump(*place);
      moved_ |= layout::kWaitsForAny;
      return;
    }
    // Where few come, faster than they do.
    if (!follower_.look_back(view_.ring_bytes() / (looks ? 2 : 32))) {
      quarantine("what was claimed in it cannot be followed", follower_.unlooked());
      return;
    }
  }
  bool log_keeps_up = log_ && log_->noted() == follower_.committed();
  const ring::Place before = follower_.committed();
  std::uint64_t bytes_max = view_.ring_bytes() / 4;
  if (ending_.retired()) bytes_max = std::min(bytes_max, end_position() - before.position);
  const ring::Found found = follower_.follow(
      bytes_max, [&](const ring::Place& place, const layout::RecordHeader& header) {
        if (log_keeps_up) log_keeps_up = log_->note(header);
        holes_.place(place);
      });
  if (follower_.committed() != before) moved_ |= layout::kWaitsForAny;
  if (found == ring::Found::corrupt) {
    quarantine("a producer wrote a record that cannot be followed");
  }
}

/// Without a log nobody needs to see each record where many come, and a look at all of them costs
/// who runs on the same core a tenth of its time. What the slots say (ring/settled.hpp) is enough
/// for the watermark and for handing back. A claim that nobody made, or a record that cannot be
/// followed, does not show there: follow() asks something_came(), so that no such claim at
/// `committed` is jumped over, and looks at the rest later. Where a look at the slots costs more
/// than the records these are looked at at once, as is all that holes lie in.
std::optional<ring::Place> PartitionDuty::place_to_jump_to() const noexcept {
  constexpr std::uint64_t kAsMuchAsASlot = 256;
  const ring::Place from = follower_.committed();
  const std::uint64_t many =
      from.position + std::max(view_.ring_bytes() / 64, handles_.producer_count() * kAsMuchAsASlot);
  if (ending_.retired() || !holes_.placed() || tail() < many) return {};
  const auto place = handles_.settled_from(view_, from);
  const bool worth_it = place && place->position >= many &&
                        place->position - from.position <= view_.ring_bytes() / 8;
  return worth_it ? place : std::nullopt;
}

/// A consumer that is an eighth of the ring behind may stand at a claim that nobody made, and hold
/// everybody up: nothing more is jumped over, and what was is looked at. Then `committed` is a
/// quarter past that claim at most, and the jump over it began another eighth before: all that
/// leads there is in the ring still (kept_without_log()).
bool PartitionDuty::consumer_lags() const noexcept {
  const std::uint64_t committed = follower_.committed().position;
  const std::uint64_t oldest =
      board_.limit.load(std::memory_order::relaxed) - view_.ring_bytes();  // own
  return handles_.lowest_pin(oldest) < committed - std::min(committed, view_.ring_bytes() / 8);
}

void PartitionDuty::hand_back_space() {
  ring::Place reusable = follower_.committed();
  if (log_) leave_out_of_log();
  if (!log_) {
    reusable.position -= std::min(reusable.position, kept_without_log());
  } else if (const auto durable = log_->reusable()) {
    reusable = *durable;
  } else {
    return;
  }
  const std::uint64_t gained = reusable.position - reusable_.position;
  const bool caught_up = !log_ || log_->caught_up();
  const bool worth_it =
      reusable.position > reusable_.position && (gained >= view_.ring_bytes() / 16 || caught_up);
  if (!worth_it && !limit_is_pinned_) return;
  const bool overwrites = topic_.memory().board().mode == layout::TopicMode::memory_overwrite;
  const std::uint64_t before = board_.limit.load(std::memory_order::relaxed);  // own
  const ring::LimitOutcome outcome = ring::publish_limit(
      view_, reusable, overwrites ? 0 : handles_.pin_count(),
      [&](std::size_t i) { return handles_.pin(i); }, nonces_);
  reusable_ = reusable;
  limit_is_pinned_ = outcome.pinned_by != ring::kNobody;
  if (limit_is_pinned_) {
    const PartitionHandles::Holder& holder = handles_.pin_holder(outcome.pinned_by);
    if (holder.handle != pinned_by_.handle) pinned_by_since_ = {};
    pinned_by_ = holder;
    pinned_at_ = handles_.pin(outcome.pinned_by);
  }
  if (outcome.limit != before) moved_ |= layout::kWaitsForSpace;
  if (outcome.hostile != 0) {
    if (board_.hostile_pins.fetch_add(outcome.hostile, std::memory_order::relaxed) == 0) {
      events_.say(Severity::warning, "hostile_pin", {{"effect", "ignored"}});
    }
  }
  if (!log_) publish_oldest_in_ring();
}

/// Without a log the oldest record that can be read is the first boundary not announced for reuse.
void PartitionDuty::publish_oldest_in_ring() {
  const std::uint64_t announced = board_.announced.load(std::memory_order::relaxed);  // own
  const ring::Place oldest =
      first_boundary(board_, announced - view_.ring_bytes(), follower_.committed());
  board_.first_offset.store(oldest.offset, std::memory_order::release);
}

/// Where the topic is rather to lose records from its log than to let producers wait for a device
/// that refuses: the log will go on at a later place, and the ring is used as if there were none.
void PartitionDuty::leave_out_of_log() {
  if (topic_.settings().when_disk_fails != WhenDiskFails::memory || !log_->may_skip()) return;
  // Nobody claims any more.
  if (quarantined_ || hurries()) return;
  const ring::Place committed = follower_.committed();
  const std::uint64_t announced = board_.announced.load(std::memory_order::relaxed);  // own
  // The largest claim, with filler before it.
  const bool room = tail() + view_.ring_bytes() / 2 <= announced;
  if (room || committed.position < kept_without_log()) return;
  const std::uint64_t segment_bytes = ring::ring_segment_bytes(view_.ring_bytes());
  const std::uint64_t from =
      (committed.position - kept_without_log()) / segment_bytes * segment_bytes;
  const ring::Place next = first_boundary(board_, from, committed);
  if (next.position > log_->written().position) log_->skip_to(next);
}

void PartitionDuty::say_why(SteadyTime now) {
  using layout::Hold;
  Hold hold = Hold::none;
  std::uint32_t pid = 0;
  const std::uint64_t end = tail();
  const bool unsettled = follower_.committed().position < end || sharing_stands();
  const bool wait_for_pin =
      limit_is_pinned_ &&
      end + view_.ring_bytes() / 4 > board_.limit.load(std::memory_order::relaxed);  // own
  if (!wait_for_pin) {
    pinned_since_ = pinned_by_since_ = {};
  } else {
    if (pinned_since_ == SteadyTime{}) pinned_since_ = now;
    if (pinned_by_since_ == SteadyTime{}) pinned_by_since_ = now;
  }
  if (!unsettled || follower_.committed().position != stuck_at_) {
    stuck_at_ = follower_.committed().position;
    stuck_since_ = now;
  }
  const bool stuck = unsettled && now - stuck_since_ >= kStuckAfter;
  if (quarantined_) {
    hold = Hold::quarantined;
  } else if (stuck) {
    // Before the device: that heals by itself, and says so in the log.
    hold = Hold::stopped_claim;
    if (const auto holder = handles_.claim_holder(stuck_at_)) {
      pid = holder->pid;
    } else if (sharing_stands()) {
      pid = owner_->pid;
    }
  } else if (log_ && log_->suspended() && !wait_for_pin) {
    hold = Hold::memory_only;
  } else if (const int error = log_ && !log_->suspended() ? log_->device_error() : 0; error != 0) {
    hold = error == -ENOSPC || error == -EDQUOT ? Hold::disk_full : Hold::disk_error;
  } else if (limit_is_pinned_) {
    const bool blocks = topic_.memory().board().mode == layout::TopicMode::memory_block;
    hold = blocks ? Hold::slow_consumer : Hold::pinned;
    pid = pinned_by_.pid;
  } else if (log_ &&
             end + view_.ring_bytes() / 4 > board_.limit.load(std::memory_order::relaxed)) {  // own
    hold = Hold::disk_slow;
  }
  // Of one in quarantine another ring follows, whatever the device says.
  store_if_new(topic_.device_refuses(partition_),
               log_ && log_->device_error() != 0 && !quarantined_);
  // For people; the two may be seen apart for a moment.
  store_if_new(board_.hold_pid, pid);
  store_if_new(board_.hold, static_cast<std::uint32_t>(hold));
}

void PartitionDuty::wake_waiters() {
  const LogFlush::Moved of_log = log_ ? log_->take_moved() : LogFlush::Moved{};
  moved_ |= of_log.levels;
  if (moved_ == 0) return;
  const std::uint32_t moved = std::exchange(moved_, 0) | layout::kWaitsForAny;
  // Either we see the waiter's flag, or it sees the moved watermark: both sides fence in between.
  ring::PartitionView::full_fence();
  // Relaxed: fenced. Who waits for something else only is left alone: a wake-up in vain costs it,
  // and us, as much as one that is not.
  if ((bell_.told_waiters.load(std::memory_order::relaxed) & of_log.words) != 0) {
    wake_told(board_, bell_, of_log.words);
  }
  if ((bell_.progress_waiters.load(std::memory_order::relaxed) & moved) == 0) return;
  bell_.progress_waiters.store(0,
                               std::memory_order::relaxed);  // relaxed: progress carries the order
  board_.progress.fetch_add(1, std::memory_order::release);  // PROGRESS
  shm::wake_all(board_.progress);
}

/// What an honest producer, dead or alive, cannot leave behind.
void PartitionDuty::look_for_damage(SteadyTime now) {
  const std::uint64_t end = tail();  // first: it may be what turns out to be lost
  if (topic_.memory().lost_ring_page(partition_)) {
    quarantine("a page of its ring was punched out while memory was short");
  } else if (end < board_.committed_position.load(std::memory_order::relaxed)) {  // own
    // Tail was loaded after the stamps that were followed: it was ahead of them, and only grows.
    quarantine("its tail was put back behind committed records");
  } else if (end > board_.limit.load(std::memory_order::relaxed)) {  // own
    quarantine("its tail was put ahead of what may be claimed");
  } else if (stuck_at_ == follower_.committed().position && now - stuck_since_ >= kForgedAfter &&
             unsettled() && !handles_.claimed(stuck_at_) && !something_came()) {
    // In this order: who has let go of the claim has stamped it before.
    quarantine("a claim stands in it that nobody made");
  }
}

void PartitionDuty::quarantine(std::string_view reason, ring::Place at) {
  quarantined_ = true;
  want_sharing();
  ring::close(view_);
  events_.say(Severity::error, "quarantined",
              {{"offset", at.offset},
               {"reason", reason},
               {"effect", "it takes no more records; what is in the log is served"},
               {"fix", "ringway topic alter NAME --ring SIZE makes a new ring"}});
}

void PartitionDuty::cancel_end() noexcept {
  // An orderly stop that came meanwhile closes the tail again.
  if (!quarantined_) ending_.cancel();
}

bool PartitionDuty::ended(SteadyTime now) const noexcept {
  if (ending_.state() != RingEnding::State::over) return false;
  // Who adopted a retired ring follows it once more: what is not in the log yet goes there.
  const bool followed = !ending_.retired() || follower_.committed().position == end_position();
  // Of a ring in quarantine there may be pages that can never be written.
  return (followed && log_drained()) ||
         (quarantined_ && !writing() && now - over_since_ >= kSpoiledPatience);
}

PartitionHandles::Open PartitionDuty::open_claims() const noexcept {
  if (ending_.state() != RingEnding::State::closing) return {};
  return handles_.open_claims(follower_.committed().position, tail(), storing_owner());
}

std::optional<Trouble> PartitionDuty::trouble(SteadyTime now) const noexcept {
  const TopicSettings& settings = topic_.settings();
  if (ending_.state() != RingEnding::State::none || quarantined_) return std::nullopt;
  if (settings.when_stopped != WhenStopped::wait && (unsettled() || sharing_stands()) &&
      stuck_at_ == follower_.committed().position &&
      now - stuck_since_ >= std::chrono::milliseconds(settings.stopped_after_ms)) {
    if (const auto holder = handles_.claim_holder(stuck_at_)) {
      return Trouble{.kind = Trouble::Kind::stopped_claim,
                     .partition = partition_,
                     .handle = holder->handle,
                     .pid = holder->pid};
    }
  }
  const std::chrono::milliseconds budget(settings.pin_budget_ms);
  if (log_ && limit_is_pinned_ && settings.pin_budget_ms != 0 && pinned_since_ != SteadyTime{} &&
      now - pinned_since_ >= budget) {
    return Trouble{.kind = Trouble::Kind::long_pin,
                   .partition = partition_,
                   .handle = pinned_by_.handle,
                   .pid = pinned_by_.pid,
                   .alone = now - pinned_by_since_ >= budget,
                   .pin = pinned_at_};
  }
  if (worn_out()) {
    return Trouble{.kind = Trouble::Kind::worn_out, .partition = partition_};
  }
  return std::nullopt;
}

bool PartitionDuty::want_sharing() noexcept {
  if (shared()) return false;
  owner_->sharing.want();
  return true;
}

bool PartitionDuty::sharing_stands() const noexcept {
  return !shared() && view_.share_wanted().load(std::memory_order::relaxed) != 0;  // own
}

bool PartitionDuty::quiet() const noexcept {
  return moved_ == 0 && !handles_.unsettled() && !limit_is_pinned_ &&
         (quarantined_ || follower_.looked_at_all()) &&
         (!log_ || (log_->quiet() && !log_->moved()));
}

bool PartitionDuty::something_came() const noexcept {
  layout::RecordHeader header;
  const std::uint64_t position = follower_.committed().position;
  return !quarantined_ && position < board_.announced.load(std::memory_order::relaxed) &&  // own
         ring::peek(view_, position, header) != ring::Found::nothing;
}

std::optional<std::uint64_t> PartitionDuty::tail_at_rest() const noexcept {
  const std::uint64_t word = view_.tail().load(std::memory_order::acquire);
  const layout::Tail tail = view_.codec().unpack(word);
  const bool followed = quarantined_
                            ? tail.closed
                            : !tail.closed && tail.position == follower_.committed().position;
  const bool logged = !log_ || log_->noted() == follower_.committed();
  if (!followed || !logged || !quiet() || hurries() || sharing_stands() || worn_out()) {
    return std::nullopt;
  }
  return word;
}

bool PartitionDuty::drained() const noexcept {
  if (!quarantined_ &&
      (!tail_is_closed() || follower_.committed().position != tail() || handles_.unsettled())) {
    return false;
  }
  return log_drained();
}

void PartitionDuty::note_settled(const PartitionHandles::Settled& settled) {
  if (settled.hostile) {
    events_.say(Severity::warning, "hostile_intent",
                {{"pid", settled.pid}, {"effect", "its slot was freed"}});
  }
  if (!settled.hole) return;
  holes_.add(settled);
  // What lay behind the claim is visible now, and its producers have long rung in vain.
  std::atomic<std::uint32_t>& bell_seq = topic_.memory().ring().bell_seq;
  bell_seq.fetch_add(1, std::memory_order::release);  // BELL
  shm::wake_all(bell_seq);
  events_.say(
      Severity::warning, "claim_repaired",
      {{"pid", settled.pid}, {"offsets", settled.hole->offsets}, {"bytes", settled.hole->bytes}});
}

}  // namespace ringway::daemon
