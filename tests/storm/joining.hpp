#pragma once

// How a role gets onto a bus whose supervisor may be dead, stopped or starting right now.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <ringway/ringway.hpp>
#include <string>
#include <thread>

namespace ringway::storm {

/// `--name value` pairs.
class Arguments {
 public:
  Arguments(int count, char** words) {
    for (int i = 1; i + 1 < count; i += 2) values_[words[i]] = words[i + 1];
  }
  const std::string& text(const std::string& name) const {
    const auto found = values_.find(name);
    if (found != values_.end()) return found->second;
    std::fprintf(stderr, "%s is missing\n", name.c_str());
    std::exit(2);
  }
  std::uint64_t number(const std::string& name) const { return std::stoull(text(name)); }

 private:
  std::map<std::string, std::string> values_;
};

inline void say(std::string_view line) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
}

/// The first success of `work`, which throws Error while the bus is away or the cursor still counts
/// as held by a predecessor that died.
template <class Work>
auto once_possible(Work&& work) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (;;) {
    try {
      return work();
    } catch (const Error& error) {
      const bool passing = error.code() == ErrorCode::unavailable ||
                           error.code() == ErrorCode::timeout || error.code() == ErrorCode::busy;
      if (!passing || std::chrono::steady_clock::now() > deadline) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
}

inline Bus join(const std::string& socket) {
  return once_possible([&] { return Bus::connect(ConnectOptions{.socket = socket, .log = say}); });
}

}  // namespace ringway::storm
