#pragma once

// Transient. BOARD: one memfd per topic. The supervisor writes; everybody else maps it read-only.
//
//   +-------------+---------------------+-----------------+
//   | BoardHeader | BoardPartition × P  | Attachment × A  |
//   | 4 KiB       | 4 KiB each          | 256 bytes each  |
//   +-------------+---------------------+-----------------+

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "layout/ring.hpp"
#include "layout/version.hpp"

namespace ringway::layout {

inline constexpr std::uint64_t kBoardMagic = 0x3144524259415752;  // "RWAYBRD1"
inline constexpr std::uint32_t kNonces = 64;                      // four laps of ring segments
inline constexpr std::uint32_t kTopicNameBytesMax = 249;
inline constexpr std::uint32_t kCursorNameBytesMax = 127;

/// Proof of who a process was, comparable after it died: pids are reused, these triples are not.
struct ProcessId {
  std::uint32_t pid;
  std::uint32_t uid;
  std::uint64_t start_ticks;  ///< field 22 of /proc/PID/stat
  std::uint8_t boot_id[16];
};
static_assert(sizeof(ProcessId) == 32);

enum class TopicMode : std::uint32_t {
  persisted = 1,        ///< limit follows `durable` (`written` when sync = never)
  memory_block = 2,     ///< limit follows the slowest attached consumer
  memory_overwrite = 3  ///< limit follows `committed`; readers may be lapped
};

enum class TopicState : std::uint32_t {
  serving = 1,
  stopping = 2,
  deleted = 3,
  replaced = 4,  ///< the topic goes on in the next generation's ring: ask for it
};

struct BoardHeader {
  // Written once, before `magic`, which is published last (release).
  std::atomic<std::uint64_t> magic;
  std::uint16_t major;
  std::atomic<std::uint16_t> minor;  ///< the serving supervisor's: written again by each
  std::uint32_t header_bytes;        ///< sizeof(BoardHeader): where the partitions start
  std::uint64_t compatible_flags;    ///< unknown bits may be ignored
  std::uint64_t incompatible_flags;  ///< unknown bits: refuse to map
  std::uint8_t topic_uuid[16];
  std::uint64_t generation;  ///< of the ring this board belongs to; 1, 2, ...
  std::uint64_t ring_bytes;  ///< power of two
  std::uint32_t partitions;
  std::uint32_t attachments;  ///< capacity of the table at the end
  TopicMode mode;
  std::uint32_t name_bytes;
  char name[256];
  // Written by each supervisor that adopts the board.
  alignas(128) std::atomic<std::uint32_t> state;  ///< TopicState
  std::uint32_t reserved0;
  std::atomic<std::uint64_t> supervisor_epoch;  ///< +1 with every supervisor that serves it
  ProcessId supervisor;
  std::uint8_t reserved1[4096 - 384 - 48];
};
static_assert(sizeof(BoardHeader) == kPageBytes);
static_assert(offsetof(BoardHeader, topic_uuid) == 32);
static_assert(offsetof(BoardHeader, name) == 80);
static_assert(offsetof(BoardHeader, state) == 384);

/// A true record boundary and the offset of the record that starts there.
struct Boundary {
  std::atomic<std::uint64_t> position;
  std::atomic<std::uint64_t> offset;
};

/// A claim that was finished for its dead owner.
struct Hole {
  std::atomic<std::uint64_t> offset;   ///< kNoOffset until everything before it is settled
  std::atomic<std::uint64_t> offsets;  ///< how many
  std::atomic<std::uint64_t> position;
  std::atomic<std::uint64_t> bytes;
  std::atomic<std::uint64_t> repaired_at_ns;  ///< CLOCK_REALTIME
  std::atomic<std::uint32_t> pid;
  std::atomic<std::uint32_t> reserved;
};
static_assert(sizeof(Hole) == 48);

/// A claim that was taken from its live owner when the ring was retired (ring/retire.hpp): nobody
/// reads its bytes again, its offsets are skipped.
struct VoidClaim {
  std::atomic<std::uint64_t> position;
  std::atomic<std::uint64_t> bytes;
  std::atomic<std::uint64_t> offset;
  std::atomic<std::uint32_t> offsets;  ///< how many
  std::atomic<std::uint32_t> pid;
};
static_assert(sizeof(VoidClaim) == 32);

/// What the log lacks: offsets whose ring was lost, or that had to leave it while the device
/// refused.
struct LogGap {
  std::atomic<std::uint64_t> written;  ///< the first that is not in the log
  std::atomic<std::uint64_t> durable;  ///< what lies between here and there may be gone as well
  std::atomic<std::uint64_t> to;       ///< where the log goes on; grows until it does
};
static_assert(sizeof(LogGap) == 24);

/// Whether the ring goes on. Everything below `end_position` is settled and stays as it is; what
/// lies behind it is read in the ring's successor.
enum class Retired : std::uint32_t {
  no = 0,
  deciding = 1,  ///< who stamps now must wait for what is decided
  decided = 2,   ///< the claims in `void_claim` are void, all others stand
  spoiled = 3,   ///< in quarantine: every claim from `end_position` on is void
};

/// Why producers are refused, for `Producer::why()`, `inspect` and `status`.
enum class Hold : std::uint32_t {
  none = 0,
  disk_slow = 1,      ///< written data waits for the device
  disk_full = 2,      ///< no space in the state directory
  disk_error = 3,     ///< the device refuses; healing is tried
  pinned = 4,         ///< `hold_pid` holds records in place
  stopped_claim = 5,  ///< `hold_pid` is alive but does not finish its claim
  slow_consumer = 6,  ///< memory_block: `hold_pid` has not read them yet
  stopping = 7,       ///< orderly stop
  quarantined = 8,    ///< the ring's content is corrupt
  memory_only = 9,    ///< the device refuses; nobody waits: what leaves the ring is not in the log
};

/// The word that people and JSON see.
constexpr std::string_view to_string(Hold hold) noexcept {
  switch (hold) {
    case Hold::none:
      return "serving";
    case Hold::disk_slow:
      return "disk_slow";
    case Hold::disk_full:
      return "disk_full";
    case Hold::disk_error:
      return "disk_error";
    case Hold::pinned:
      return "pinned";
    case Hold::stopped_claim:
      return "stopped_claim";
    case Hold::slow_consumer:
      return "slow_consumer";
    case Hold::stopping:
      return "stopping";
    case Hold::quarantined:
      return "quarantined";
    case Hold::memory_only:
      return "memory_only";
  }
  return "unknown";
}

/// Whether `status` calls the bus degraded by it. Of a slow disk nothing is amiss: it is waited
/// for.
constexpr bool needs_attention(Hold hold) noexcept {
  return hold != Hold::none && hold != Hold::disk_slow;
}

inline constexpr std::uint32_t kHoles = 16;
inline constexpr std::uint32_t kVoidClaims = 32;
inline constexpr std::uint32_t kLogGaps = 10;

/// Who waits for a level of an offset sleeps on BoardPartition::told[told_word(offset)]: of many
/// that wait, only about those are woken whose turn it is. Neighbours share a word, as they mostly
/// reach a level together; few, as those that do not are woken in vain.
inline constexpr std::uint32_t kToldWords = 16;
inline constexpr std::uint64_t kToldNeighbours = 8;
inline constexpr std::uint16_t kToldSinceMinor = 2;

constexpr std::uint32_t told_word(std::uint64_t offset) noexcept {
  return static_cast<std::uint32_t>(offset / kToldNeighbours % kToldWords);
}
/// A bit for each word that offsets in [from, to) have.
constexpr std::uint32_t told_words(std::uint64_t from, std::uint64_t to) noexcept {
  constexpr std::uint32_t all = (1U << kToldWords) - 1;
  if (from >= to) return 0;
  const std::uint64_t words = (to - 1) / kToldNeighbours - from / kToldNeighbours + 1;
  if (words >= kToldWords) return all;
  const std::uint32_t run = (1U << words) - 1;
  const std::uint32_t first = told_word(from);
  return (run << first | run >> (kToldWords - first)) & all;
}

struct BoardPartition {
  // Read by producers on every refresh. limit: first position that may not be claimed;
  // anchor: offset at the position that limit was computed from; anchor is stored first.
  alignas(128) std::atomic<std::uint64_t> limit;
  std::atomic<std::uint64_t> anchor;

