#include "log/partition_log.hpp"

#include <cassert>
#include <cerrno>
#include <chrono>

#include "log/segment_name.hpp"

namespace ringway::log {
namespace {

std::int64_t wall_clock_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// An empty segment of the same base offset is replaced by the new one: it has the same name.
LogStart without_empty_namesake(LogStart start) {
  if (!start.segments.empty() && start.segments.back().first.offset == start.at.offset) {
    start.predecessor_end = start.durable = start.segments.back().predecessor_end;
    start.predecessor_durable = start.segments.back().predecessor_durable;
    start.segments.pop_back();
  }
  return start;
}

/// Somebody was quicker, or put a directory there, which is no segment: as open() has it.
bool was_not_there(int result) noexcept {
  return result == -ENOENT || result == -EISDIR;
}

}  // namespace

PartitionLog::PartitionLog(storage::FileSystem& file_system, storage::WriteEngine& engine,
                           std::string directory, const LogIdentity& identity,
                           const LogSettings& settings, LogStart start)
    : file_system_(file_system),
      engine_(engine),
      directory_(std::move(directory)),
      identity_(identity),
      settings_(settings),
      segment_([&] {
        start = without_empty_namesake(std::move(start));
        if (start.durable != start.predecessor_end) unsettled_ = start.durable;
        in_ring_ = start.in_ring;
        sealed_ = std::move(start.segments);
        return header_at(start.at, start.predecessor_end, start.predecessor_durable,
                         start.running_max, 0);
      }()) {}

SegmentHeader PartitionLog::header_at(LogPoint at, LogPoint predecessor_end,
                                      LogPoint predecessor_durable, std::int64_t running_max,
                                      std::uint64_t record_bytes) const {
  // Room for the largest record behind whatever of the predecessor shares its page.
  const std::uint64_t record = std::max(record_bytes, settings_.record_bytes_max) + kPageBytes;
  const std::uint64_t wanted = std::max(settings_.segment_bytes, record);
  SegmentHeader header =
      fresh_header(at.position, (wanted + settings_.block_bytes - 1) / settings_.block_bytes,
                   settings_.block_bytes);
  std::copy(identity_.topic_uuid.begin(), identity_.topic_uuid.end(), header.topic_uuid);
  header.partition = identity_.partition;
  header.epoch = identity_.epoch;
  header.base_offset = at.offset;
  header.predecessor_end_position = predecessor_end.position;
  header.predecessor_end_offset = predecessor_end.offset;
  header.predecessor_unsynced_bytes = predecessor_end.position - predecessor_durable.position;
  header.predecessor_unsynced_offsets = predecessor_end.offset - predecessor_durable.offset;
  header.running_max_before = running_max;
  header.created_at_ns = wall_clock_ns();
  return header;
}

void PartitionLog::begin_segment(std::uint64_t record_bytes) {
  SegmentInfo done = segment_.info();
  if (segment_.named()) {
    given_up_.reset();
    if (done.end != kept_end()) given_up_ = done;
    on_trial_ = given_up_.has_value();
  }
  done.end = kept_end();
  const std::int64_t running_max =
      settings_.synced ? segment_.durable_running_max() : segment_.written_running_max();
  LogPoint predecessor_end = done.end, predecessor_durable = done.end;
  if (done.empty()) {
    predecessor_end = done.predecessor_end;
    predecessor_durable = done.predecessor_durable;
  } else {
    segment_.trim(file_system_);
    done.file_bytes = segment_.info().file_bytes;
    sealed_.push_back(done);
  }
  segment_ = SegmentWriter(
      header_at(done.end, predecessor_end, predecessor_durable, running_max, record_bytes));
  full_ = false;
}

bool PartitionLog::roll(std::uint64_t record_bytes) noexcept {
  full_ = !segment_.drained();
  if (!full_) begin_segment(record_bytes);
  return !full_;
}

bool PartitionLog::skip_to(LogPoint at) {
  assert(idle() && at.position >= kept_by_skip().position);
  SegmentInfo done = segment_.info();
  LogPoint end = done.end, durable = kept_end();
  std::int64_t running_max = segment_.written_running_max();
  const bool changed = given_up_ || segment_.counts();
  if (!segment_.named() || done.empty()) {
    // Where that is refused, it stays: unborn, or as an empty one in the middle.
    file_system_.remove(
        path_of(segment_.named() ? done.name : unborn_name(segment_.first().offset)));
    end = predecessor_end();
    durable = predecessor_durable();
    if (unsettled_) durable = settings_.synced ? *unsettled_ : end;
    if (given_up_) {
      if (sealed_.empty() || sealed_.back().name != given_up_->name) sealed_.push_back(*given_up_);
      end = sealed_.back().end = given_up_->end;
      durable = segment_.first();  // begun at the durable end of the one given up
      running_max = std::max(running_max, given_up_->running_max);
    }
  } else {
    segment_.trim(file_system_);
    done.file_bytes = segment_.info().file_bytes;
    sealed_.push_back(done);
  }
  given_up_.reset();
  unsettled_.reset();
  on_trial_ = settings_.synced;
  segment_ = SegmentWriter(header_at(at, end, durable, running_max, 0));
  full_ = false;
  error_ = 0;
  return changed;
}

LogPoint PartitionLog::restart() {
  assert(idle());
  if (settled()) {
    begin_segment(0);
  } else {
    give_up_predecessor();
  }
  error_ = 0;
  return segment_.noted();
}

/// It ends where it is durable. Nothing was written behind it. What the ring does not have any more
/// stays as it is.
void PartitionLog::give_up_predecessor() {
  SegmentInfo& last = sealed_.back();
  full_ = false;
  if (!settings_.synced || !in_ring_) {
    segment_ = SegmentWriter(header_at(segment_.first(), last.end,
                                       settings_.synced ? *unsettled_ : last.end,
                                       segment_.running_max_before(), 0));
    return unsettled_.reset();
  }
  given_up_ = last;
  on_trial_ = true;
  last.end = *unsettled_;
  LogStart start =
      without_empty_namesake({last.end, last.end, last.running_max, std::move(sealed_)});
  sealed_ = std::move(start.segments);
  segment_ = SegmentWriter(
      header_at(start.at, start.predecessor_end, start.predecessor_durable, start.running_max, 0));
  unsettled_.reset();
}

int PartitionLog::begin() {
  // A spare that could not be used stays one: nobody else would ever remove it.
  const int result = segment_.create(file_system_, directory_, settings_.write_path, spare_,
                                     on_trial_ ? Naming::later : Naming::at_once);
  if (result == 0) spare_.clear();
  return result;
}

int PartitionLog::submit(const Stream& stream, std::int64_t now_ns, std::uint64_t token,
                         std::optional<std::uint64_t> sync_token) {
  if (!segment_.created()) {
    if (const int result = begin(); result < 0) return result;
  }
  return segment_.submit(file_system_, engine_, stream, now_ns, token, sync_token);
}

int PartitionLog::submit_sync(std::uint64_t token) {
  if (!settled()) {
    const int descriptor =
        file_system_.open(path_of(sealed_.back().name), storage::OpenMode::write);
    if (descriptor < 0) return descriptor;
    settling_ = storage::File(file_system_, descriptor);
    engine_.submit_sync(descriptor, token);
    return 0;
  }
  return segment_.submit_sync(file_system_, engine_, token);
}

int PartitionLog::end_trial() {
  if (given_up_ && segment_.durable().position < given_up_->end.position) return 0;
  const int result = segment_.take_name(file_system_);
  if (segment_.named()) given_up_.reset();
  on_trial_ = result < 0;
  return result;
}

void PartitionLog::wrote(int result) noexcept {
  segment_.wrote(result);
  if (result < 0 && error_ == 0) error_ = result;
}

void PartitionLog::synced(int result) {
  if (settling_.is_open()) {
    settling_.close();
    if (result == 0) unsettled_.reset();
  } else {
    segment_.synced(result);
    if (result == 0 && on_trial_) result = end_trial();
  }
  if (result < 0 && error_ == 0) error_ = result;
}

std::vector<SegmentInfo> PartitionLog::segments() const {
  std::vector<SegmentInfo> all = sealed_;
  if (segment_.counts()) all.push_back(segment_.info());
  return all;
}

std::uint64_t PartitionLog::bytes() const noexcept {
  std::uint64_t bytes = segment_.info().file_bytes;
  for (const SegmentInfo& segment : sealed_) bytes += segment.file_bytes;
  return bytes;
}

int PartitionLog::retire(std::size_t count, bool reusable) {
  int result = 0;
  if (!spare_.empty()) result = file_system_.remove(spare_);
  if (was_not_there(result)) result = 0;
  if (result == 0) spare_.clear();
  // Oldest first: whatever a crash leaves is a log without a gap.
  while (result == 0 && count > 0 && segment_count() > 1) {
    const std::string path = path_of(sealed_.front().name);
    if (reusable && count == 1) {
      spare_ = path;
    } else {
      result = file_system_.remove(path);
      if (was_not_there(result)) result = 0;
    }
    if (result < 0) break;
    sealed_.erase(sealed_.begin());
    --count;
  }
  return result;
}

std::string PartitionLog::write_path() const {
  return std::string(engine_.name()) +
         (segment_.is_direct(file_system_) ? ", direct" : ", buffered");
}

}  // namespace ringway::log
