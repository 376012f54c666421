#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "client/committed_walk.hpp"
#include "client/log_source.hpp"
#include "client/record_list.hpp"
#include "layout/session.hpp"
#include "ring/partition_view.hpp"
#include "ring/reader.hpp"
#include "ringway/consumer.hpp"
#include "ringway/record.hpp"

namespace ringway {

/// One consumer's place in one partition (G4). It is in the ring while the ring has it, else in the
/// log, and passes from one to the other by position, comparing offsets on arrival. Positions here
/// are relative to the ring generation, also in the log, where they may lie before 0 (modulo 2^64).
/// One thread at a time; view and slot outlive it. A crash leaves a pin, which the supervisor
/// drops.
class PartitionCursor {
 public:
  /// Where to collect to: views of one poll, and the gaps passed on the way.
  struct Harvest {
    RecordList& records;
    std::size_t records_max;  ///< at most the capacity of `records`
    std::vector<Gap>& gaps;
  };

  /// Whether the slot is new to this handle, or came along from the ring before: on blocking topics
  /// it then pins the whole new ring until follow() has found the place.
  enum class Arrival : unsigned char { opened, moved };
  PartitionCursor(std::uint32_t partition, const ring::PartitionView& view, layout::Slot& slot,
                  layout::TopicMode mode, std::unique_ptr<LogSource> log,
                  Arrival arrival = Arrival::opened);

  std::uint32_t partition() const noexcept { return partition_; }
  /// The next record to be collected.
  std::uint64_t offset() const noexcept { return std::max(wanted_, place_.offset); }

  /// Appends records up to the harvest's bound and moves past them. Their bytes stay until
  /// release() or the next collect(). Not ok: there may be less than wanted.
  Status collect(Harvest& harvest) noexcept;
  /// Lets go of what was collected.
  void release() noexcept;
  /// On a persisted topic nothing of the ring is held in place from now on, nor what was.
  void copy_from_now_on() noexcept;
  /// Whether what was collected last could be trusted until now (overwriting topics).
  bool intact() const noexcept;
  /// Whether collect() would find something or has to be asked. No system call.
  bool something_came() noexcept;
  /// After a pause: what was asked in vain may be asked again.
  void try_again() noexcept { in_vain_ = false; }
  bool in_vain() const noexcept { return in_vain_; }
  /// What comes next is looked for in the ring, not in the log.
  bool in_ring() const noexcept { return where_ == Where::ring; }
  /// How many bytes producers have claimed ahead of it in the ring. A hint: they may write what
  /// they like.
  std::uint64_t ahead() const noexcept;
  /// The next collect() leaves so many of these to one after it, where there are more.
  void stop_short(std::uint64_t bytes) noexcept;

  /// Where a start point lies now.
  struct Target {
    Status status = Status::ok;  ///< ok | beyond_end | not_found | disconnected | no_descriptors
    std::uint64_t offset = 0;
    std::optional<std::int64_t> not_before_ns{};
  };
  Target resolve(const StartPoint& to) noexcept;
  void go_to(const Target& target) noexcept;
  /// Takes over the place of the cursor on the ring before this one.
  void follow(const PartitionCursor& before) noexcept;
  /// Goes on with the same ring in another mapping, with nothing of the last poll in use.
  void mapped_anew(const ring::PartitionView& view) noexcept;
  /// Holds nothing any more.
  void leave() noexcept { unpin(); }

  /// The partition is in quarantine, and nothing more of it can be read.
  bool at_quarantine() noexcept;
  std::uint64_t first_offset() const noexcept;
  std::uint64_t committed_offset() noexcept { return walk_.offset(); }
  Lag lag() noexcept;

  void keep_committed() noexcept {
    committed_ = offset();
    slot_->committed.store(committed_, std::memory_order::release);
  }

 private:
  enum class Where : unsigned char { unplaced, ring, log };
  static constexpr std::uint64_t kNowhere = ~std::uint64_t{0};

  void place_at(const Target& target) noexcept;
  void follow_from_beginning(const Target& target) noexcept;
  Status place_in_ring_or_log(Harvest& harvest) noexcept;
  bool enter_ring(std::uint64_t offset) noexcept;
  Status join_ring() noexcept;
  bool lost_more() noexcept;
  Status collect_ring(Harvest& harvest) noexcept;
  ring::Found take_run(std::uint64_t bound, Harvest& harvest) noexcept;
  Status copy_ring(std::uint64_t announced, Harvest& harvest) noexcept;
  bool copy_out(std::uint64_t position, std::uint64_t bytes) noexcept;
  LogEnd log_end() const noexcept;
  Status collect_log(Harvest& harvest) noexcept;
  Status take_chunk(const LogChunk& chunk, Harvest& harvest) noexcept;
  bool take_records(Harvest& harvest) noexcept;
  Status left_ring(Harvest& harvest) noexcept;
  bool in_quarantine() const noexcept;
  bool only_log_has_it() const noexcept;
  /// Whether what is read is kept from being overwritten; else it is looked at again afterwards.
  bool pins() const noexcept { return mode_ != layout::TopicMode::memory_overwrite && !copies_; }
  std::uint64_t hold(std::uint64_t position) noexcept;
  void let_go() noexcept;
  void unpin() noexcept;
  bool wanted(const layout::RecordHeader& header, std::uint64_t offset) noexcept;
  const std::byte* body_in_ring(std::uint64_t position, std::uint64_t bytes) noexcept;
  void show_offset() noexcept;
  void skip_gap(Harvest& harvest, std::uint64_t to, Status reason) noexcept;
  log::LogPoint log_point() const noexcept { return {base_ + place_.position, place_.offset}; }

  std::uint32_t partition_;
  layout::TopicMode mode_;
  Where where_ = Where::unplaced;
  bool held_ = false;       // records collected last lie in the ring, from held_from_ on
  bool keeps_pin_ = false;  // blocking topics: a pin stands at or below place_
  bool copies_ = false;     // records of the ring are copied, without a pin
  bool in_vain_ = false;    // the log had nothing although there should be something
  ring::PartitionView view_;
  ring::Reader<ring::PartitionView, layout::Slot> reader_;
  layout::Slot* slot_;
  std::uint32_t pages_lost_ = 0;  // of this mapping, what was read again for
  std::uint64_t base_;            // log position of ring position 0
  std::uint64_t base_offset_;     // offset of the ring's first record
  ring::Place place_{0, 0};
  std::uint64_t wanted_ = 0;     // records before this offset are passed over
  std::uint64_t held_from_ = 0;  // ring position
  std::uint64_t until_ = kNowhere;  // ring position: the next collect() stops there
  std::uint64_t seen_at_ = kNowhere;  // ring position: something_came() found something there
  std::optional<std::int64_t> not_before_ns_;
  std::uint64_t committed_ = layout::kNoOffset;
  std::unique_ptr<LogSource> log_;    // none without persistence
  std::span<const std::byte> chunk_;  // of the log, or copied from the ring: from place_ on
  std::vector<std::byte> copied_;     // from the ring: a record across its end, or a run of them
  CommittedWalk<ring::PartitionView> walk_;
};

/// Adds a gap, joining it to the last one where it goes on from there.
void note_gap(std::vector<Gap>& gaps, const Gap& gap) noexcept;

}  // namespace ringway
