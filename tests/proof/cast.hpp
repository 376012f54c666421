#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/commit_follower.hpp"
#include "daemon/partition_handles.hpp"
#include "proof/content.hpp"
#include "proof/stage.hpp"
#include "ring/limit.hpp"
#include "ring/reader.hpp"
#include "ring/writer.hpp"

namespace ringway::proof {

using Writer = ring::Writer<ring::PartitionView, layout::Slot>;
using Reader = ring::Reader<ring::PartitionView, layout::Slot>;

/// Space that somebody took, as the tail shows it.
struct Claim {
  std::uint64_t position;
  std::uint64_t bytes;
  std::uint64_t offsets;

  friend auto operator<=>(const Claim&, const Claim&) = default;
};

/// A record or skip, as somebody saw it.
struct Seen {
  ring::Place at;
  std::uint64_t bytes;
  std::uint64_t offsets;
  std::optional<std::string> payload;  ///< none: a skip
  std::uint32_t author;

  friend bool operator==(const Seen&, const Seen&) = default;
};

/// All who live on: a producer, one with an open claim, a consumer, one that holds records, and the
/// supervisor. They run the shipped code in this process, one after another, and know what must be
/// true; whatever is not is thrown as a Violation. Copies act on the same stage from the same point
/// of the play.
class Cast {
 public:
  Cast(Stage& stage, ring::Mapping mapping, std::uint64_t base_offset);

  Stage& stage() const noexcept { return *stage_; }
  ring::Mapping mapping() const noexcept { return mapping_; }
  ring::PartitionView view() const noexcept { return view_; }

  // Producers.

  /// False: back pressured. The record's bytes pretend to be committed records of the next lap.
  bool publish(Writer& writer, std::uint64_t payload_bytes);
  bool publish(std::uint64_t payload_bytes) { return publish(other_, payload_bytes); }
  /// Publishes and hands back until the tail has come to `position`.
  void advance_to(std::uint64_t position);
  /// Publishes until it is refused.
  void fill_up();
  enum class Turned : unsigned char { stuck, whole };
  /// A lap and a quarter of records, each read and handed back; less when somebody holds it up.
  Turned turn_the_ring();
  void claim_early(std::uint64_t payload_bytes);
  void commit_early();
  bool claims_early() const noexcept { return early_.has_value(); }

  // Consumers.

  /// All there is from `from` on, seen as a consumer that pins sees it.
  std::vector<Seen> look(ring::Place from);
  /// The live consumer reads on, and holds everything against what was published.
  void read();
  ring::Place place() const noexcept { return place_; }
  /// Pins `at` and remembers what lies there.
  void hold(ring::Place at);
  /// The same for what somebody else has pinned.
  void watch_held(std::uint64_t position);
  void check_held() const;
  /// Producers take all there is while no supervisor serves: what is not announced for reuse stays.
  void check_window();
  void let_go();
  bool holds() const noexcept { return held_.has_value(); }
  /// How many records of that author the live consumer has seen.
  std::uint64_t seen_of(std::uint32_t author) const { return authors_[author].sequence; }
  const std::vector<Claim>& skips() const noexcept { return skips_; }

  // The supervisor.

  /// Follows the stamps and hands back what the live consumer has read.
  void hand_back() {
    follow();
    publish_limit();
  }
  void follow();
  void publish_limit();
  /// All seats that are taken.
  daemon::PartitionHandles handles() const;
  /// A dead consumer's seat is nobody's any more, whatever its slot says.
  void vacate(Seat reader) noexcept { vacant_ = reader; }
  daemon::PartitionHandles& attached() noexcept { return handles_; }
  ring::Place committed() const noexcept { return follower_.committed(); }
  /// Another supervisor, that knows what the board says.
  void replace_supervisor();
  void check_boundaries() const;
  void check_all_is_read() const;
  std::uint64_t draw() noexcept { return nonce_ = ring::mix(nonce_ + 1); }

 private:
  struct Author {
    std::uint64_t sequence = 0;
    std::uint64_t batch_left = 0;
  };
  struct Early {
    ring::Claimed claimed;
    std::string payload;
  };
  struct Held {
    std::uint64_t position;
    std::string bytes;
  };

  void check(const Seen& seen);
  void check_puppets(const Seen& seen);
  std::string forged_records(std::uint64_t position, std::uint64_t payload_bytes) const;
  void note(const ring::Claimed& claimed, std::string payload);
  std::string bytes_between(std::uint64_t from, std::uint64_t to) const;

  Stage* stage_;
  ring::Mapping mapping_;
  ring::PartitionView view_;
  Writer other_;
  Writer earlier_;
  std::optional<Early> early_;
  ring::Place place_;
  std::optional<Held> held_;
  std::optional<Seat> vacant_;
  daemon::CommitFollower follower_;
  daemon::PartitionHandles handles_;
  std::uint64_t nonce_ = 7;

  struct Published {
    std::uint64_t offset;
    std::string payload;
  };
  std::map<std::uint64_t, Published> published_;       // by position; not yet read
  std::map<std::uint64_t, std::uint64_t> boundaries_;  // position -> offset, all that was read
  std::array<Author, kSeats> authors_{};
  std::vector<Claim> skips_;
};

}  // namespace ringway::proof
