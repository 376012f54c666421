#include "proof/scene.hpp"

#include <stdexcept>

namespace ringway::proof {

void Actor::step(const Stage& stage) {
  const std::uint64_t before = stage.tail_word();
  puppet_.step();
  const std::uint64_t after = stage.tail_word();
  if (before == after) return;
  const auto codec = stage.topic().view(0).codec();
  const layout::Tail from = codec.unpack(before), to = codec.unpack(after);
  claims_.push_back({from.position, to.position - from.position,
                     (to.offset_low - from.offset_low) & codec.offset_mask()});
}

bool Actor::at(const Stage& stage, Point point) const {
  const layout::Slot& slot = stage.slot(seat_);
  const auto state = layout::intent_state(slot.word);
  switch (point) {
    case Point::trying:
      return claims_.empty() && state == layout::Intent::trying;
    case Point::claimed:
      return !claims_.empty();
    case Point::owned:
      return state == layout::Intent::owned;
    case Point::committed: {
      const auto view = stage.topic().view(0);
      return state == layout::Intent::owned &&
             view.stamp(claims_.back().position) ==
                 ring::current_stamp(view, claims_.back().position);
    }
  }
  return false;
}

void Actor::lead_to(const Stage& stage, Point point) {
  while (!at(stage, point)) {
    if (puppet_.done()) throw std::logic_error("a rival never came to its place");
    step(stage);
  }
}

}  // namespace ringway::proof
