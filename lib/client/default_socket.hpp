#pragma once

#include <string>

namespace ringway {

/// Where a supervisor is looked for when nobody says: $RINGWAY_SOCKET, else
/// $XDG_RUNTIME_DIR/ringway/control.sock, else /run/ringway/control.sock; the latter also where
/// only that one is there.
std::string default_socket();

}  // namespace ringway
