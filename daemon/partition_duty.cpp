#include "daemon/partition_duty.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "shm/clock.hpp"
#include "shm/park.hpp"
#include "shm/withheld.hpp"

namespace ringway::daemon {

namespace {

/// A device that refused is tried again after this.
constexpr std::chrono::milliseconds kRetryAfter{250};
/// A claim that stays open for this long is named as what holds the partition up.
constexpr std::chrono::milliseconds kStuckAfter{100};
/// One that stays open for this long and that no slot speaks of was forged.
constexpr std::chrono::milliseconds kForgedAfter{1000};
/// A log to which nothing came for this long notes in the file how far it is durable.
constexpr std::chrono::milliseconds kConfirmAfter{10};

/// How long the end of a ring in quarantine waits for its log.
constexpr std::chrono::milliseconds kSpoiledPatience{2000};

constexpr std::uint64_t kSyncBit = 1;  // duties are aligned, so the token's lowest bit is free

log::LogSettings log_settings(const TopicSettings& settings) {
  log::LogSettings out;
  out.segment_bytes = settings.segment_bytes;
  out.record_bytes_max = settings.ring_bytes / 2;  // a skip over filler and the largest claim
  if (shm::withheld("o_direct")) out.write_path = log::WritePath::buffered;
  return out;
}

}  // namespace

PartitionDuty::PartitionDuty(ServedTopic& topic, std::uint32_t partition,
                             storage::FileSystem& file_system, storage::WriteEngine& engine,
                             const EventLog& events)
    : topic_(topic),
      partition_(partition),
      events_(events),
      view_(topic.view(partition)),
      board_(view_.board()),
      bell_(topic.memory().bell(partition)),
      base_position_(board_.base_position.load(std::memory_order::relaxed)),  // fixed
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
    log_ = std::make_unique<log::PartitionLog>(
        file_system, engine, topic.directory(partition).string(),
        log::LogIdentity{topic.uuid(), partition, topic.epoch()}, log_settings(topic.settings()),
        std::move(topic.log_start(partition)));
    follower_ = CommitFollower(view_, ring_place(log_->noted()));
    submitted_ = log_->noted().position;
    publish_segments();
    publish_log_marks();
  } else {
    follower_ = CommitFollower(view_, CommitFollower::last_boundary(view_));
  }
  // As the limit says, not as the marks do: whoever served before may have died between the two,
  // and producers that wait at the limit bring nothing that would move the marks again.
  reusable_ = {board_.limit.load(std::memory_order::relaxed) - view_.ring_bytes(),  // own
               board_.anchor.load(std::memory_order::relaxed)};
}

void PartitionDuty::say(Severity severity, std::string_view event,
                        std::initializer_list<LogField> fields) const {
  std::vector<LogField> all{{"topic", topic_.name()}, {"partition", partition_}};
  all.insert(all.end(), fields);
  events_.write(severity, event, all);
}

PartitionDuty::Round PartitionDuty::follow_and_flush(SteadyTime now) {
  const ring::Place before = follower_.committed();
  if (persisted()) catch_up_log();
  if (!quarantined_) follow();
  if (persisted()) flush(now);
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

  Round round{follower_.committed().position - before.position, SteadyTime::max()};
  if (persisted() && writing() && !log_->can_submit()) return round;  // what it waits for wakes us
  if (persisted() && submitted_ < log_->noted().position) {
    round.due = std::max(
        retry_at_, pending_since_ + std::chrono::milliseconds(topic_.settings().sync_interval_ms));
  } else if (persisted() && !quiet() && !writing()) {
    round.due = retry_at_;
  }
  return round;
}

void PartitionDuty::follow() {
  bool log_keeps_up = persisted() && ring_place(log_->noted()) == follower_.committed();
  const ring::Place before = follower_.committed();
  std::uint64_t bytes_max = view_.ring_bytes() / 4;
  if (ending_.retired()) bytes_max = std::min(bytes_max, end_position() - before.position);
  const ring::Found found = follower_.follow(
      bytes_max, [&](const ring::Place& place, const layout::RecordHeader& header) {
        if (log_keeps_up) log_keeps_up = log_->note(header);
        if (!unplaced_holes_.empty()) place_holes(place);
      });
  if (follower_.committed() != before) moved_ = true;
  if (found == ring::Found::corrupt) {
    quarantine("a producer wrote a record that cannot be followed");
  }
}

/// Notes what was committed while the log could take nothing: it was full, or its device failed.
void PartitionDuty::catch_up_log() {
  ring::Place place = ring_place(log_->noted());
  const std::uint64_t end =
      std::min(follower_.committed().position, place.position + view_.ring_bytes() / 4);
  layout::RecordHeader header;
  while (place.position < end && ring::peek(view_, place.position, header) == ring::Found::record &&
         log_->note(header)) {
    place.pass(header);
  }
}

