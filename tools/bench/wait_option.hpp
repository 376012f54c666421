#pragma once

#include <map>
#include <ringway/consumer.hpp>
#include <string>

#include "tools/command_line.hpp"

namespace ringway::cli {

inline const std::map<std::string, WaitStrategy> kWaitStrategies{
    {"adaptive", WaitStrategy::adaptive},
    {"latency", WaitStrategy::latency},
    {"throughput", WaitStrategy::throughput}};

inline std::string wait_name(WaitStrategy wait) {
  for (const auto& [name, strategy] : kWaitStrategies) {
    if (strategy == wait) return name;
  }
  return "unknown";
}

/// --wait: the strategy of the consumers.
inline void add_wait_to(CLI::App& verb, WaitStrategy& wait) {
  verb.add_option_function<std::string>(
          "--wait", [&wait](const std::string& name) { wait = kWaitStrategies.at(name); },
          "How consumers wait: adaptive, latency (spin) or throughput (sleep at once); default " +
              wait_name(wait))
      ->check(CLI::IsMember(kWaitStrategies).description(""))
      ->type_name("adaptive|latency|throughput");
}

}  // namespace ringway::cli
