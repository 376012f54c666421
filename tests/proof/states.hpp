#pragma once

// Where a ring may stand when an operation begins.

#include "proof/scene.hpp"

namespace ringway::proof {

/// A lap and a half behind its beginning; everything read and handed back.
inline void in_the_middle(Cast& cast) {
  cast.advance_to(Stage::kRingBytes * 3 / 2 + 32);
}

/// So near the end of the data area that the second record of 200 bytes lies across it.
inline void before_the_wrap(Cast& cast) {
  cast.advance_to(2 * Stage::kRingBytes - 352);
}

/// Nothing was handed back since, and less is left than two records of 200 bytes take.
inline void almost_full(Cast& cast) {
  in_the_middle(cast);
  const std::uint64_t limit = cast.view().limit().load();
  while (cast.stage().tail().position + 2000 < limit) cast.publish(700);
  while (cast.stage().tail().position + 320 < limit) cast.publish(0);
}

/// Another live producer's claim lies open in front.
inline void behind_an_open_claim(Cast& cast) {
  in_the_middle(cast);
  cast.publish(300);
  cast.claim_early(260);
  cast.publish(64);
}

/// A live consumer holds what lies a quarter of a ring back.
inline void held_by_a_consumer(Cast& cast) {
  in_the_middle(cast);
  const ring::Place here = cast.place();
  for (int i = 0; i < 20; ++i) cast.publish(700);
  cast.read();
  cast.hold(here);
}

}  // namespace ringway::proof