void PartitionDuty::flush(SteadyTime now) {
  if (log_->error() != 0) return recover_device(now);
  if (submitted_ == log_->noted().position) {
    pending_since_ = now;
    if (log_->can_confirm() && now >= retry_at_ && now - wrote_at_ >= kConfirmAfter) submit(now);
  } else if (log_->can_submit() && now >= retry_at_ && batch_is_due(now)) {
    submit(now);
  }
  // A full segment is synced whatever the policy: the next begins where it is durable.
  const bool wanted =
      hurries() || log_->full() || !log_->settled() || topic_.settings().sync != SyncPolicy::never;
  if (log_->can_sync() && wanted) {
    const int result = log_->submit_sync(reinterpret_cast<std::uint64_t>(this) | kSyncBit);
    if (result < 0) retry_at_ = now + kRetryAfter;
  }
}

void PartitionDuty::submit(SteadyTime now) {
  bell_.sync_wanted.store(0, std::memory_order::relaxed);  // relaxed: a hint
  const std::uint64_t end = log_->noted().position;
  const int result = log_->submit(topic_.stream(partition_), shm::realtime_ns(),
                                  reinterpret_cast<std::uint64_t>(this));
  if (result < 0) {
    retry_at_ = now + kRetryAfter;
    if (last_error_ != result) {
      say(Severity::error, "log_write_refused",
          {{"error", std::generic_category().message(-result)},
           {"effect", "producers wait once the ring is full"}});
    }
    last_error_ = result;
    heals_at_.reset();
    board_.write_errors.fetch_add(1, std::memory_order::relaxed);  // a counter
    return;
  }
  submitted_ = end;
  pending_since_ = wrote_at_ = now;
  if (last_error_ != 0 && !heals_at_) heals_at_ = end;
  if (segments_shown_ != log_->segments().size()) publish_segments();
}

bool PartitionDuty::batch_is_due(SteadyTime now) const {
  const TopicSettings& settings = topic_.settings();
  const std::uint64_t pending = log_->noted().position - submitted_;
  return settings.sync == SyncPolicy::every_batch || log_->full() || hurries() ||
         pending >= std::min(settings.sync_bytes, view_.ring_bytes() / 4) ||
         bell_.sync_wanted.load(std::memory_order::relaxed) != 0 ||  // relaxed: a hint
         now >= pending_since_ + std::chrono::milliseconds(settings.sync_interval_ms);
}

void PartitionDuty::complete(std::uint64_t token, int result) {
  auto& duty = *reinterpret_cast<PartitionDuty*>(token & ~kSyncBit);
  if ((token & kSyncBit) != 0) {
    duty.synced(result);
  } else {
    duty.wrote(result);
  }
}

void PartitionDuty::wrote(int result) {
  log_->wrote(result);
  board_.log_bytes.store(log_->bytes(), std::memory_order::relaxed);  // for people
  publish_log_marks();
}

void PartitionDuty::synced(int result) {
  log_->synced(result);
  publish_log_marks();
}

void PartitionDuty::publish_log_marks() {
  const log::LogPoint written = log_->written();
  const log::LogPoint durable =
      topic_.settings().sync == SyncPolicy::never ? written : log_->durable();
  // Relaxed loads: only this thread writes them. No acknowledged level is ever taken back (G8).
  if (written.offset > board_.written_offset.load(std::memory_order::relaxed)) {
    board_.written_position.store(written.position - base_position_, std::memory_order::release);
    board_.written_offset.store(written.offset, std::memory_order::release);  // WRITTEN
    moved_ = true;
  }
  if (durable.offset > board_.durable_offset.load(std::memory_order::relaxed)) {
    board_.durable_position.store(durable.position - base_position_, std::memory_order::release);
    board_.durable_offset.store(durable.offset, std::memory_order::release);  // DURABLE
    moved_ = true;
  }
  // What was under way when the device refused says nothing about it.
  if (heals_at_ && durable.position >= *heals_at_) {
    say(Severity::info, "log_healed", {});
    last_error_ = 0;
    heals_at_.reset();
  }
}

void PartitionDuty::publish_segments() {
  std::vector<log::SegmentInfo> segments = log_->segments();
  segments_shown_ = segments.size();
  board_.log_bytes.store(log_->bytes(), std::memory_order::relaxed);  // for people
  const std::uint64_t first = segments.empty() ? board_.base_offset.load(std::memory_order::relaxed)
                                               : segments.front().first.offset;
  board_.first_offset.store(first, std::memory_order::release);
  topic_.segments(partition_).assign(std::move(segments));
}

