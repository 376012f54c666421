#pragma once

// Every message of the control protocol: JSON over a SOCK_SEQPACKET socket, one message a packet.
//
//   request   {"op": "open", "id": 7, …}
//   reply     {"id": 7, …}, descriptors attached in the order their struct names
//   refusal   {"id": 7, "error": {"code", "thing", "rule", "fix"}}
//
// The first request is "hello". Unknown fields are ignored, so that either side may be newer;
// fields that are known must have the right type and range. A challenge (peer_proof.hpp) may come
// before the reply to "hello". What a message holds is checked for form only: names, rights and
// existence are the receiver's business.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "control/topic_settings.hpp"
#include "layout/board.hpp"
#include "ringway/error.hpp"
#include "shm/uuid.hpp"

namespace ringway::control {

inline constexpr std::uint32_t kProtocolVersion = 1;

using shm::Uuid;

struct Done {};  ///< The reply that says nothing more.

struct Welcome {
  std::uint64_t session = 0;
  Uuid bus{};
  std::uint64_t supervisor_epoch = 0;
  bool resumed = false;  ///< the session that was asked for lives on; else open everything anew
  // descriptors: the supervisor's doorbell (eventfd)
};
struct Hello {
  static constexpr std::string_view kOp = "hello";
  using Reply = Welcome;
  std::uint32_t protocol = kProtocolVersion;
  std::string client{};                    ///< program, for people
  std::optional<std::uint64_t> session{};  ///< to go on with after the supervisor was restarted
  bool membarrier = false;                 ///< the asymmetric barrier reaches the process
  /// With a session: the last handle that a reply told of. Later ones were made, but the reply was
  /// lost with the connection: they are closed before the session goes on.
  std::optional<std::uint64_t> last_handle{};
  std::string version{};  ///< of the library, for people; "" of one that does not say
};

struct TopicCreated {
  Uuid uuid{};
};
struct CreateTopic {
  static constexpr std::string_view kOp = "create_topic";
  using Reply = TopicCreated;
  std::string name{};
  TopicChoices settings{};
};

/// Changes settings of a topic. For anything but retention it gets a new ring with them.
struct AlterTopic {
  static constexpr std::string_view kOp = "alter_topic";
  using Reply = Done;
  std::string name{};
  TopicChoices settings{};
};

struct DeleteTopic {
  static constexpr std::string_view kOp = "delete_topic";
  using Reply = Done;
  std::string name{};
};

/// How far one partition was, or would be, trimmed.
struct TrimmedPartition {
  std::uint32_t partition = 0;
  std::uint64_t segments = 0;      ///< removed
  std::uint64_t bytes = 0;         ///< that they took
  std::uint64_t first_offset = 0;  ///< of what is left
  std::string kept_by{};           ///< why nothing more went: "", "segment", "last" or "cursor"
  std::string cursor{};            ///< that one's name
};
struct TopicTrimmed {
  std::vector<TrimmedPartition> partitions{};
  std::optional<std::uint32_t> next{};  ///< ask again, from this partition on
};
/// Removes the segments of a log whose records all lie before an offset and a time.
struct TrimTopic {
  static constexpr std::string_view kOp = "trim_topic";
  using Reply = TopicTrimmed;
  std::string name{};
  std::optional<std::uint64_t> before_offset{};
  std::optional<std::int64_t> before_time_ns{};
  std::optional<std::uint32_t> partition{};  ///< none: all
  bool dry_run = false;                      ///< only say what would go
  std::uint32_t first = 0;                   ///< of all: from this partition on, to go on with
  /// Of all: so many at once at most. None, as earlier versions ask: all that remain, or refused
  /// where the reply would be too long for a message.
  std::optional<std::uint32_t> max{};
};

/// Gives or takes rights to a topic that it was created with, or was given since.
struct ChangeAccess {
  static constexpr std::string_view kOp = "change_access";
  using Reply = Done;
  std::string name{};
  bool grant = true;                             ///< else revoke
  std::vector<std::string> readers{}, writers{}, admins{};  ///< users and @groups
};

/// Whom a right belongs to, and where that stands.
struct AccessEntry {
  std::string account{};
  std::string right{};   ///< "read", "write" or "administer"
  std::string source{};  ///< "topic", "configuration", "owner" or "supervisor"
};
struct AccessReport {
  std::vector<AccessEntry> entries{};
};
struct ListAccess {
  static constexpr std::string_view kOp = "list_access";
  using Reply = AccessReport;
  std::string name{};
};

struct TopicListing {
  std::string name{};
  Uuid uuid{};
  std::uint32_t partitions = 0;
  layout::TopicMode mode{};
};
struct TopicList {
  std::vector<TopicListing> topics{};  ///< in the order of their names' bytes
  bool more = false;                   ///< ask again, after the last one
};
struct ListTopics {
  static constexpr std::string_view kOp = "list_topics";
  using Reply = TopicList;
  std::string after{};  ///< names behind this one; "" for the first page
  std::uint32_t max = 100;
};

struct TopicDescription {
  Uuid uuid{};
  TopicSettings settings{};
  nlohmann::json details = nlohmann::json::object();  ///< for people; numbers are on the board
};
struct DescribeTopic {
  static constexpr std::string_view kOp = "describe_topic";
  using Reply = TopicDescription;
  std::string name{};
};

struct StatusReport {
  nlohmann::json report = nlohmann::json::object();
};
struct GetStatus {
  static constexpr std::string_view kOp = "status";
  using Reply = StatusReport;
};

/// A handle on all partitions of a topic: slot `first_slot + p` of the chunk is partition p's.
struct Opened {
  std::uint64_t handle = 0;
  Uuid topic{};
  std::uint64_t generation = 0;
  std::uint32_t partitions = 0;
  std::uint32_t chunk = 0;
  std::uint32_t first_slot = 0;
  std::uint32_t slots = 0;     ///< of the whole chunk
  std::uint32_t producer = 0;  ///< identity stamped into records; 0 for consumers
  std::optional<std::uint32_t> attachment{};                   ///< its entry in the board's table
  std::vector<std::optional<std::uint64_t>> cursor_offsets{};  ///< named cursors: one per partition
  TopicSettings settings{};
  bool memory = true;      ///< board, ring and bell are attached
  bool new_chunk = false;  ///< the chunk is attached, last
  bool exclusive = false;  ///< nobody else produces, until the board's share_wanted
  std::string log_directory{};  ///< the topic's; "" where it keeps no log, or nobody says
  // descriptors: board (read-only), ring (writable for producers), bell, chunk
};
struct Open {
  static constexpr std::string_view kOp = "open";
  using Reply = Opened;
  std::string topic{};
  layout::Role role = layout::Role::consumer;
  std::optional<std::string> cursor{};
  std::optional<bool> protects{};  ///< the cursor's segments are kept; none: as they were
  std::optional<std::uint64_t> mapped_generation{};  ///< mapped already: do not attach it again
  /// A handle of this session on the topic's ring before: it moves to the present one, with its
  /// slots and its cursor. One that is unknown is opened anew.
  std::optional<std::uint64_t> moved{};
  bool exclusive = false;  ///< producers: as the only one, on all partitions
};

struct Close {
  static constexpr std::string_view kOp = "close";
  using Reply = Done;
  std::uint64_t handle = 0;
};

/// A segment file, or the word that the wanted place is in the ring.
struct SegmentFound {
  bool in_ring = false;
  /// The wanted offset was in a file that is missing: where that ended.
  std::optional<std::uint64_t> missing_to_offset{};
  std::optional<std::uint64_t> missing_to_position{};
  /// The wanted time may lie in files that are missing or unreadable, from here up to base_offset.
  std::optional<std::uint64_t> lost_from_offset{};
  std::uint64_t base_offset = 0;
  std::uint64_t base_position = 0;
  std::uint64_t end_offset = 0;  ///< so far, where it is not sealed
  std::uint64_t end_position = 0;
  bool sealed = false;
  // descriptors, unless in_ring: the file (read-only)
};
struct AtOffset {
  std::uint64_t offset = 0;
};
struct AtPosition {
  std::uint64_t position = 0;
};
struct AtTime {
  std::int64_t time_ns = 0;  ///< the first record at or after it
};
struct FindSegment {
  static constexpr std::string_view kOp = "segment";
  using Reply = SegmentFound;
  Uuid topic{};
  std::uint32_t partition = 0;
  std::variant<AtOffset, AtPosition, AtTime> at{};
  /// An offset of the partition that the asker could not read in the segment it was given: the
  /// supervisor looks for itself.
  std::optional<std::uint64_t> unreadable{};
};

struct CursorListing {
  std::string name{};
  std::vector<std::optional<std::uint64_t>>
      offsets{};  ///< one per partition; none: never committed
  bool protects = true;
  std::uint32_t holder_pid = 0;  ///< 0: nobody
};
struct CursorList {
  std::vector<CursorListing> cursors{};  ///< in the order of their names' bytes
  bool more = false;                     ///< ask again, after the last one
};
struct ListCursors {
  static constexpr std::string_view kOp = "cursor_list";
  using Reply = CursorList;
  std::string topic{};
  std::string after{};  ///< names behind this one; "" for the first page
};
struct DeleteCursor {
  static constexpr std::string_view kOp = "cursor_delete";
  using Reply = Done;
  std::string topic{};
  std::string name{};
};

using Request = std::variant<Hello, CreateTopic, AlterTopic, DeleteTopic, ListTopics, DescribeTopic,
                             GetStatus, Open, Close, FindSegment, ListCursors, DeleteCursor,
                             TrimTopic, ChangeAccess, ListAccess>;
using Reply = std::variant<Done, Welcome, TopicCreated, TopicList, TopicDescription, StatusReport,
                           Opened, SegmentFound, CursorList, TopicTrimmed, AccessReport>;

/// A message whose number is known, so that what is wrong with the rest can be answered.
struct Envelope {
  std::uint64_t id = 0;
  nlohmann::json body;
};

/// @throws Error when the text is no JSON object with an "id".
Envelope open_envelope(std::string_view text);

/// @throws Error naming the text that is not UTF-8.
std::string encode(std::uint64_t id, const Request& request);
/// @throws Error naming the operation or field that is wrong.
Request decode_request(const Envelope& envelope);

std::string encode(std::uint64_t id, const Reply& reply);
std::string encode(std::uint64_t id, const Error& refusal);
/// @throws the Error that the other side sent, or one naming the field that is wrong.
template <class R>
R decode_reply(const Envelope& envelope);

}  // namespace ringway::control
