#include "proof/cast.hpp"

#include <fmt/format.h>

#include "ring/limit.hpp"

namespace ringway::proof {
namespace {

constexpr std::uint32_t kHistorian = 50;  // the author of what the cast itself publishes
constexpr std::uint32_t kForger = 51;     // of what its records pretend to be

constexpr std::uint64_t kLarge = 1500;
constexpr std::uint64_t kRingTurn = Stage::kRingBytes / 4 * 5;

}  // namespace

Cast::Cast(Stage& stage, ring::Mapping mapping, std::uint64_t base_offset)
    : stage_(&stage),
      mapping_(mapping),
      view_(stage.view(mapping)),
      other_(view_, stage.slot(kOther)),
      earlier_(view_, stage.slot(kEarlier)),
      place_{0, base_offset},
      follower_(view_, {0, base_offset}),
      handles_(handles()) {}

// Producers.

/// Every unit of the payload is a record of the next lap, committed by what a stamp there is now.
std::string Cast::forged_records(std::uint64_t position, std::uint64_t payload_bytes) const {
  std::string out;
  layout::RecordHeader header{};
  header.kind = static_cast<std::uint8_t>(layout::RecordKind::data);
  header.producer = kForger;
  for (std::uint64_t at = 0; at < payload_bytes; at += sizeof header) {
    const std::uint64_t place = position + sizeof header + at + view_.ring_bytes();
    header.stamp = ring::current_stamp(view_, place);
    out.append(reinterpret_cast<const char*>(&header), sizeof header);
  }
  out.resize(payload_bytes);
  return out;
}

void Cast::note(const ring::Claimed& claimed, std::string payload) {
  published_[claimed.position] = {claimed.offset, std::move(payload)};
}

bool Cast::publish(Writer& writer, std::uint64_t payload_bytes) {
  const auto claimed = writer.try_claim(layout::record_bytes(payload_bytes, 0, 0), 1);
  if (claimed.status == Status::back_pressured) return false;
  if (claimed.status != Status::ok) {
    throw Violation(fmt::format("a live producer is refused: {}", to_string(claimed.status)));
  }
  std::string payload = forged_records(claimed.position, payload_bytes);
  write_record(view_, claimed.position, payload, kHistorian);
  writer.commit(claimed);
  note(claimed, std::move(payload));
  return true;
}

void Cast::advance_to(std::uint64_t position) {
  for (;;) {
    const std::uint64_t tail = stage_->tail().position;
    if (tail >= position) break;
    const std::uint64_t left = position - tail;
    // Not less than a whole record, and none across the end of what is mapped once.
    const std::uint64_t bytes = left < 2 * kLarge ? left : layout::round_up_to_unit(kLarge);
    if (!publish(bytes - sizeof(layout::RecordHeader))) {
      read();
      hand_back();
    }
  }
  read();
  hand_back();
}

void Cast::fill_up() {
  for (std::uint64_t bytes : {kLarge, std::uint64_t{200}, std::uint64_t{32}, std::uint64_t{0}}) {
    while (publish(bytes)) {
    }
  }
}

Cast::Turned Cast::turn_the_ring() {
  const std::uint64_t end = stage_->tail().position + kRingTurn;
  while (stage_->tail().position < end) {
    if (publish(700)) continue;
    read();
    hand_back();
    if (!publish(700)) return Turned::stuck;
  }
  read();
  hand_back();
  return Turned::whole;
}

void Cast::claim_early(std::uint64_t payload_bytes) {
  const auto claimed = earlier_.try_claim(layout::record_bytes(payload_bytes, 0, 0), 1);
  if (claimed.status != Status::ok) throw Violation("the earlier claim is refused");
  early_ = {claimed, forged_records(claimed.position, payload_bytes)};
}

void Cast::commit_early() {
  write_record(view_, early_->claimed.position, early_->payload, kHistorian);
  earlier_.commit(early_->claimed);
  note(early_->claimed, std::move(early_->payload));
  early_.reset();
}

// Consumers.

std::vector<Seen> Cast::look(ring::Place from) {
  Reader reader(view_, stage_->slot(kReader));
  const std::uint64_t announced = reader.pin(from.position);
  if (announced == 0) throw Violation("a consumer's place has left the ring");
  std::vector<Seen> out;
  const ring::Found found =
      ring::walk(view_, from, announced, [&](const ring::Place& at, const auto& header) {
        Seen seen{at, layout::record_bytes(header), layout::record_offsets(header), {}, kHistorian};
        if (header.kind == static_cast<std::uint8_t>(layout::RecordKind::data)) {
          seen.author = header.producer;
          seen.payload = bytes_between(at.position + sizeof header,
                                       at.position + sizeof header + header.payload_bytes);
        }
        out.push_back(std::move(seen));
      });
  reader.unpin();
  if (found == ring::Found::corrupt) throw Violation("a record that cannot be followed");
  if (from.position > stage_->tail().position) throw Violation("a record behind the tail");
  return out;
}

std::string Cast::bytes_between(std::uint64_t from, std::uint64_t to) const {
  return {reinterpret_cast<const char*>(view_.at(from)), static_cast<std::size_t>(to - from)};
}

void Cast::read() {
  for (const Seen& seen : look(place_)) {
    check(seen);
    boundaries_[seen.at.position] = seen.at.offset;
    place_ = {seen.at.position + seen.bytes, seen.at.offset + seen.offsets};
  }
}

void Cast::check(const Seen& seen) {
  const auto where = [&] {
    return fmt::format(" at position {}, offset {}", seen.at.position, seen.at.offset);
  };
  if (!published_.empty() && published_.begin()->first < seen.at.position) {
    throw Violation("a committed record is not there" + where());
  }
  if (!seen.payload) {
    skips_.push_back({seen.at.position, seen.bytes, seen.offsets});
    return;
  }
  if (seen.author == kForger) throw Violation("a forged record" + where());
  if (seen.author != kHistorian) return check_puppets(seen);
  const auto known = published_.find(seen.at.position);
  if (known == published_.end()) throw Violation("a record twice" + where());
  if (known->second.offset != seen.at.offset) {
    throw Violation(
        fmt::format("a record whose producer was told offset {}", known->second.offset) + where());
  }
  if (known->second.payload != *seen.payload) throw Violation("other bytes" + where());
  published_.erase(known);
}

void Cast::check_puppets(const Seen& seen) {
  const Content content = Content::parse(*seen.payload);
  if (content.author >= kSeats || content.author != seen.author) {
    throw Violation("a record of nobody");
  }
  Author& author = authors_[content.author];
  if (content.sequence != author.sequence + 1) {
    throw Violation(fmt::format("record {} of author {} behind its {}", content.sequence,
                                content.author, author.sequence));
  }
  for (Author& any : authors_) {
    if (any.batch_left != 0 && &any != &author) throw Violation("a batch is interrupted");
  }
  if (author.batch_left == 0) {
    if (content.sequence != content.batch_first) throw Violation("a batch without its beginning");
    author.batch_left = content.batch;
  }
  --author.batch_left;
  author.sequence = content.sequence;
}

void Cast::hold(ring::Place at) {
  Reader reader(view_, stage_->slot(kHolder));
  if (reader.pin(at.position) == 0) throw Violation("what is to be held has left the ring");
  watch_held(at.position);
}

void Cast::watch_held(std::uint64_t position) {
  std::string bytes;
  for (std::uint64_t p = position; p < place_.position; p += layout::kUnitBytes) {
    bytes += bytes_between(p, p + layout::kUnitBytes);
  }
  held_ = {position, std::move(bytes)};
}

void Cast::check_held() const {
  for (std::uint64_t done = 0; done < held_->bytes.size(); done += layout::kUnitBytes) {
    const std::uint64_t p = held_->position + done;
    if (bytes_between(p, p + layout::kUnitBytes) != held_->bytes.substr(done, layout::kUnitBytes)) {
      throw Violation(fmt::format("a held byte was overwritten, position {}", p));
    }
  }
}

void Cast::check_window() {
  const std::optional<Held> before = std::move(held_);
  watch_held(view_.announced().load() - view_.ring_bytes());
  fill_up();
  check_held();
  held_ = before;
}

void Cast::let_go() {
  check_held();
  Reader(view_, stage_->slot(kHolder)).unpin();
  held_.reset();
}

// The supervisor.

daemon::PartitionHandles Cast::handles() const {
  daemon::PartitionHandles all;
  for (const Seat seat : {kVictim, kOther, kEarlier, kRivalA, kRivalB}) {
    all.add(layout::Role::producer, seat, 1000 + seat, &stage_->slot(seat));
  }
  for (const Seat seat : {kReader, kHolder, kVictimReader}) {
    if (seat == vacant_) continue;
    all.add(layout::Role::consumer, seat, 1000 + seat, &stage_->slot(seat));
  }
  return all;
}

void Cast::follow() {
  // By the slots first: nobody moves, so they say no less than the stamps.
  const std::optional<ring::Place> settled = handles_.settled_from(view_, follower_.committed());
  const auto found = follower_.follow(~std::uint64_t{0} >> 1, [](auto&&...) {});
  if (found == ring::Found::corrupt) throw Violation("the supervisor cannot follow a record");
  if (settled != follower_.committed()) {
    throw Violation(settled ? "what slots say is settled is not, or not all"
                            : "slots do not say what is settled");
  }
}

void Cast::publish_limit() {
  // The consumer is where it saw everything that is durable.
  ring::Place reusable =
      follower_.committed().position < place_.position ? follower_.committed() : place_;
  reusable.position = reusable.position / layout::kPageBytes * layout::kPageBytes;
  const auto outcome = ring::publish_limit(
      view_, reusable, handles_.pin_count(), [&](std::size_t i) { return handles_.pin(i); },
      [this] { return draw(); });
  if (outcome.hostile != 0) throw Violation("an honest pin is taken for a hostile one");
}

void Cast::replace_supervisor() {
  ring::Place place = daemon::CommitFollower::last_boundary(view_);
  if (const auto known = boundaries_.find(place.position);
      known != boundaries_.end() && known->second != place.offset) {
    throw Violation("a supervisor would adopt the ring at a wrong offset");
  }
  // What was handed back is durable: its log leads it on from there.
  if (place.position + view_.ring_bytes() < view_.announced().load()) place = place_;
  follower_ = daemon::CommitFollower(view_, place);
  handles_ = handles();
}

void Cast::check_boundaries() const {
  const std::uint64_t oldest = boundaries_.empty() ? ~std::uint64_t{0} : boundaries_.begin()->first;
  for (const layout::Boundary& entry : view_.board().boundary) {
    const std::uint64_t position = entry.position.load();
    if (position == ~std::uint64_t{0} || position < oldest || position == 0) continue;
    const auto known = boundaries_.find(position);
    if (known == boundaries_.end() ? position != place_.position || entry.offset != place_.offset
                                   : known->second != entry.offset) {
      throw Violation(fmt::format("the board names a boundary {} that is none", position));
    }
  }
}

void Cast::check_all_is_read() const {
  const layout::Tail tail = stage_->tail();
  if (!published_.empty()) throw Violation("a committed record was not read");
  for (const Author& author : authors_) {
    if (author.batch_left != 0) throw Violation("a batch without its end");
  }
  if (place_.position != tail.position) {
    throw Violation(
        fmt::format("the consumer is stuck at {} of {}", place_.position, tail.position));
  }
  if (((place_.offset - tail.offset_low) & view_.codec().offset_mask()) != 0) {
    throw Violation("the consumer counts other offsets than the tail");
  }
  const auto& board = view_.board();
  if (follower_.committed() != place_ || board.committed_offset != place_.offset ||
      board.committed_position != place_.position) {
    throw Violation(fmt::format("the watermark stands at {} of {}", board.committed_offset.load(),
                                place_.offset));
  }
  ring::PartitionView view = view_;
  layout::RecordHeader header;
  if (place_.position < view.announced().load() &&
      ring::peek(view, place_.position, header) != ring::Found::nothing) {
    throw Violation("a forged record behind the tail");
  }
}

}  // namespace ringway::proof
