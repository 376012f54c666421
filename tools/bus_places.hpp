#pragma once

#include <string>

#include "tools/command_line.hpp"

namespace ringway::cli {

/// Where the bus that the user named (--socket, RINGWAY_SOCKET, or the usual place) has its files.
struct BusPlaces {
  std::string runtime_dir;  ///< the keeper's socket is there
  std::string state_dir;    ///< "": nobody could be asked
};

/// As the supervisor says; where none answers soon, or says what is not to be seen from here (a
/// container), it is taken that the control socket lies in the runtime directory, and the keeper
/// there is asked. Never throws ringway::Error.
BusPlaces bus_places(const Common& common);

}  // namespace ringway::cli
