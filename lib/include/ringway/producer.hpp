#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <ringway/bytes.hpp>
#include <ringway/level.hpp>
#include <ringway/status.hpp>
#include <span>
#include <string>

namespace [[gnu::visibility("default")]] ringway {

class ProducerState;

/// Where a record went: its offset within its partition. Converts to the number.
struct RecordOffset {
  std::uint64_t value = 0;
  std::uint32_t partition = 0;

  constexpr operator std::uint64_t() const noexcept { return value; }
};

/// `auto [status, offset] = producer.publish(...)`. `offset` means something when status is ok.
struct [[nodiscard]] Published {
  Status status;
  RecordOffset offset;
};

struct PublishOptions {
  std::optional<Bytes> key{};                  ///< at most 65,535 bytes; may be empty
  Headers headers{};                           ///< encoded at most 65,535 bytes in all
  std::optional<std::uint32_t> partition{};    ///< else by key; else in turn (ProducerOptions)
  std::optional<std::int64_t> timestamp_ns{};  ///< else now
  Timeout timeout = forever;                   ///< how long to wait for space
};

/// How a producer reads the clock.
enum class ClockSource : std::uint8_t {
  fast,     ///< the calibrated time-stamp counter: within 10 us of CLOCK_REALTIME
  precise,  ///< CLOCK_REALTIME for every record
};

struct ProducerOptions {
  std::optional<std::uint32_t> partition{};  ///< everything goes there, whatever its key
  ClockSource clock = ClockSource::fast;
  /// Keyless records stay on one partition until it took this many bytes, then go to the next.
  std::uint64_t keyless_batch_bytes = 64 * 1024;
  /// Claims without compare-and-swap, as long as this is the topic's only producer (on all of its
  /// partitions). Opening throws Error{busy} naming another producer's pid when there is one. It is
  /// a way to be faster, not a lock: whoever opens the topic next ends it, and from then on both
  /// claim as producers do. That one waits only while this one stands still (stopped, say) within a
  /// claim, up to its bus's timeout, and then gets Error{busy} with this one's pid. (Where a
  /// supervisor came to serve without membarrier, it waits for this one's next call.)
  bool exclusive = false;
};

/// Where in its ring a claim lies, bytes. For the library.
struct ClaimedBytes {
  std::uint64_t first = 0;     ///< where it starts
  std::uint64_t position = 0;  ///< where its first record starts: behind filler, if any
  std::uint64_t count = 0;     ///< from `first`
};

/// Space in the ring for one record, to be filled in place and then committed. Destroying it
/// uncommitted aborts it: its offset is skipped by every consumer. Must not outlive the Producer's
/// next claim or publish; one thread, the Producer's. A crash in between is repaired by the
/// supervisor, which then skips the offset.
class [[nodiscard]] Claim {
 public:
  Claim() noexcept = default;
  Claim(Claim&& other) noexcept;
  Claim& operator=(Claim&& other) noexcept;
  ~Claim() {
    if (producer_ != nullptr) abort();
  }

  /// ok: payload() may be filled. Else nothing was claimed.
  Status status() const noexcept { return status_; }
  explicit operator bool() const noexcept { return status_ == Status::ok; }
  /// Writable, in shared memory, 32-byte aligned, of exactly the bytes that were asked for.
  std::span<std::byte> payload() const noexcept { return payload_; }
  RecordOffset offset() const noexcept { return offset_; }

  /// Makes it visible as soon as everything claimed before it is settled. Once. ok; fenced when the
  /// claim was open for so long that the topic's policy took it away: nobody ever sees it;
  /// quarantined when its bytes may have gone into a lost page (lost_pages.hpp).
  Published commit() noexcept;
  void abort() noexcept;

 private:
  friend class ProducerState;
  ProducerState* producer_ = nullptr;  // of an open claim
  Status status_ = Status::closed;
  bool keyless_ = false;
  std::span<std::byte> payload_;
  RecordOffset offset_;
  ClaimedBytes bytes_;
};

/// Space for many records under one claim: append() each, then commit() all at once. What was not
/// used is skipped. Lifetime and thread as for Claim.
class [[nodiscard]] Batch {
 public:
  Batch() noexcept = default;
  Batch(Batch&& other) noexcept;
  Batch& operator=(Batch&& other) noexcept;
  ~Batch() {
    if (producer_ != nullptr) abort();
  }

