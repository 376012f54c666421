#include "proof/aftermath.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ringway::proof {
namespace {

using Clock = std::chrono::steady_clock;

// A live rival that has moved on lets the next attempt succeed.
constexpr int kAttemptsMax = 4;

class Undertaker {
 public:
  Undertaker(Cast& cast, const Fallen& fallen) : cast_(cast), handles_(cast.attached()) {
    for (const Seat seat : fallen.producers) handles_.release(seat);
    if (fallen.reader) handles_.release(*fallen.reader);
  }

  bool attempt() {
    const auto before = Clock::now();
    handles_.settle(cast_.stage().topic().view(0), [&](const auto& settled) {
      if (settled.hostile) throw Violation("an honest slot is taken for a hostile one");
      if (settled.hole) {
        holes.push_back({settled.hole->position, settled.hole->bytes, settled.hole->offsets});
      }
    });
    time += Clock::now() - before;
    return !handles_.unsettled();
  }

  std::vector<Claim> holes;
  std::chrono::nanoseconds time{};

 private:
  Cast& cast_;
  daemon::PartitionHandles& handles_;
};

std::string to_string(const std::vector<Claim>& claims) {
  std::string out;
  for (const Claim& claim : claims) {
    out += fmt::format(" ({}, {} bytes, {} offsets)", claim.position, claim.bytes, claim.offsets);
  }
  return out.empty() ? " none" : out;
}

void check_holes(const Cast& cast, const Fallen& fallen, std::vector<Claim> repaired) {
  std::vector<Claim> expected = fallen.holes;
  std::ranges::sort(expected);
  std::ranges::sort(repaired);
  // A supervisor that died may have repaired some of them.
  const bool fits =
      fallen.supervisor ? std::ranges::includes(expected, repaired) : expected == repaired;
  if (!fits) {
    throw Violation("left open:" + to_string(expected) + "; repaired:" + to_string(repaired));
  }
  for (const Claim& hole : expected) {
    if (std::ranges::count(cast.skips(), hole) != 1) {
      throw Violation("no skip over" + to_string({hole}) + " but" + to_string(cast.skips()));
    }
  }
}

/// What was seen before repair is what is seen afterwards.
void check_nothing_changed(const std::vector<Seen>& before, const std::vector<Seen>& after) {
  if (after.size() < before.size() || !std::equal(before.begin(), before.end(), after.begin())) {
    throw Violation("what was visible has changed");
  }
}

void check_told(const Cast& cast, const Fallen& fallen, const std::vector<Seat>& living) {
  const Told& told = cast.stage().told();
  for (const Seat seat : living) {
    if (cast.seen_of(seat) != told.committed[seat]) {
      throw Violation("a live producer's records are not what it published");
    }
  }
  for (const Seat seat : fallen.producers) {
    if (cast.seen_of(seat) < told.committed[seat]) {
      throw Violation("a record is lost whose producer was told that it is published");
    }
  }
}

/// While a dead consumer's pin stands, nothing at it is overwritten.
void check_dead_pin(Cast& cast, Seat reader) {
  const layout::Slot& slot = cast.stage().slot(reader);
  const std::uint64_t committed = slot.committed;
  if (committed != 0 && committed != ~std::uint64_t{0} &&
      committed > cast.stage().told().collected) {
    throw Violation("a cursor stands behind what its consumer was given");
  }
  const std::uint64_t pin = slot.pin;
  if (pin == layout::kNoPin) return;
  if (pin > cast.stage().tail().position) throw Violation("a pin beyond the tail");
  // One that came too late is about to be taken back: its owner would have gone to the log.
  if (pin + cast.view().ring_bytes() < cast.view().announced().load()) return;
  cast.watch_held(pin);
  static_cast<void>(cast.turn_the_ring());
  cast.let_go();
}

}  // namespace

void Fallen::add(const ring::PartitionView& view, Seat seat, const std::vector<Claim>& claims) {
  producers.push_back(seat);
  for (const Claim& claim : claims) {
    if (view.stamp(claim.position).load() != ring::current_stamp(view, claim.position)) {
      holes.push_back(claim);
    }
  }
}

Aftermath go_on(Cast cast, const Fallen& fallen, std::vector<Bystander> living) {
  const ring::Place place = cast.place();
  const std::vector<Seen> before = cast.look(place);
  // A rival that lives needs some room to play on.
  if (fallen.supervisor && living.empty()) cast.check_window();
  if (fallen.supervisor) cast.replace_supervisor();
  static_cast<void>(cast.publish(100));  // may find the ring full
  if (fallen.reader) check_dead_pin(cast, *fallen.reader);

  Undertaker undertaker(cast, fallen);
  bool settled = undertaker.attempt();
  std::vector<Seat> seats;
  for (Bystander& bystander : living) {
    bystander.puppet.finish();
    seats.push_back(bystander.seat);
  }
  if (cast.claims_early()) cast.commit_early();
  for (int i = 1; i < kAttemptsMax && !settled; ++i) settled = undertaker.attempt();
  if (!settled) throw Violation("a dead producer's claim stays unsettled");
  if (fallen.reader) cast.vacate(*fallen.reader);

  if (!fallen.reader) check_nothing_changed(before, cast.look(place));
  cast.read();
  cast.hand_back();
  if (cast.holds()) {
    static_cast<void>(cast.turn_the_ring());
    cast.let_go();
    cast.read();
    cast.hand_back();
  }
  if (fallen.reader && cast.turn_the_ring() != Cast::Turned::whole) {
    throw Violation("producers wait for a dead consumer");
  }
  for (const Seat seat : fallen.producers) {
    cast.stage().slot(seat).mode = static_cast<std::uint32_t>(layout::ClaimMode::shared);
    Writer fresh(cast.view(), cast.stage().slot(seat));
    if (!cast.publish(fresh, 100)) throw Violation("no room for who takes a dead one's seat");
  }
  cast.replace_supervisor();
  if (cast.turn_the_ring() != Cast::Turned::whole) throw Violation("producers wait for ever");
  cast.check_boundaries();
  cast.check_all_is_read();
  check_holes(cast, fallen, undertaker.holes);
  check_told(cast, fallen, seats);
  return {undertaker.time};
}

}  // namespace ringway::proof
