#pragma once

#include <string>

namespace ringway::control {

/// Whether this host has the unit of its bus, ringwayd.service, running or not.
bool has_host_unit();

/// What starts the supervisor that ought to listen at this socket.
std::string start_advice(const std::string& socket);

}  // namespace ringway::control
