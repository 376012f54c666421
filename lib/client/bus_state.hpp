#pragma once

#include <fmt/core.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/connection.hpp"
#include "client/session_memory.hpp"
#include "client/topic_memory.hpp"
#include "client/unwanted_handles.hpp"
#include "ringway/bus.hpp"
#include "shm/fork_guard.hpp"

namespace ringway {

/// What a handle got from the supervisor. Releasing it tells nobody: call BusState::close().
struct OpenHandle {
  std::uint64_t session_serial = 0;  ///< BusState::session_serial() it belongs to
  std::uint64_t handle = 0;
  std::uint32_t producer = 0;
  bool named = false;  ///< holds a named cursor
  bool exclusive = false;
  std::shared_ptr<TopicMemory> memory;
  std::shared_ptr<SessionMemory::Chunk> chunk;
  layout::Slot* slots = nullptr;       ///< slots[p] for partition p
  std::optional<std::uint32_t> entry;  ///< of the board's attachment table; none before layout 1.1
  std::vector<std::optional<std::uint64_t>> cursor_offsets;
  std::string log_directory;  ///< of the topic, for people; "" where nobody says

  /// A consumer's records may not be held in place any more.
  bool copies() const noexcept {
    // Looked up each time: `memory` may be mapped anew.
    const layout::Attachment* const own = entry ? memory->attachment(*entry) : nullptr;
    // Relaxed: in the next poll is soon enough.
    return own != nullptr && (own->flags.load(std::memory_order::relaxed) & layout::kCopies) != 0;
  }
};

/// What Bus and all its handles share: the connection, the session, and the memory that is mapped.
/// Any thread; one request at a time. When the supervisor is replaced, whoever notices first
/// reconnects and asks to go on with the same session; a session that is unknown by then gets a new
/// serial, by which handles see that they must open themselves anew.
class [[gnu::visibility("hidden")]] BusState {
 public:
  BusState(std::string socket, std::chrono::milliseconds timeout, LogCallback log);
  ~BusState();

  const std::string& socket() const noexcept { return socket_; }
  std::chrono::milliseconds timeout() const noexcept { return timeout_; }
  bool in_child() const noexcept { return guard_.in_child(); }
  /// A line for people. Where there is no memory to make it there is none: what is logged goes on.
  template <class... Args>
  void log(fmt::format_string<Args...> format, Args&&... args) const noexcept {
    if (!log_) return;
    try {
      log_(fmt::format(format, std::forward<Args>(args)...));
    } catch (...) {
      // Nor does a log that fails make fail what is logged.
    }
  }

  /// Waits for a supervisor that is being replaced, up to the bus's timeout. A call that changes
  /// something is not repeated when the connection broke before its reply.
  template <class R>
  typename R::Reply call(const R& request, std::vector<shm::Descriptor>& attached);
  template <class R>
  typename R::Reply call(const R& request) {
    std::vector<shm::Descriptor> attached;
    return call(request, attached);
  }
  /// The same without waiting for a supervisor that is away.
  template <class R>
  typename R::Reply call_at_once(const R& request, std::vector<shm::Descriptor>& attached);

  enum class Patience : unsigned char { until_timeout, none };
  OpenHandle open(const control::Open& request, Patience patience);
  /// Never waits for long: what the supervisor has not heard of then it is told later.
  void close(const OpenHandle& handle) noexcept;

  /// A mapping in the place of one that lost pages: one for all handles. Null when there is none to
  /// be had now. Does not wait.
  std::shared_ptr<TopicMemory> map_anew(const TopicMemory& lost) noexcept;

  /// Looks, at most every 50 ms, whether the supervisor is there, and reconnects when it was
  /// replaced. True while one is connected.
  bool keep_attached() noexcept;
  /// As found out last.
  bool attached() const noexcept { return attached_.load(std::memory_order::relaxed); }
  /// Where none is attached, for people. Static storage.
  const char* why_away() const noexcept;
  /// Moves when the session was lost, and every handle with it.
  std::uint64_t session_serial() const noexcept {
    return session_serial_.load(std::memory_order::acquire);
  }
  /// The supervisor's doorbell; the number stays the same when the supervisor is replaced.
  int doorbell() const noexcept { return doorbell_.get(); }
  /// Whether sleepers' barriers reach this process, so that publishers need no fence.
  bool fenced_by_sleepers() const noexcept { return fenced_by_sleepers_; }

 private:
  using Clock = std::chrono::steady_clock;

  void refuse_in_child() const;
  std::string program() const;
  /// not_told: it attaches again within a wait, and who waits says why.
  enum class Silence : unsigned char { told, not_told };
  void connect_locked(std::chrono::milliseconds timeout, Silence silence);
  OpenHandle open_locked(const control::Open& request);
  std::optional<OpenHandle> take_over(const control::Open& request, const control::Opened& opened,
                                      std::vector<shm::Descriptor>& attached,
                                      std::shared_ptr<TopicMemory> mapped);
  void decline(const control::Open& asked, const control::Envelope& answer,
               std::vector<shm::Descriptor>& attached);
  void tell_unwanted() noexcept;
  void note_attach_failed(const char* reason) noexcept;
  void free_cursors(std::chrono::milliseconds timeout);
  template <class Work>
  auto with_connection(Patience patience, bool repeatable, Work&& work);

  const std::string socket_;
  const std::chrono::milliseconds timeout_;
  const LogCallback log_;
  const shm::ForkGuard guard_;
  const bool fenced_by_sleepers_;

  std::timed_mutex mutex_;
  std::optional<Connection> connection_;
  std::string attach_failed_;  // why, as was said last
  std::optional<std::uint64_t> session_;
  std::uint64_t last_handle_ = 0;  // the newest that was taken over; they only rise
  UnwantedHandles unwanted_;       // added to without mutex_, too
  SessionMemory session_memory_;
  std::map<TopicMemory::Identity, std::weak_ptr<TopicMemory>> memories_;
  std::map<std::pair<std::string, layout::Role>, TopicMemory::Identity> latest_;

  shm::Descriptor doorbell_;
  std::atomic<std::uint64_t> session_serial_{0};
  std::atomic<bool> attached_{false};
  std::atomic<bool> lacks_descriptor_{false};
  std::atomic<Clock::rep> next_look_{0};
};

}  // namespace ringway