void PartitionDuty::retire(std::size_t count) {
  if (!persisted()) return;
  const std::vector<log::SegmentInfo> segments = log_->segments();
  if (count == 0 || count >= segments.size()) return;
  // Before the file goes: whoever asks for less is told that it is gone.
  board_.first_offset.store(segments[count].first.offset, std::memory_order::release);
  topic_.segments(partition_)
      .assign({segments.begin() + static_cast<std::ptrdiff_t>(count), segments.end()});
  const int result = log_->retire(count, false);
  if (result < 0) {
    say(Severity::warning, "segment_not_removed",
        {{"error", std::generic_category().message(-result)}});
  }
  publish_segments();
}

void PartitionDuty::recover_device(SteadyTime now) {
  if (!log_->idle()) return;
  const int error = log_->error();
  if (error == -EFAULT && !quarantined_) quarantine("a page of its ring cannot be read");
  if (last_error_ != error) {
    say(Severity::error, "log_write_failed",
        {{"error", std::generic_category().message(-error)},
         {"effect", "a new segment goes on from the durable end"}});
    last_error_ = error;
  }
  heals_at_.reset();
  board_.write_errors.fetch_add(1, std::memory_order::relaxed);  // a counter
  // The ring still holds everything from the durable end on: it is noted again from there.
  submitted_ = log_->restart().position;
  retry_at_ = now + kRetryAfter;
  publish_segments();
}

void PartitionDuty::hand_back_space() {
  ring::Place reusable = follower_.committed();
  if (!persisted()) {
    // What is handed back cannot be read any more, and there is no log to read it from. Producers
    // keep room for the largest claim with filler before it, and a segment to round down.
    reusable.position -= std::min(reusable.position, view_.ring_bytes() / 8 * 3);
  } else {
    const log::LogPoint durable =
        topic_.settings().sync == SyncPolicy::never ? log_->written() : log_->durable();
    if (durable.position < base_position_) return;
    reusable = ring_place(durable);
    reusable.position = reusable.position / layout::kPageBytes * layout::kPageBytes;
  }
  const std::uint64_t gained = reusable.position - reusable_.position;
  const bool caught_up = !persisted() || submitted_ == log_->durable().position;
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
  if (limit_is_pinned_) pinned_by_ = handles_.pin_holder(outcome.pinned_by);
  if (outcome.limit != before) moved_ = true;
  if (outcome.hostile != 0) {
    if (board_.hostile_pins.fetch_add(outcome.hostile, std::memory_order::relaxed) == 0) {
      say(Severity::warning, "hostile_pin", {{"effect", "ignored"}});
    }
  }
  if (!persisted()) publish_oldest_in_ring();
}

/// Without a log the oldest record that can be read is the first boundary not announced for reuse.
void PartitionDuty::publish_oldest_in_ring() {
  const std::uint64_t announced = board_.announced.load(std::memory_order::relaxed);  // own
  std::uint64_t oldest = follower_.committed().offset;
  for (const layout::Boundary& entry : board_.boundary) {
    // Relaxed: this thread writes them.
    const std::uint64_t position = entry.position.load(std::memory_order::relaxed);
    if (position + view_.ring_bytes() >= announced && position < follower_.committed().position) {
      oldest = std::min(oldest, entry.offset.load(std::memory_order::relaxed));
    }
  }
  board_.first_offset.store(oldest, std::memory_order::release);
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
    pinned_since_ = {};
  } else if (pinned_since_ == SteadyTime{}) {
    pinned_since_ = now;
  }
  if (!unsettled || follower_.committed().position != stuck_at_) {
    stuck_at_ = follower_.committed().position;
    stuck_since_ = now;
  }
  if (quarantined_) {
    hold = Hold::quarantined;
  } else if (last_error_ != 0) {
    hold = last_error_ == -ENOSPC || last_error_ == -EDQUOT ? Hold::disk_full : Hold::disk_error;
  } else if (unsettled && now - stuck_since_ >= kStuckAfter) {
    hold = Hold::stopped_claim;
    if (const auto holder = handles_.claim_holder(stuck_at_)) {
      pid = holder->pid;
    } else if (sharing_stands()) {
      pid = owner_->pid;
    }
  } else if (limit_is_pinned_) {
    const bool blocks = topic_.memory().board().mode == layout::TopicMode::memory_block;
    hold = blocks ? Hold::slow_consumer : Hold::pinned;
    pid = pinned_by_;
  } else if (persisted() &&
             end + view_.ring_bytes() / 4 > board_.limit.load(std::memory_order::relaxed)) {  // own
    hold = Hold::disk_slow;
  }
  // Relaxed: for people; the two may be seen apart for a moment.
  board_.hold_pid.store(pid, std::memory_order::relaxed);
  board_.hold.store(static_cast<std::uint32_t>(hold), std::memory_order::relaxed);
}

