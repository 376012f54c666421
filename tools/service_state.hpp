#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "tools/command_line.hpp"
#include "tools/service_unit.hpp"

namespace ringway::cli {

/// What there is to see of a supervisor that does not answer.
struct ServiceState {
  std::string socket{};
  /// The unit that serves there, where one is installed.
  Unit unit{};
  std::string active{}, sub{}, result{};  ///< as systemd says
  std::uint64_t restarts = 0;
  std::string last_line{};  ///< why it ended, in its own words; "" where nobody may know
  pid_t process = 0;        ///< who listens, or the unit's; by its pid here
  pid_t rival = 0;          ///< who has the place of the unit, and is none of its processes
  bool stopped = false;     ///< that one is, as by SIGSTOP
  bool elsewhere = false;   ///< somebody listens in another pid namespace
  bool unnamed = false;     ///< there is no file of the socket's name: whoever listens is not found
};

/// What is wrong with it, "" where nothing more is known than that it does not answer; and a
/// command that mends it.
struct Remedy {
  std::string cause{};
  std::string fix;
};
Remedy remedy_of(const ServiceState& state);

/// By its pid here, who answers at the socket and calls itself `said`, maybe in another pid
/// namespace; 0 where that is not known.
pid_t pid_here(const std::string& socket, pid_t said);

/// Asks systemd, its journal and /proc of the bus that is meant. Never throws ringway::Error.
ServiceState service_state(const Common& common);

}  // namespace ringway::cli
