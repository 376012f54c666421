#include "client/bus_state.hpp"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "client/bus_calls.hpp"
#include "client/interrupt.hpp"
#include "control/utf8.hpp"
#include "shm/barrier.hpp"
#include "shm/clock.hpp"
#include "shm/descriptor.hpp"
#include "shm/descriptor_limit.hpp"

namespace ringway {
namespace {

constexpr std::chrono::milliseconds kLookEvery{50};
constexpr std::chrono::milliseconds kCloseTimeout{200};
// A call inside a wait must not hang on a supervisor that accepts but does not answer.
constexpr std::chrono::milliseconds kResumeTimeout{2000};

}  // namespace

BusState::BusState(std::string socket, std::chrono::milliseconds timeout, LogCallback log)
    : socket_(std::move(socket)),
      timeout_(timeout),
      log_(std::move(log)),
      fenced_by_sleepers_(shm::ProcessBarrier::instance().register_process()) {
  const std::lock_guard lock(mutex_);
  connect_locked(timeout_, Silence::told);
}

BusState::~BusState() = default;

void BusState::refuse_in_child() const {
  if (in_child()) {
    throw Error(ErrorCode::usage, socket_, "this bus belongs to the parent process",
                "connect anew in the child");
  }
}

/// What the supervisor shows people of this client.
std::string BusState::program() const {
  std::string missing;
  const auto add = [&](bool there, const char* feature) {
    if (!there) missing += fmt::format("{}{}", missing.empty() ? " without " : ", ", feature);
  };
  add(fenced_by_sleepers_, "membarrier");
  add(shm::FastClock::counter_is_invariant(), "tsc");
  add(Interrupt::wakes_at_once(), "futex_waitv");
  constexpr std::size_t kShownBytes = 40;  // a name may be longer than the message takes
  const std::string_view name = program_invocation_short_name;
  return control::with_escaped_bytes(name.substr(0, kShownBytes)) + missing;
}

void BusState::connect_locked(std::chrono::milliseconds timeout, Silence silence) {
  Connection fresh(socket_, timeout);
  if (silence == Silence::told) {
    fresh.when_silent([this] {
      log("severity=warning event=no_answer_yet socket=\"{}\" timeout_ms={}", socket_,
          timeout_.count());
    });
  }
  std::vector<shm::Descriptor> attached;
  control::Hello hello;
  hello.client = program();
  hello.version = RINGWAY_VERSION;
  hello.membarrier = fenced_by_sleepers_;
  hello.session = session_;
  if (session_) hello.last_handle = last_handle_;
  const control::Welcome welcome = fresh.call(hello, attached);
  if (attached.size() != 1) {
    throw Error(ErrorCode::incompatible, socket_, "the greeting brings no doorbell",
                "let library and supervisor be of one installation");
  }
  if (!doorbell_) {
    doorbell_ = std::move(attached[0]);
  } else if (::dup3(attached[0].get(), doorbell_.get(), O_CLOEXEC) < 0) {
    // In place: other threads may be ringing it.
    throw system_error(errno, "doorbell", "cannot be replaced");
  }
  if (session_) {
    log("severity=info event=attached_again session={} resumed={}", welcome.session,
        welcome.resumed);
    if (!welcome.resumed) {
      session_memory_ = SessionMemory();
      session_serial_.fetch_add(1, std::memory_order::release);
      unwanted_.all_closed();  // in this order: close() adds, then looks
    }
  }
  session_ = welcome.session;
  connection_.emplace(std::move(fresh));
  attached_.store(true, std::memory_order::relaxed);
  unwanted_.none_told();
  free_cursors(kCloseTimeout);  // others may open them once we are there again
}

OpenHandle BusState::open(const control::Open& request, Patience patience) {
  return with_connection(patience, true, [&] { return open_locked(request); });
}

OpenHandle BusState::open_locked(const control::Open& request) {
  control::Open asked = request;
  std::shared_ptr<TopicMemory> mapped;
  const auto latest = latest_.find({request.topic, request.role});
  if (latest != latest_.end()) {
    mapped = memories_[latest->second].lock();
    if (mapped) asked.mapped_generation = mapped->identity().generation;
  }
  connection_->take_in_late(std::chrono::milliseconds(0));
  free_cursors(timeout_);
  std::vector<shm::Descriptor> attached;
  const control::Opened opened = connection_->call(
      asked, attached,
      [this, asked](const auto& answer, auto& late) { decline(asked, answer, late); });
  try {
    if (auto handle = take_over(request, opened, attached, std::move(mapped))) return *handle;
  } catch (...) {
    connection_.reset();  // greeted anew, the supervisor takes back what it has handed over
    throw;
  }
  // Another topic of the same name and generation by now: ask again, mapping it.
  unwanted_.add(opened.handle, request.cursor.has_value());
  latest_.erase({request.topic, request.role});
  return open_locked(request);
}

/// Nothing when its memory is neither mapped nor attached.
std::optional<OpenHandle> BusState::take_over(const control::Open& request,
                                              const control::Opened& opened,
                                              std::vector<shm::Descriptor>& attached,
                                              std::shared_ptr<TopicMemory> mapped) {
  const TopicMemory::Identity identity{opened.topic, opened.generation, request.role};
  const std::size_t expected = (opened.memory ? 3 : 0) + (opened.new_chunk ? 1 : 0);
  if (attached.size() != expected) {
    throw Error(ErrorCode::failed, request.topic, "the supervisor attached other descriptors",
                "let library and supervisor be of one installation");
  }
  if (opened.new_chunk) {
    session_memory_.add(opened.chunk, opened.slots, std::move(attached.back()));
  }
  if (opened.memory) {
    mapped = memories_[identity].lock();
    if (!mapped) {
      mapped = std::make_shared<TopicMemory>(identity, std::move(attached[0]),
                                             std::move(attached[1]), std::move(attached[2]));
      std::erase_if(memories_, [](const auto& entry) { return entry.second.expired(); });
      memories_[identity] = mapped;
    }
    latest_[{request.topic, request.role}] = identity;
  } else if (!mapped || mapped->identity() != identity) {
    return std::nullopt;
  }
  if (opened.partitions != mapped->partitions()) {
    throw Error(ErrorCode::failed, request.topic, "the board has another number of partitions",
                "let library and supervisor be of one installation");
  }
  OpenHandle handle;
  handle.session_serial = session_serial();
  handle.handle = opened.handle;
  handle.producer = opened.producer;
  handle.named = request.cursor.has_value();
  handle.exclusive = opened.exclusive;
  handle.entry = opened.attachment;
  handle.memory = std::move(mapped);
  handle.chunk = session_memory_.chunk(opened.chunk, opened.first_slot, opened.partitions);
  handle.slots = &handle.chunk->slots[opened.first_slot];
  handle.log_directory = opened.log_directory;
  handle.cursor_offsets = opened.cursor_offsets;
  handle.cursor_offsets.resize(opened.partitions);
  // One that has moved along is older.
  last_handle_ = std::max(last_handle_, opened.handle);
  return handle;
}

/// The answer to an open that was given up: the memory that came with it is there, and the handle
/// is nobody's, unless it is one that was to move along, and will be asked for again.
void BusState::decline(const control::Open& asked, const control::Envelope& answer,
                       std::vector<shm::Descriptor>& attached) {
  control::Opened opened;
  try {
    opened = control::decode_reply<control::Opened>(answer);
  } catch (const Error&) {
    return;  // it was refused
  }
  if (opened.new_chunk) {
    session_memory_.add(opened.chunk, opened.slots,
                        attached.empty() ? shm::Descriptor() : std::move(attached.back()));
  }
  if (opened.handle != asked.moved) unwanted_.add(opened.handle, asked.cursor.has_value());
}

/// Does not wait for the answers.
void BusState::tell_unwanted() noexcept {
  try {
    for (const std::uint64_t handle : unwanted_.untold()) {
      if (!connection_ || connection_->hung_up()) return;
      const bool told =
          connection_->tell(control::Close{handle},
                            [this, handle](const auto&, auto&) { unwanted_.closed(handle); });
      if (!told) return;
      unwanted_.told(handle);
    }
  } catch (const std::exception& error) {
    log("severity=info event=close_failed reason=\"{}\"", error.what());
  }
}

/// The same, and waits for the answers of those that hold a cursor: it may be opened next, and a
/// second request to close it would be answered before it is.
void BusState::free_cursors(std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  for (;;) {
    tell_unwanted();  // by late answers there may be more
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0 || !unwanted_.hold_cursor() || connection_->hung_up()) return;
    connection_->take_in_late(left);
  }
}

