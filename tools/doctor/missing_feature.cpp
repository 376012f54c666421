#include "tools/doctor/missing_feature.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "tools/doctor/proc_text.hpp"

namespace ringway::cli::doctor {
namespace {

/// By what SystemCallFilter= is in the end: names that may be called, or behind a ~, that may not.
bool refuses(const std::string& filter, std::string_view call) {
  if (filter.starts_with('~')) return has_word(filter.substr(1), call, ' ');
  return !filter.empty() && !has_word(filter, call, ' ');
}

bool withheld(const std::string& environment, std::string_view feature) {
  constexpr std::string_view kName = "RINGWAY_WITHOUT=";
  for (std::size_t at = 0; at < environment.size();) {
    const std::size_t end = std::min(environment.find('\0', at), environment.size());
    const std::string_view variable = std::string_view(environment).substr(at, end - at);
    if (variable.starts_with(kName)) return has_word(variable.substr(kName.size()), feature, ',');
    at = end + 1;
  }
  return false;
}

std::string without_variable(const Facts& facts, bool of_supervisor) {
  const std::string unset = "unset RINGWAY_WITHOUT";
  if (!of_supervisor) return unset;
  if (facts.unit.name.empty()) return fmt::format("{} && {}", unset, facts.restart());
  return facts.with_setting("UnsetEnvironment=RINGWAY_WITHOUT");
}

}  // namespace

bool does_without(const Facts& facts, std::string_view feature) {
  return std::ranges::any_of(facts.status.value("without", nlohmann::json::array()),
                             [&](const auto& each) { return each == feature; });
}

Cause cause_of_missing(const Facts& facts, const Feature& feature) {
  const bool of_supervisor = does_without(facts, feature.name);
  if (of_supervisor && facts.supervisor == 0) {
    return {"its process is not to be seen from here",
            "ringway doctor  # where ringwayd runs (its container): it sees the cause there"};
  }
  const std::string process = of_supervisor ? facts.process() : "/proc/self";
  const auto environment = facts.read(process + "/environ");
  if (environment && withheld(*environment, feature.name)) {
    return {"RINGWAY_WITHOUT, which is for tests, asks for that",
            without_variable(facts, of_supervisor)};
  }
  const std::string status = facts.read(process + "/status").value_or("");
  if (line_behind(status, "Seccomp:").value_or("0") != "0") {
    std::vector<std::string_view> refused = feature.calls;
    std::erase_if(refused, [&](auto call) { return !refuses(facts.call_filter, call); });
    // In a unit without a filter that line would be one, which allows nothing else.
    if (of_supervisor && !refused.empty()) {
      return {fmt::format("a filter of {} refuses it", facts.unit.name),
              facts.with_setting(fmt::format("SystemCallFilter={}", fmt::join(refused, " ")))};
    }
    return {"a seccomp filter refuses it that is not its unit's",
            fmt::format("allow {} in the seccomp profile of the container, and start that anew",
                        fmt::join(feature.calls, ", "))};
  }
  if (!environment) {
    return {fmt::format("{}/environ cannot be read, and no filter is on it", process),
            "sudo ringway doctor  # as root it sees the cause"};
  }
  return {"the kernel has none", "apt-get install linux-image-amd64 && systemctl reboot  # has it"};
}

}  // namespace ringway::cli::doctor
