#pragma once

#include <nlohmann/json.hpp>
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
/// The same where the supervisor's report is at hand: {} where it gave none, and none is asked for.
BusPlaces bus_places(const Common& common, const nlohmann::json& said);

/// Where the state directory of the bus with its sockets in `runtime_dir` is, if nobody says so:
/// where its unit has it, else where ringwayd itself looks; "" where there is none.
std::string usual_state_dir(const std::string& runtime_dir);

}  // namespace ringway::cli
