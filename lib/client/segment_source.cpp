#include "client/segment_source.hpp"

#include <exception>
#include <new>
#include <utility>

#include "client/bus_calls.hpp"
#include "ringway/error.hpp"
#include "shm/descriptor_limit.hpp"

namespace ringway {
namespace {

/// What the supervisor handed over is no segment, or its beginning cannot be read.
struct Unreadable : Error {
  explicit Unreadable(const Error& error) : Error(error) {}
};

// The log goes on in another segment this often at most before a call gives up for now.
constexpr int kSegmentsMax = 8;

storage::PosixFileSystem& file_system() {
  static storage::PosixFileSystem instance;
  return instance;
}

}  // namespace

SegmentSource::SegmentSource(std::shared_ptr<BusState> bus, const shm::Uuid& topic,
                             std::uint32_t partition)
    : bus_(std::move(bus)), topic_(topic), partition_(partition) {}

SegmentSource::~SegmentSource() = default;

void SegmentSource::rest() noexcept {
  reader_.reset();
}

/// Asks the supervisor. False: the place is not in the log but in the ring.
bool SegmentSource::find(const Where& where) {
  std::vector<shm::Descriptor> attached;
  control::FindSegment request;
  request.topic = topic_;
  request.partition = partition_;
  request.at = where;
  reader_.reset();
  found_ = bus_->call_at_once(request, attached);
  if (found_.in_ring) return false;
  if (attached.size() != 1) {
    throw Error(ErrorCode::failed, "segment", "the supervisor attached no file", "report this");
  }
  storage::File file(file_system(), attached[0].release());
  try {
    reader_ = std::make_unique<log::SegmentReader>(file_system(), std::move(file));
    reader_->check_base_offset(found_.base_offset);
    reader_->check_owner(topic_, partition_);
  } catch (const Error& error) {
    reader_.reset();
    throw Unreadable(error);
  }
  read_ahead_ = storage::ReadAhead::as_usual;
  if (found_.sealed) reader_->limit_to({found_.end_position, found_.end_offset});
  return true;
}

/// Nothing: the reader has it. Else what there is to say instead.
std::optional<LogChunk> SegmentSource::look_for(std::uint64_t offset) {
  using Kind = LogChunk::Kind;
  bool there = false;
  try {
    there = find(control::AtOffset{offset});
  } catch (const Unreadable& error) {
    tell_unreadable(offset);
    if (!found_.sealed) throw;
    report(error.what());
    return LogChunk{
        Kind::gap, {found_.end_position, found_.end_offset}, {}, Status::corrupt};
  }
  if (there && reader_->first().offset <= offset) return std::nullopt;
  const log::LogPoint missing_to{found_.missing_to_position.value_or(0),
                                 found_.missing_to_offset.value_or(0)};
  if (missing_to.offset > offset) {
    reader_.reset();  // what it has may begin further on
    return LogChunk{Kind::gap, missing_to, {}, Status::corrupt};
  }
  if (!there) return LogChunk{};
  // Retention took it, or the log jumped.
  return LogChunk{Kind::gap, reader_->first(), {}, Status::not_found};
}

/// What the kernel would read on behind the written end of a segment is not there yet. It keeps
/// pages of that, and with such pages in its way a direct write of the supervisor cannot be sent to
/// the device at once; and the device is shared with it.
void SegmentSource::choose_read_ahead() noexcept {
  const bool is_written = !found_.sealed && end_ == LogEnd::moves;
  const auto wanted = is_written ? storage::ReadAhead::none : storage::ReadAhead::as_usual;
  if (std::exchange(read_ahead_, wanted) != wanted) {
    storage::choose_read_ahead(reader_->descriptor(), wanted);
  }
}

LogChunk SegmentSource::read_on(log::LogPoint at) {
  using Kind = LogChunk::Kind;
  bool fresh = false;  // the supervisor was asked about this very place
  for (int segments = 0; segments < kSegmentsMax;) {
    if (!reader_) {
      if (const auto instead = look_for(at.offset)) return *instead;
      fresh = true;
      ++segments;
      // Positions are jumped over where a new ring began.
      if (reader_->first().offset == at.offset) at = reader_->first();
    }
    choose_read_ahead();
    log::Run run;
    switch (reader_->load(at, run)) {
      case log::ReadStatus::ok:
        return {Kind::records, at, run.bytes, Status::ok};
      case log::ReadStatus::hole:
      case log::ReadStatus::io_error:
        if (!reader_->hole().known) tell_unreadable(at.offset);
        // Nobody knows how far it goes: until the segment is left, which the supervisor was told.
        if (reader_->hole().to.offset <= at.offset) {
          return {Kind::failed, at, {}, Status::disconnected};
        }
        return {Kind::gap, reader_->hole().to, {}, Status::corrupt};
      case log::ReadStatus::end:
        break;
    }
    // Behind this segment, or it is not written so far yet, or it was sealed since.
    if (fresh) return {};
    reader_.reset();
  }
  return {};
}

/// Tells the supervisor of an offset that cannot be read, once, so that it looks for itself and
/// logs it; not while it is away, as others will come there.
void SegmentSource::tell_unreadable(std::uint64_t offset) noexcept {
  if (told_unreadable_ == offset) return;
  try {
    std::vector<shm::Descriptor> attached;
    control::FindSegment request;
    request.topic = topic_;
    request.partition = partition_;
    request.at = control::AtOffset{offset};
    request.unreadable = offset;
    static_cast<void>(bus_->call_at_once(request, attached));
    told_unreadable_ = offset;
  } catch (const std::exception&) {
    // It is a gap all the same.
  }
}

/// Once for as long as it is the same.
void SegmentSource::report(const char* reason) noexcept {
  if (reported_ == reason) return;
  try {
    reported_ = reason;
  } catch (const std::bad_alloc&) {
    // Said again next time.
  }
  bus_->log("severity=warning event=log_not_read partition={} reason=\"{}\"", partition_, reason);
}

/// Lost records count, too: who goes there is told of them.
std::optional<std::uint64_t> SegmentSource::look_for_time(std::int64_t timestamp_ns) {
  bool there = false;
  try {
    there = find(control::AtTime{timestamp_ns});
  } catch (const Unreadable&) {
    if (!found_.sealed) throw;
    return found_.base_offset;
  }
  if (!there) return found_.lost_from_offset;
  if (found_.lost_from_offset && reader_->begins_at_or_after(timestamp_ns)) {
    return found_.lost_from_offset;
  }
  return reader_->find_time(timestamp_ns).offset;
}

/// ok, or why `read` gave nothing.
template <class Read>
Status SegmentSource::guarded(Read&& read) noexcept {
  try {
    read();
    reported_.clear();
    return Status::ok;
  } catch (const shm::NoDescriptorLeft&) {
    return Status::no_descriptors;
  } catch (const Error& error) {
    // Asked again, whatever the supervisor is short of, or this process of memory.
    const bool away = error.code() == ErrorCode::unavailable || error.code() == ErrorCode::timeout;
    if (!away) report(error.what());
  } catch (const std::exception& error) {
    report(error.what());
  }
  return Status::disconnected;
}

template <class Read>
LogChunk SegmentSource::guarded_chunk(Read&& read) noexcept {
  LogChunk chunk;
  const Status status = guarded([&] { chunk = read(); });
  return status == Status::ok ? chunk : LogChunk{LogChunk::Kind::failed, {}, {}, status};
}

LogChunk SegmentSource::read(log::LogPoint at) noexcept {
  return guarded_chunk([&] { return read_on(at); });
}

LogChunk SegmentSource::read_offset(std::uint64_t offset) noexcept {
  return guarded_chunk([&]() -> LogChunk {
    if (const auto instead = look_for(offset)) return *instead;
    return read_on(reader_->find_offset(offset));
  });
}

TimePlace SegmentSource::find_time(std::int64_t timestamp_ns) noexcept {
  TimePlace place;
  place.status = guarded([&] { place.offset = look_for_time(timestamp_ns); });
  return place;
}

}  // namespace ringway
