#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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
    Doorbells& doorbells;  ///< what producers ring when the flusher sleeps; outlives it
    const EventLog& events;  ///< written from the flusher's thread; outlives it
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
  /// Removes the oldest `count` segments of a partition (retention's choice), never the last.
  void retire(std::shared_ptr<ServedTopic> topic, std::uint32_t partition, std::size_t count);
  /// Orderly stop: freezes every limit at its tail and brings everything to `durable`. False when a
  /// device refused, or a live producer did not finish its claim within `patience_ms`.
  void drain(std::uint32_t patience_ms, std::function<void(bool complete)> done);

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace ringway::daemon
