#include "daemon/log_recoveries.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <system_error>
#include <thread>

#include "daemon/ring_opening.hpp"

namespace ringway::daemon {
namespace {

/// So many syncs share a commit of the file system; each holds a table and a buffer of 1 MiB at
/// most.
constexpr std::size_t kAtOnce = 64;

}  // namespace

void add_recoveries(const ServedTopic& topic, std::vector<LogRecovery>& logs) {
  for (std::uint32_t p = 0; p < topic.partitions(); ++p) logs.push_back({&topic, p});
}

void recover_logs(std::span<LogRecovery> logs, storage::FileSystem& file_system,
                  log::RecoverMode mode) {
  std::atomic<std::size_t> next{0};
  const auto work = [&]() noexcept {
    // Relaxed: it only deals them out; the end of the threads publishes what they did.
    for (std::size_t i; (i = next.fetch_add(1, std::memory_order::relaxed)) < logs.size();) {
      try {
        logs[i].found = recover_log(*logs[i].topic, logs[i].partition, file_system, mode);
      } catch (...) {
        logs[i].failed = std::current_exception();
      }
    }
  };
  std::vector<std::jthread> others;
  try {
    while (others.size() + 1 < std::min(kAtOnce, logs.size())) others.emplace_back(work);
  } catch (const std::system_error&) {
    // No more threads to be had: those there are do it, or this one alone.
  }
  work();
}

}  // namespace ringway::daemon