  // Hardly ever written; read by producers after each commit, by consumers in each poll, by an
  // exclusive producer in each claim. When the ring ends, the end is stored before `retired` leaves
  // `no`, the void claims before it says decided.
  alignas(64) std::atomic<std::uint32_t> retired;  ///< Retired
  std::atomic<std::uint32_t> void_claims;          ///< how many there are
  std::atomic<std::uint64_t> end_position;
  std::atomic<std::uint64_t> end_offset;
  std::atomic<std::uint32_t> share_wanted;  ///< 1: an exclusive producer must become a shared one

  // Read by consumers on every poll. Always a multiple of ring_bytes / 16; limit <= announced.
  alignas(128) std::atomic<std::uint64_t> announced;

  alignas(128) std::atomic<std::uint64_t> nonce[kNonces];

  // The watermarks (G2), exclusive, each with its offset and position. committed >= written >=
  // durable.
  alignas(128) std::atomic<std::uint64_t> committed_offset;
  std::atomic<std::uint64_t> committed_position;
  std::atomic<std::uint64_t> written_offset;
  std::atomic<std::uint64_t> written_position;
  std::atomic<std::uint64_t> durable_offset;
  std::atomic<std::uint64_t> durable_position;
  std::atomic<std::uint32_t>
      progress;  ///< futex: +1 when a watermark or limit moved and someone sleeps
  std::atomic<std::uint32_t> hold;  ///< Hold
  std::atomic<std::uint32_t> hold_pid;
  std::uint32_t reserved1;

