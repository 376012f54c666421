#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/doorbells.hpp"
#include "daemon/event_log.hpp"
#include "layout/board.hpp"
#include "layout/session.hpp"
#include "storage/file_system.hpp"

namespace ringway::daemon {

class ServedTopic;

/// The slots of one open handle, one per partition, as the flusher needs them.
struct HandleSlots {
  std::uint64_t handle = 0;
  layout::Role role = layout::Role::producer;
  std::uint32_t pid = 0;
  const layout::Slot* slots = nullptr;     ///< slots[p] for partition p; read-only mapping
  std::shared_ptr<const void> keep_alive;  ///< whatever keeps that mapping
  bool reached = false;                    ///< its process is, by the asymmetric barrier
  bool exclusive = false;                  ///< it may claim by storing to tail
};

/// How a topic's ring is to end, so that another can follow it.
struct RingEnd {
  /// For claims that live producers have open, and a device that refuses; then the ring goes on as
  /// it was.
  std::chrono::milliseconds patience{};
  /// A claim that has stood still for this long is taken away instead.
  std::optional<std::chrono::milliseconds> fence_after{};
  /// Also for a device that refuses, however long.
  bool waits_for_device = false;
};
struct RingEnded {
  bool ended = false;        ///< all of it is settled, and durable; else the ring goes on
  std::uint32_t pid = 0;     ///< not ended: whose claim is open; 0: the device refuses
  bool unreachable = false;  ///< that process cannot be fenced
};

/// What came of it that the oldest segments were to go.
struct SegmentRemoval {
  std::uint64_t segments = 0;  ///< gone
  std::uint64_t bytes = 0;     ///< that they took
  int error = 0;               ///< the negative errno with which the next was refused; 0
  std::string path{};          ///< of that one, which stays with all behind it
};

/// What somebody should do something about.
struct Trouble {
  enum class Kind : unsigned char {
    stopped_claim,  ///< `when_stopped` is due for the holder's claim
    long_pin,       ///< producers have waited for pins for longer than `pin_budget_ms`, now for
                    ///< the holder's
    worn_out,       ///< positions of the ring run out
  };
  Kind kind{};
  std::uint32_t partition = 0;
  std::uint64_t handle = 0;
  std::uint32_t pid = 0;
  bool alone = false;     ///< long_pin: all the time for this holder's
  std::uint64_t pin = 0;  ///< long_pin: the position that its slot holds
};

/// The data side of the supervisor: one thread that follows every partition's stamps, publishes the
/// watermarks and limits, carries the rings to disk, and finishes dead producers' claims. All of
/// that is in one thread because repair must never run beside publish_limit of its partition.
///
/// Every call hands work over through a queue and returns at once; `done` callbacks run in the
/// flusher's thread and must only hand over themselves. Callable from any thread.
class Flusher {
 public:
  struct Options {
    storage::FileSystem& file_system;
    Doorbells& doorbells;    ///< what producers ring when the flusher sleeps; outlives it
    const EventLog& events;  ///< written from the flusher's thread; outlives it
    /// At most once a second for each topic, for as long as it lasts.
    std::function<void(std::shared_ptr<ServedTopic>, Trouble)> on_trouble{};
  };

  explicit Flusher(Options options);
  ~Flusher();  ///< stops at once, without draining
  Flusher(const Flusher&) = delete;
  Flusher& operator=(const Flusher&) = delete;

  /// What writes the log: "io_uring" or "pwrite".
  std::string_view engine_name() const noexcept;

  /// Starts to serve a topic whose memory is open and whose log is recovered.
  void add(std::shared_ptr<ServedTopic> topic);
  /// Stops to serve it; nothing touches its memory or log after `done`.
  void remove(std::shared_ptr<ServedTopic> topic, std::function<void()> done);
  /// From `done` on the handle's claims are repaired and its pins are honoured.
  void attach(std::shared_ptr<ServedTopic> topic, HandleSlots handle, std::function<void()> done);
  /// The handle was closed, or its process is proven dead: settles its claims, drops its pins, then
  /// reports how many claims were finished for it. Its slots may be given away after `done`.
  void release(std::shared_ptr<ServedTopic> topic, std::uint64_t handle,
               std::function<void(std::uint32_t repaired)> done);
  /// An exclusive producer of the topic, if there is one, is asked to share; `done` when no store
  /// to a tail of the topic can come from it any more. Never, while it stands still in mid-claim.
  void share(std::shared_ptr<ServedTopic> topic, std::function<void()> done);
  /// Removes the segments of a partition that end at `first_kept` or before it (retention's choice,
  /// or that of a trim), never the last; `done` with what went. Asked twice, it removes no more.
  void retire(std::shared_ptr<ServedTopic> topic, std::uint32_t partition,
              std::uint64_t first_kept, std::function<void(SegmentRemoval)> done);
  /// The partition's newest segment is gone from the disk: the log goes on in a new one. `done`
  /// when that is under way.
  void leave_segment(std::shared_ptr<ServedTopic> topic, std::uint32_t partition,
                     std::function<void()> done);
  /// Brings a topic's ring to its end: nobody claims any more, what is claimed is settled or, by
  /// `how`, void, and all below the end is durable. `done` may take as long as the device does.
  void end_ring(std::shared_ptr<ServedTopic> topic, RingEnd how,
                std::function<void(RingEnded)> done);
  /// `done` as soon as the thread comes round.
  void answer(std::function<void()> done);
  /// Orderly stop: no claim succeeds any more, and everything is brought to `durable`. False when a
  /// device refused, or a live producer did not finish its claim until `deadline`.
  void drain(std::chrono::steady_clock::time_point deadline,
             std::function<void(bool complete)> done);

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace ringway::daemon
