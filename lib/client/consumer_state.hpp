#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/bus_state.hpp"
#include "client/deadline.hpp"
#include "client/interrupt.hpp"
#include "client/latency_sampler.hpp"
#include "client/partition_cursor.hpp"
#include "client/topic_bell.hpp"
#include "ringway/consumer.hpp"
#include "shm/landing.hpp"

namespace ringway {

/// What a Consumer handle stands for: a cursor per partition it reads, polled in turn. One thread
/// at a time but for interrupt().
class [[gnu::visibility("hidden")]] ConsumerState {
 public:
  /// @throws Error as Bus::consumer().
  ConsumerState(std::shared_ptr<BusState> bus, std::string topic, const ConsumerOptions& options);
  ~ConsumerState();
  ConsumerState(const ConsumerState&) = delete;
  ConsumerState& operator=(const ConsumerState&) = delete;

  bool in_child() const noexcept { return bus_->in_child(); }

  RecordBatch poll(std::size_t records_max, Timeout timeout) noexcept;
  Status validate() const noexcept;
  void advance() noexcept;
  Status seek(const StartPoint& to) noexcept;
  Status seek(std::uint32_t partition, const StartPoint& to) noexcept;
  Status wait(Timeout timeout) noexcept;
  Status commit() noexcept;
  std::vector<Gap> take_gaps() { return std::exchange(gaps_, {}); }
  void interrupt() noexcept { interrupt_.raise(); }

  std::uint64_t position(std::uint32_t partition) const noexcept;
  std::uint64_t watermark(std::uint32_t partition, Level level) noexcept;
  std::uint64_t first_offset(std::uint32_t partition) const noexcept;
  Lag lag() noexcept;
  std::uint32_t partitions() const noexcept { return partitions_; }
  std::span<const std::uint32_t> assigned() const noexcept { return assigned_; }

 private:
  OpenHandle open(BusState::Patience patience, std::optional<std::uint64_t> moved = {});
  std::vector<PartitionCursor> cursors_on(const OpenHandle& handle,
                                          PartitionCursor::Arrival arrival);
  void start(const StartPoint& from);
  Status reopen() noexcept;
  bool ring_was_replaced() noexcept;
  bool lost_ring_page() const noexcept;
  Status after_loss() noexcept;
  Status keep_going() noexcept;
  Status wait_until(const Deadline& deadline) noexcept;
  void pause(const Deadline& deadline) noexcept;
  std::uint64_t progress() const noexcept;
  bool something_came() noexcept;
  void keep_distance(Timeout patience) noexcept;
  std::uint64_t ahead() const noexcept;
  bool comes_at_once() noexcept;
  bool spin_before_sleep(const Deadline& deadline) noexcept;
  Status collect(std::size_t records_max) noexcept;
  void copy_from_now_on() noexcept;
  bool make_room(std::size_t records_max) noexcept;
  const PartitionCursor* cursor(std::uint32_t partition) const noexcept;

  const std::shared_ptr<BusState> bus_;
  const std::string topic_;
  const ConsumerOptions options_;
  OpenHandle handle_;
  std::uint32_t partitions_ = 0;
  std::vector<std::uint32_t> assigned_;
  std::vector<PartitionCursor> cursors_;  // one per assigned partition
  std::optional<TopicBell> bell_;
  Interrupt interrupt_;
  std::uint32_t pages_lost_ = 0;  // of shm::pages_lost, what this handle has dealt with
  RecordList records_;
  std::vector<Gap> gaps_;
  std::size_t turn_ = 0;  // which cursor the next poll starts with
  bool in_stream_ = false;  // the last poll gave several, out of rings
  bool copies_ = false;   // its handle may hold nothing in place any more
  LatencySampler latencies_;
};

}  // namespace ringway