  // For look-ups: boundary[s % 64] is the first boundary at or behind the start of ring segment s
  // that the supervisor came to. Written before committed passes it (release).
  alignas(128) Boundary boundary[kNonces];

  // Fixed for the ring generation.
  alignas(128) std::atomic<std::uint64_t> base_position;  ///< log position of ring position 0
  std::atomic<std::uint64_t> base_offset;  ///< offset of the record at ring position 0

  // Counters and log facts, for people.
  std::atomic<std::uint64_t>
      first_offset;  ///< oldest offset that can be read, from segments or ring
  std::atomic<std::uint64_t> log_bytes;
  std::atomic<std::uint64_t> repairs;  ///< holes ever made; hole[i % 16] is the i-th
  std::atomic<std::uint64_t> hostile_pins;
  std::atomic<std::uint64_t> write_errors;
  std::uint64_t reserved2;

  // Since 1.2. Futexes: +1 when a level reached one of its offsets and someone waits for that.
  alignas(64) std::atomic<std::uint32_t> told[kToldWords];

  Hole hole[kHoles];
  VoidClaim void_claim[kVoidClaims];

  // What the log lacks, oldest first: log_gap[i % 10] is the i-th. Written before a watermark
  // passes it and before anything of it is overwritten (release).
  std::atomic<std::uint32_t> log_gaps;  ///< how many there ever were
  std::uint32_t reserved3;
  LogGap log_gap[kLogGaps];
  std::uint64_t reserved4;
};
static_assert(offsetof(BoardPartition, retired) == 64);
static_assert(offsetof(BoardPartition, share_wanted) == 88);
static_assert(offsetof(BoardPartition, announced) == 128);
static_assert(offsetof(BoardPartition, nonce) == 256);
static_assert(offsetof(BoardPartition, committed_offset) == 768);
static_assert(offsetof(BoardPartition, progress) == 816);
static_assert(offsetof(BoardPartition, boundary) == 896);
static_assert(offsetof(BoardPartition, base_position) == 1920);
static_assert(offsetof(BoardPartition, told) == 1984);
static_assert(offsetof(BoardPartition, hole) == 2048);
static_assert(offsetof(BoardPartition, log_gaps) == 3840);
static_assert(sizeof(BoardPartition) == kPageBytes);

enum class Role : std::uint32_t { producer = 1, consumer = 2 };

enum AttachmentState : std::uint32_t {
  kFree = 0,
  kOpen = 1,
  kReleasing = 2,  ///< closed, or its process is dead: no longer anybody's, but not settled yet
};

enum AttachmentFlags : std::uint32_t {
  kProtects = 1,   ///< its named cursor keeps segments from retention
  kReached = 2,    ///< the asymmetric barrier reaches its process
  kExclusive = 4,  ///< the topic's only producer: it may claim without compare-and-swap
  kCopies = 8,     ///< 1.1: a consumer that may not hold records in place any more
};

/// One open handle: which process holds which session slots. All slots of a handle lie in one
/// chunk, slot `first_slot + p` for partition p. `state` is published last (release).
struct Attachment {
  std::atomic<std::uint32_t> state;  ///< AttachmentState
  Role role;
  std::uint64_t session;  ///< session identity, unique within the bus
  std::uint64_t handle;   ///< handle identity, unique within the bus
  std::uint32_t chunk;    ///< which of the session's memfds
  std::uint32_t first_slot;
  std::uint32_t producer;  ///< producer identity stamped into records
  std::atomic<std::uint32_t> flags;  ///< AttachmentFlags; kCopies comes while it is open
  ProcessId process;
  char user[32];             ///< account name or number, cut to fit
  char cursor_name[128];     ///< named cursors; "" otherwise
  std::uint64_t generation;  ///< of the ring its slots speak of: an earlier one until it has moved
  char version[16];          ///< since 1.4: of the client's library, cut to fit; "" not said
};
static_assert(offsetof(Attachment, flags) == 36);
static_assert(sizeof(Attachment) == 256);

constexpr std::uint64_t board_attachments_offset(std::uint32_t partitions) noexcept {
  return kPageBytes + partitions * sizeof(BoardPartition);
}
constexpr std::uint64_t board_file_bytes(std::uint32_t partitions,
                                         std::uint32_t attachments) noexcept {
  return round_up_to_page(board_attachments_offset(partitions) + attachments * sizeof(Attachment));
}

}  // namespace ringway::layout
