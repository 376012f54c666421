#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>

namespace ringway::stress {

/// RssAnon of a process in KiB; 0 when it is gone.
inline std::int64_t rss_anon_kib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stoll(line.substr(8));
  }
  return 0;
}

/// How much anonymous memory one process holds once it is warm, and the most later on.
class MemorySampler {
 public:
  /// `warm`: the first tenth of its work is done.
  void sample(pid_t pid, bool warm) {
    const std::int64_t now = rss_anon_kib(pid);
    if (!warm || now == 0) return;
    if (warm_kib_ == 0) warm_kib_ = now;
    most_kib_ = std::max(most_kib_, now);
    ++samples_;
  }

  std::int64_t growth_kib() const noexcept { return most_kib_ - warm_kib_; }
  std::int64_t most_kib() const noexcept { return most_kib_; }
  int samples() const noexcept { return samples_; }

 private:
  std::int64_t warm_kib_ = 0;
  std::int64_t most_kib_ = 0;
  int samples_ = 0;
};

}  // namespace ringway::stress
