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

std::vector<log::Recovered> recover_logs(const ServedTopic& topic, storage::FileSystem& file_system,
                                         log::RecoverMode mode) {
  std::vector<log::Recovered> found(topic.partitions());
  std::vector<std::exception_ptr> failed(topic.partitions());
  std::atomic<std::uint32_t> next{0};
  const auto work = [&]() noexcept {
    // Relaxed: it only deals them out; the end of the threads publishes what they did.
    for (std::uint32_t p; (p = next.fetch_add(1, std::memory_order::relaxed)) < found.size();) {
      try {
        found[p] = recover_log(topic, p, file_system, mode);
      } catch (...) {
        failed[p] = std::current_exception();
      }
    }
  };
  {
    std::vector<std::jthread> others;
    try {
      while (others.size() + 1 < std::min(kAtOnce, found.size())) others.emplace_back(work);
    } catch (const std::system_error&) {
      // No more threads to be had: those there are do it, or this one alone.
    }
    work();
  }
  for (const std::exception_ptr& one : failed) {
    if (one) std::rethrow_exception(one);
  }
  return found;
}

}  // namespace ringway::daemon