void PartitionDuty::wake_waiters() {
  if (!moved_) return;
  moved_ = false;
  // Either we see the waiter's flag, or it sees the moved watermark: both sides fence in between.
  ring::PartitionView::full_fence();
  if (bell_.progress_waiters.load(std::memory_order::relaxed) == 0) return;  // relaxed: fenced
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

void PartitionDuty::quarantine(std::string_view reason) {
  quarantined_ = true;
  want_sharing();
  ring::close(view_);
  say(Severity::error, "quarantined",
      {{"offset", follower_.committed().offset},
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
      return Trouble{Trouble::Kind::stopped_claim, partition_, holder->handle, holder->pid};
    }
  }
  if (persisted() && limit_is_pinned_ && settings.pin_budget_ms != 0 &&
      pinned_since_ != SteadyTime{} &&
      now - pinned_since_ >= std::chrono::milliseconds(settings.pin_budget_ms)) {
    return Trouble{Trouble::Kind::long_pin, partition_, 0, pinned_by_};
  }
  // Not by the tail, which a producer may have put anywhere.
  if (follower_.committed().position >= view_.codec().position_end() / 2) {
    return Trouble{Trouble::Kind::worn_out, partition_, 0, 0};
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
  if (handles_.unsettled() || limit_is_pinned_ || writing()) return false;
  return !persisted() ||
         (log_->error() == 0 && submitted_ == log_->noted().position && !log_->can_confirm() &&
          (topic_.settings().sync == SyncPolicy::never || log_->durable() == log_->noted()));
}

bool PartitionDuty::something_came() const noexcept {
  layout::RecordHeader header;
  const std::uint64_t position = follower_.committed().position;
  return !quarantined_ && position < board_.announced.load(std::memory_order::relaxed) &&  // own
         ring::peek(view_, position, header) != ring::Found::nothing;
}

bool PartitionDuty::drained() const noexcept {
  if (!quarantined_ &&
      (!tail_is_closed() || follower_.committed().position != tail() || handles_.unsettled())) {
    return false;
  }
  return log_drained();
}

bool PartitionDuty::log_drained() const noexcept {
  return !persisted() ||
         (!writing() && log_->error() == 0 && !log_->can_confirm() &&
          log_->durable().position == base_position_ + follower_.committed().position);
}

void PartitionDuty::note_settled(const PartitionHandles::Settled& settled) {
  if (settled.hostile) {
    say(Severity::warning, "hostile_intent",
        {{"pid", settled.pid}, {"effect", "its slot was freed"}});
  }
  if (!settled.hole) return;
  const std::uint64_t index = board_.repairs.load(std::memory_order::relaxed);  // own
  layout::Hole& hole = board_.hole[index % layout::kHoles];
  // Relaxed: for people, published by `repairs`.
  hole.position.store(settled.hole->position, std::memory_order::relaxed);
  hole.bytes.store(settled.hole->bytes, std::memory_order::relaxed);
  hole.offset.store(layout::kNoOffset, std::memory_order::relaxed);
  hole.offsets.store(settled.hole->offsets, std::memory_order::relaxed);
  hole.pid.store(settled.pid, std::memory_order::relaxed);
  hole.repaired_at_ns.store(static_cast<std::uint64_t>(shm::realtime_ns()),
                            std::memory_order::relaxed);
  board_.repairs.store(index + 1, std::memory_order::release);
  unplaced_holes_.push_back(&hole);
  // What lay behind the claim is visible now, and its producers have long rung in vain.
  std::atomic<std::uint32_t>& bell_seq = topic_.memory().ring().bell_seq;
  bell_seq.fetch_add(1, std::memory_order::release);  // BELL
  shm::wake_all(bell_seq);
  say(Severity::warning, "claim_repaired",
      {{"pid", settled.pid}, {"offsets", settled.hole->offsets}, {"bytes", settled.hole->bytes}});
}

/// A claim's offset is known only when everything before it is settled.
void PartitionDuty::place_holes(const ring::Place& place) noexcept {
  std::erase_if(unplaced_holes_, [&](layout::Hole* hole) {
    if (hole->position.load(std::memory_order::relaxed) != place.position) return false;  // own
    hole->offset.store(place.offset, std::memory_order::relaxed);  // for people
    return true;
  });
}

}  // namespace ringway::daemon