void BusState::close(const OpenHandle& handle) noexcept {
  try {
    unwanted_.add(handle.handle, handle.named);
    if (handle.session_serial != session_serial()) return unwanted_.closed(handle.handle);
    // Who waits for an answer now must not make a destructor wait, and tells the supervisor then.
    std::unique_lock lock(mutex_, kCloseTimeout);
    if (!lock || !connection_ || connection_->hung_up()) return;
    if (handle.named) {
      free_cursors(kCloseTimeout);
    } else {
      tell_unwanted();
    }
  } catch (const std::exception& error) {
    log("severity=info event=close_failed reason=\"{}\"", error.what());
  }
}

bool BusState::keep_attached() noexcept {
  const auto now = Clock::now().time_since_epoch().count();
  auto due = next_look_.load(std::memory_order::relaxed);
  const auto next = now + std::chrono::duration_cast<Clock::duration>(kLookEvery).count();
  // Relaxed: it only spares system calls. Whoever moves the word looks.
  if (now < due || !next_look_.compare_exchange_strong(due, next, std::memory_order::relaxed)) {
    return attached();
  }
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return attached();  // somebody is calling: that will find out
  try {
    if (!connection_ || connection_->hung_up()) {
      attached_.store(false, std::memory_order::relaxed);
      connect_locked(std::min(timeout_, kResumeTimeout), Silence::not_told);
    }
    tell_unwanted();
    attach_failed_.clear();
    lacks_descriptor_.store(false, std::memory_order::relaxed);
    return true;
  } catch (const Error& error) {
    lacks_descriptor_.store(dynamic_cast<const shm::NoDescriptorLeft*>(&error) != nullptr,
                            std::memory_order::relaxed);
    if (error.code() != ErrorCode::unavailable) note_attach_failed(error.what());
  } catch (const std::exception& error) {
    note_attach_failed(error.what());
  }
  return attached();
}

/// Once for as long as it is the same.
void BusState::note_attach_failed(const char* reason) noexcept {
  if (attach_failed_ == reason) return;
  log("severity=warning event=attach_failed reason=\"{}\"", reason);
  try {
    attach_failed_ = reason;
  } catch (const std::bad_alloc&) {
    // Said again next time.
  }
}

const char* BusState::why_away() const noexcept {
  return lacks_descriptor_.load(std::memory_order::relaxed)
             ? "no descriptor is left to reach the supervisor: raise the limit of open files "
               "(ulimit -n)"
             : "the supervisor is away";
}

}  // namespace ringway
