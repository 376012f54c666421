#include "daemon/log_flush.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "layout/bell.hpp"
#include "shm/clock.hpp"
#include "shm/withheld.hpp"

namespace ringway::daemon {
namespace {

/// A device that refused is tried again after this.
constexpr std::chrono::milliseconds kRetryAfter{250};
/// A log to which nothing came for this long notes in the file how far it is durable.
constexpr std::chrono::milliseconds kConfirmAfter{10};

/// However long a sync takes, a batch waits no longer for others to come.
constexpr std::chrono::nanoseconds kGathersMax = std::chrono::milliseconds(1);
/// More than this goes out while an earlier batch is synced.
constexpr std::uint64_t kAtOnceMax = 256 * 1024;

constexpr std::uint64_t kSyncBit = 1;  // objects are aligned, so the token's lowest bit is free

log::LogSettings log_settings(const TopicSettings& settings) {
  log::LogSettings out;
  out.segment_bytes = settings.segment_bytes;
  out.synced = settings.sync != SyncPolicy::never;
  out.record_bytes_max = settings.ring_bytes / 2;  // a skip over filler and the largest claim
  if (shm::withheld("o_direct")) out.write_path = log::WritePath::buffered;
  return out;
}

}  // namespace

LogFlush::LogFlush(ServedTopic& topic, std::uint32_t partition, storage::FileSystem& file_system,
                   storage::WriteEngine& engine, const EventLog& events)
    : topic_(topic),
      partition_(partition),
      events_(events, topic, partition),
      view_(topic.view(partition)),
      board_(view_.board()),
      bell_(topic.memory().bell(partition)),
      base_position_(board_.base_position.load(std::memory_order::relaxed)),  // fixed
      gaps_(board_),
      log_(file_system, engine, topic.directory(partition).string(),
           log::LogIdentity{topic.uuid(), partition, topic.epoch()}, log_settings(topic.settings()),
           std::move(topic.log_start(partition))),
      submitted_(log_.noted()),
      behind_gap_(begins_behind_gap()) {
  publish_segments();
  publish_marks();
}

void LogFlush::catch_up(ring::Place committed, SteadyTime now) noexcept {
  if (suspended_ && now < retry_at_) return;  // it may have to be left out
  ring::Place place = noted();
  const std::uint64_t end = std::min(committed.position, place.position + view_.ring_bytes() / 4);
  layout::RecordHeader header;
  while (place.position < end && ring::peek(view_, place.position, header) == ring::Found::record &&
         log_.note(header)) {
    place.pass(header);
  }
}

void LogFlush::hear_waiters() noexcept {
  // Not while a batch is under way: until the next may go out, others need not ring again.
  if (submitted_ != log_.written()) return;
  if (bell_.sync_wanted.load(std::memory_order::relaxed) == 0) return;  // relaxed: a hint
  sync_wanted_ =
      bell_.sync_wanted.exchange(0, std::memory_order::acquire) != layout::kSyncComes ||  // WANTED
      sync_wanted_;
}

void LogFlush::flush(SteadyTime now, bool hurries) {
  if (log_.error() != 0) return recover_device(now);
  if (leaves_segment_) leave_segment();
  if (std::exchange(synced_, false)) see_company(now);
  gathers_ = false;
  if (submitted_ == log_.noted()) {
    pending_since_ = now;
    if (log_.can_confirm() && now >= retry_at_ && now - wrote_at_ >= kConfirmAfter) {
      submit(now);
    } else if (last_error_ != 0 && log_.can_begin() && now >= retry_at_) {
      begin(now);
    }
  } else if (log_.can_submit() && now >= retry_at_ && batch_is_due(now, hurries)) {
    if (!syncs_at_once()) {
      submit(now);
    } else if (gathers(now)) {
      gathers_ = true;
      nobody_rings();
    } else if (log_.can_sync_with()) {
      submit(now, reinterpret_cast<std::uint64_t>(this) | kSyncBit);
    }
  }
  // A full segment is synced whatever the policy: the next begins where it is durable.
  const bool wanted =
      hurries || log_.full() || !log_.settled() || topic_.settings().sync != SyncPolicy::never;
  // Before it is settled nothing else goes out: who refuses that sync refuses everything.
  const bool settles = !log_.settled();
  if (log_.can_sync() && wanted && (!settles || now >= retry_at_)) {
    sync_began_ = std::chrono::steady_clock::now();
    const int result = log_.submit_sync(reinterpret_cast<std::uint64_t>(this) | kSyncBit);
    if (result < 0 && settles) {
      refused(result, now);
    } else if (result < 0) {
      retry_at_ = now + kRetryAfter;
    } else if (settles && last_error_ != 0) {
      heals_at_ = log_.written().position;
    }
  }
}

/// What waits for a sync goes out with it, by one call, and what comes meanwhile shares the next.
/// Not where somebody waits for `written` alone, nor so much that the device had better begin while
/// it syncs what is written.
bool LogFlush::syncs_at_once() const noexcept {
  if (topic_.settings().sync == SyncPolicy::never || log_.full() || last_error_ != 0 ||
      log_.noted().position - submitted_.position > kAtOnceMax) {
    return false;
  }
  // Relaxed: hints.
  const std::uint32_t told = bell_.told_waiters.load(std::memory_order::relaxed);
  const std::uint32_t progress = bell_.progress_waiters.load(std::memory_order::relaxed);
  constexpr std::uint32_t written = layout::kWaitsForWritten | layout::kWaitsForAny;
  if (told >> layout::kToldWords != 0 || (progress & written) != 0) return false;
  return topic_.settings().sync == SyncPolicy::every_batch || told != 0 ||
         (progress & layout::kWaitsForDurable) != 0;
}

/// Who was told of the last batch is about to come with the next record, beside those that came
/// meanwhile. All of them in one batch, and the next, share one sync; waiting for who has gone
/// elsewhere costs at most half of one.
void LogFlush::see_company(SteadyTime now) noexcept {
  company_ = batch_records_ + (log_.noted().offset - submitted_.offset);
  gathers_until_ = now + std::min((now - wrote_at_) / 2, kGathersMax);
}

bool LogFlush::gathers(SteadyTime now) const noexcept {
  return now < gathers_until_ && log_.noted().offset - submitted_.offset < company_;
}

/// There will be a look at the ring anyway.
void LogFlush::nobody_rings() noexcept {
  std::uint32_t unheard = 0;
  bell_.sync_wanted.compare_exchange_strong(unheard, layout::kSyncComes,
                                            std::memory_order::relaxed);
}

void LogFlush::submit(SteadyTime now, std::optional<std::uint64_t> sync_token) {
  if (sync_token) sync_began_ = std::chrono::steady_clock::now();
  sync_wanted_ = false;
  const log::LogPoint end = log_.noted();
  const int result = log_.submit(topic_.stream(partition_), shm::realtime_ns(),
                                 reinterpret_cast<std::uint64_t>(this), sync_token);
  if (result < 0) return refused(result, now);
  nobody_rings();
  batch_records_ = end.offset - submitted_.offset;
  submitted_ = end;
  pending_since_ = wrote_at_ = now;
  if (last_error_ != 0 && !heals_at_) heals_at_ = end.position;
}

/// Nothing waits that would show whether the device works again: the next segment is made already.
void LogFlush::begin(SteadyTime now) {
  if (const int result = log_.begin(); result < 0) return refused(result, now);
  publish_segments();
  healed();
}

/// Nothing was sent, and nothing has changed.
void LogFlush::refused(int error, SteadyTime now) {
  retry_at_ = now + kRetryAfter;
  if (last_error_ != error) {
    const bool waits = topic_.settings().when_disk_fails == WhenDiskFails::wait;
    events_.say(Severity::error, "log_write_refused",
                {{"error", std::generic_category().message(-error)},
                 {"path", path_of(log_.name_at_hand())},
                 {"effect", waits ? "producers wait once the ring is full"
                                  : "once the ring is full, it goes on in memory only"}});
  }
  last_error_ = error;
  leaves_segment_ = leaves_segment_ || error == -ENOENT;  // somebody removed it while it was closed
  heals_at_.reset();
  board_.write_errors.fetch_add(1, std::memory_order::relaxed);  // a counter
}

void LogFlush::skip_to(ring::Place place) {
  // What is written is not written again: the ring need not hold it either.
  const ring::Place kept = ring_place(log_.kept_by_skip());
  if (kept.position > place.position) place = kept;
  const bool changed = log_.skip_to({base_position_ + place.position, place.offset});
  const std::uint64_t end = log_.predecessor_end().offset;
  const std::uint64_t durable = board_.durable_offset.load(std::memory_order::relaxed);  // own
  gaps_.extend(end, durable, place.offset);
  submitted_ = log_.noted();
  behind_gap_ = begins_behind_gap();
  // Who waits for what was left out is told.
  note_moved(layout::kWaitsForWritten, durable, place.offset);
  note_moved(layout::kWaitsForDurable, durable, place.offset);
  if (changed) publish_segments();
  if (std::exchange(suspended_, true)) return;
  events_.say(Severity::error, "log_suspended",
              {{"error", std::generic_category().message(-last_error_)},
               {"log_end", end},
               {"effect", "it goes on in memory only: what leaves the ring is not in the log"}});
}

bool LogFlush::batch_is_due(SteadyTime now, bool hurries) const {
  const TopicSettings& settings = topic_.settings();
  const std::uint64_t pending = log_.noted().position - submitted_.position;
  return settings.sync == SyncPolicy::every_batch || log_.full() || hurries || suspended_ ||
         pending >= std::min(settings.sync_bytes, view_.ring_bytes() / 4) ||
         sync_wanted_ ||
         now >= pending_since_ + std::chrono::milliseconds(settings.sync_interval_ms);
}

SteadyTime LogFlush::due(bool awaited) const {
  if (writing() && !log_.can_submit()) return SteadyTime::max();  // what it waits for wakes us
  if (submitted_.position < log_.noted().position) {
    if (gathers_) return gathers_until_;
    return std::max(retry_at_,
                    pending_since_ + std::chrono::milliseconds(topic_.settings().sync_interval_ms));
  }
  // One that is suspended and has noted nothing is looked at often enough.
  return (awaited || !quiet()) && !writing() && !suspended_ ? retry_at_ : SteadyTime::max();
}

bool LogFlush::quiet() const noexcept {
  return !writing() && log_.error() == 0 && submitted_ == log_.noted() &&
         !log_.can_confirm() && last_error_ == 0 &&
         (topic_.settings().sync == SyncPolicy::never || log_.durable() == log_.noted());
}

bool LogFlush::drained(ring::Place committed) const noexcept {
  return !writing() && log_.error() == 0 && !log_.can_confirm() &&
         log_.durable().position == base_position_ + committed.position;
}

std::optional<ring::Place> LogFlush::reusable() const noexcept {
  if (durable().position < base_position_) return std::nullopt;
  ring::Place place = ring_place(durable());
  place.position = place.position / layout::kPageBytes * layout::kPageBytes;
  return place;
}

void LogFlush::complete(std::uint64_t token, int result) {
  auto& flush = *reinterpret_cast<LogFlush*>(token & ~kSyncBit);
  if ((token & kSyncBit) != 0) {
    flush.synced(result);
  } else {
    flush.wrote(result);
  }
}

void LogFlush::wrote(int result) {
  log_.wrote(result);
  board_.log_bytes.store(log_.bytes(), std::memory_order::relaxed);  // for people
  publish_marks();
}

void LogFlush::synced(int result) {
  if (result >= 0) {
    const auto took = std::chrono::steady_clock::now() - sync_began_;
    topic_.sync_times().add(static_cast<std::uint64_t>(std::max(took, took.zero()).count()));
  }
  log_.synced(result);
  synced_ = true;
  publish_marks();
}

void LogFlush::note_moved(layout::ProgressWaiter level, std::uint64_t from,
                          std::uint64_t to) noexcept {
  const std::uint32_t words = layout::told_words(from, to);
  moved_.levels |= level;
  moved_.words |= level == layout::kWaitsForDurable ? words : words << layout::kToldWords;
}

void LogFlush::publish_marks() {
  const log::LogPoint written = log_.written();
  const log::LogPoint durable = this->durable();
  if (segments_shown_ != log_.segment_count()) publish_segments();
  // The marks stand still until something is there behind a gap.
  if (behind_gap_ && written == log_.first()) return;
  if (std::exchange(behind_gap_, false) && log_.predecessor_end().offset != log_.first().offset) {
    events_.say(Severity::warning, "log_gap",
                {{"log_end", log_.predecessor_end().offset}, {"goes_on_at", log_.first().offset}});
  }
  // Relaxed loads: only this thread writes them. No acknowledged level is ever taken back (G8).
  const std::uint64_t written_before = board_.written_offset.load(std::memory_order::relaxed);
  if (written.offset > written_before) {
    board_.written_position.store(written.position - base_position_, std::memory_order::release);
    board_.written_offset.store(written.offset, std::memory_order::release);  // WRITTEN
    note_moved(layout::kWaitsForWritten, written_before, written.offset);
  }
  const std::uint64_t durable_before = board_.durable_offset.load(std::memory_order::relaxed);
  if (durable.offset > durable_before) {
    board_.durable_position.store(durable.position - base_position_, std::memory_order::release);
    board_.durable_offset.store(durable.offset, std::memory_order::release);  // DURABLE
    note_moved(layout::kWaitsForDurable, durable_before, durable.offset);
  }
  // What was under way when the device refused says nothing about it.
  if (heals_at_ && durable.position >= *heals_at_ && log_.error() == 0) healed();
}

void LogFlush::healed() {
  events_.say(Severity::info, "log_healed", {});
  last_error_ = 0;
  suspended_ = false;
  heals_at_.reset();
}

void LogFlush::publish_segments() {
  std::vector<log::SegmentInfo> segments = log_.segments();
  segments_shown_ = segments.size();
  board_.log_bytes.store(log_.bytes(), std::memory_order::relaxed);  // for people
  const std::uint64_t first = segments.empty() ? board_.base_offset.load(std::memory_order::relaxed)
                                               : segments.front().first.offset;
  board_.first_offset.store(first, std::memory_order::release);
  topic_.segments(partition_).assign(std::move(segments));
}

SegmentRemoval LogFlush::retire(std::uint64_t first_kept) {
  const std::vector<log::SegmentInfo> segments = log_.segments();
  std::size_t count = 0;
  while (count + 1 < segments.size() && segments[count].end.offset <= first_kept) ++count;
  if (count == 0) return {};
  // Before the file goes: whoever asks for less is told that it is gone.
  board_.first_offset.store(segments[count].first.offset, std::memory_order::release);
  topic_.segments(partition_)
      .assign({segments.begin() + static_cast<std::ptrdiff_t>(count), segments.end()});
  SegmentRemoval removal{.error = log_.retire(count, false)};
  publish_segments();
  removal.segments = segments.size() - segments_shown_;
  for (std::size_t i = 0; i < removal.segments; ++i) removal.bytes += segments[i].file_bytes;
  if (removal.error < 0) removal.path = path_of(segments[removal.segments].name);
  return removal;
}

void LogFlush::leave_segment() {
  leaves_segment_ = !log_.idle() || log_.error() != 0 || !log_.settled();
  if (leaves_segment_) return;
  submitted_ = log_.restart();
  if (log_.can_begin()) static_cast<void>(log_.begin());  // where that is refused, the next batch
  publish_segments();
}

void LogFlush::recover_device(SteadyTime now) {
  if (!log_.idle()) return;
  const int error = log_.error();
  if (last_error_ != error) {
    events_.say(Severity::error, "log_write_failed",
                {{"error", std::generic_category().message(-error)},
                 {"path", path_of(log_.name_at_hand())},
                 {"effect", "a new segment goes on from the durable end"}});
    last_error_ = error;
  }
  heals_at_.reset();
  board_.write_errors.fetch_add(1, std::memory_order::relaxed);  // a counter
  // The ring still holds everything from the durable end on: it is noted again from there.
  const bool settled = log_.settled();
  submitted_ = log_.restart();
  leaves_segment_ = false;
  if (!settled) behind_gap_ = begins_behind_gap();
  retry_at_ = now + kRetryAfter;
  publish_segments();
}

}  // namespace ringway::daemon
