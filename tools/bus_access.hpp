#pragma once

#include <string>
#include <string_view>

#include "ringway/bus.hpp"
#include "tools/command_line.hpp"

namespace ringway::cli {

/// The bus that --socket and --timeout mean; what the library has to say beyond the ordinary goes
/// to standard error, as does, after a second, that nobody answers; `hint` says what to look at
/// then. Throws Error.
Bus connect(const Common& common, std::string_view hint = "; 'ringway status' says why");

/// For what only adds to what is known without a supervisor, which may be stopped: half a second,
/// unless the user said how long.
Common hastened(const Common& common);

/// Whether the user said which bus is meant, by --socket or RINGWAY_SOCKET.
bool names_a_bus(const Common& common);
/// The control socket of that bus, or of the one at the usual place.
std::string socket_path(const Common& common);
/// Where the keeper of that bus is to be found unless somebody says more: beside its socket.
std::string runtime_directory(const Common& common);

}  // namespace ringway::cli
