#pragma once

#include <memory>
#include <new>
#include <utility>

namespace ringway {

/// Lets go of a handle's state. In a forked child it is kept for ever instead: its mappings are not
/// there, somebody else's may be at their addresses, and the session is the parent's.
template <class State>
void release(std::shared_ptr<State>& state) noexcept {
  if (state && state->in_child()) {
    // Forgets the pointer without giving its count back.
    static_cast<void>(new (&state) std::shared_ptr<State>());
  }
  state.reset();
}

}  // namespace ringway
