#pragma once

#include <string>

namespace ringway::control {

/// Leaves the path free for a socket of that type (SOCK_STREAM and so on): one of a dead process
/// goes, and nothing else. `otherwise` is what else can be done than to stop or move what is there.
/// @throws Error busy: somebody serves there; usage: what is there is no socket, or does not fit.
void make_way(const std::string& path, int type, const std::string& otherwise);

}  // namespace ringway::control