  Status status() const noexcept { return status_; }
  explicit operator bool() const noexcept { return status_ == Status::ok; }
  /// Records that may still be appended.
  std::uint32_t left() const noexcept { return left_; }
  /// The writable payload of one more record, 32-byte aligned; or nullopt when no record is left or
  /// it does not fit in what remains. Of the options only key, headers and timestamp_ns count.
  std::optional<std::span<std::byte>> append(std::size_t payload_bytes) noexcept;
  std::optional<std::span<std::byte>> append(std::size_t payload_bytes,
                                             const PublishOptions& options) noexcept;
  /// append() and copy.
  bool append_copy(Bytes payload, const PublishOptions& options = {}) noexcept;

  /// Makes all of them visible at once; `offset` is the first one's, the others follow it.
  /// ok | fenced | quarantined, as Claim::commit().
  Published commit() noexcept;
  void abort() noexcept;

 private:
  friend class ProducerState;
  ProducerState* producer_ = nullptr;  // of an open batch
  Status status_ = Status::closed;
  bool keyless_ = false;
  std::uint32_t left_ = 0;
  std::uint32_t used_ = 0;
  std::uint64_t cursor_ = 0;  // ring position of the next record
  std::int64_t time_ns_ = 0;  // of the claim, and of records that are not given another
  RecordOffset offset_;
  ClaimedBytes bytes_;
};

/// Publishes to one topic. Made by Bus::producer(); movable; one thread at a time, except
/// interrupt(), which any thread or signal handler may call. Keeps the Bus's connection alive.
/// publish() returns when its own record is committed by this producer: from then on the record
/// survives the death of any client and of the supervisor. A crash loses nothing that returned.
class Producer {
 public:
  Producer() noexcept = default;
  explicit Producer(std::shared_ptr<ProducerState> state) noexcept;
  Producer(Producer&&) noexcept;
  Producer& operator=(Producer&&) noexcept;
  ~Producer();

  /// Copies `payload` into the ring. Waits while the ring is full, up to the timeout.
  /// ok | timeout | interrupted | too_large | quarantined | closed | forked | no_descriptors;
  /// not_found where the topic has no such partition; fenced when this process stood still in
  /// mid-claim for so long that the topic's policy took the claim away.
  Published publish(Bytes payload, const PublishOptions& options = {}) noexcept;
  /// The same without waiting: back_pressured at once when the ring is full.
  Published try_publish(Bytes payload, const PublishOptions& options = {}) noexcept;

  /// Space for a payload of exactly that many bytes; waits as publish() does.
  Claim claim(std::size_t payload_bytes, const PublishOptions& options = {}) noexcept;
  Claim try_claim(std::size_t payload_bytes, const PublishOptions& options = {}) noexcept;

  /// Space for up to `records` records of up to `record_bytes` bytes each (payload + key +
  /// headers). Key or partition of the options choose the partition of all of them.
  Batch claim_batch(std::uint32_t records, std::size_t record_bytes,
                    const PublishOptions& options = {}) noexcept;

  /// Waits until the record at `offset`, one of this producer's, has reached the level.
  /// ok | timeout | interrupted | quarantined | closed | forked | no_descriptors; closed, too, when
  /// the topic was deleted meanwhile, which publish() need not notice; not_found when it went with
  /// its ring before it had, or left memory while the device refused
  /// (TopicSettings::when_disk_fails; then a record that is there says nothing of those before it),
  /// or when the topic keeps no log and the level needs one.
  Status wait(RecordOffset offset, Level level, Timeout timeout = forever) noexcept;

  /// Why the last back_pressured, timeout or too_large came about: "the disk is full (DIRECTORY)",
  /// "pinned by pid 123, ...", "a record of 20000 bytes does not fit: at most 16352", ...
  std::string why() const;

  /// The largest payload + key + headers of one record, bytes.
  std::uint64_t record_bytes_max() const noexcept;
  std::uint32_t partitions() const noexcept;
  /// Stamped into every record; RecordView::producer().
  std::uint32_t identity() const noexcept;

  /// Whether it is still the only producer, as asked for by ProducerOptions::exclusive. False, too,
  /// on hosts without membarrier, and while the topic gets another ring: claims go as others' do.
  bool exclusive() const noexcept;

  /// Makes a waiting call, or else the next one that would wait, return `interrupted`.
  /// Async-signal-safe.
  void interrupt() noexcept;

 private:
  std::shared_ptr<ProducerState> state_;
};

}  // namespace ringway
