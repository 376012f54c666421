#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>

namespace storm_check {

/// What is wrong, by name; the first few of each are told in full.
class Findings {
 public:
  void add(const std::string& name, const std::string& what, std::uint64_t times = 1) {
    Finding& finding = by_name_[name];
    finding.times += times;
    if (++finding.told <= kTold) std::printf("%s: %s\n", name.c_str(), what.c_str());
  }
  bool none() const { return by_name_.empty(); }
  /// A line each: `finding NAME: TIMES`.
  void print() const {
    for (const auto& [name, finding] : by_name_) {
      std::printf("finding %s: %lu\n", name.c_str(), finding.times);
    }
  }

 private:
  static constexpr int kTold = 5;
  struct Finding {
    std::uint64_t times = 0;
    int told = 0;
  };
  std::map<std::string, Finding> by_name_;
};

}  // namespace storm_check
