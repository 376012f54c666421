#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringway::cli {

/// How a ringwayd was started, as its process shows it. Nothing else of that process counts: anybody
/// may start one of that name.
struct RingwaydStart {
  std::string directory{};               ///< where it stands, "" unknown; options may be relative
  std::vector<std::string> variables{};  ///< "NAME=VALUE" of its environment that it reads
  std::vector<std::string> options{};    ///< "--NAME=VALUE", which all say where something is
};

/// None: there is no such process, or this user may not look at it.
std::optional<RingwaydStart> start_of(pid_t pid);

/// Whether "NAME=VALUE" is read by ringwayd: as a key, or to find the usual places.
bool ringwayd_reads(std::string_view assignment);

/// Whether it is a key of the configuration.
bool is_key_of_ringwayd(std::string_view assignment);

}  // namespace ringway::cli
