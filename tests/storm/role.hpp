#pragma once

// What every program that plays a role in the storm has: its options, and its end.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <ringway/ringway.hpp>
#include <string>
#include <string_view>

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

/// What cannot be gone on from. The storm takes it for a failure.
struct Lost {
  Status status;
};

/// The exit status of a role that does `work`; on standard error why it is not 0.
template <class Work>
int play(Work&& work) {
  try {
    work();
    return 0;
  } catch (const Lost& lost) {
    say("lost: " + std::string(to_string(lost.status)));
    return 3;
  } catch (const std::exception& error) {
    say(error.what());
    return 4;
  }
}

}  // namespace ringway::storm
