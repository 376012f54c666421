#include "shm/landing.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <vector>

#include "ringway/error.hpp"

namespace ringway::shm {

/// Written by whoever owns the area, searched by the signal handler of any thread. Never freed.
struct LandingArea::Entry {
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};  ///< 0: not in use
  std::atomic<Landing> landing{Landing::zeros};
  std::atomic<std::uint32_t> pages_lost{0};
};

/// All areas of the process: entries in chunks, so that the handler reaches them without a lock.
struct Landings {
  using Entry = LandingArea::Entry;
  static constexpr std::size_t kChunks = 128;
  static constexpr std::size_t kChunkEntries = 1024;
  using Chunk = std::array<Entry, kChunkEntries>;

  std::array<std::atomic<Chunk*>, kChunks> chunks{};
  std::mutex mutex;  // of what follows
  std::size_t chunks_used = 0;
  std::vector<Entry*> free;

  static Landings& instance() {
    static auto* const all = new Landings;  // also there for what ends after main()
    return *all;
  }

  Entry* take() {
    const std::lock_guard lock(mutex);
    if (free.empty()) {
      if (chunks_used == kChunks) {
        throw Error(ErrorCode::limit, "shared memory",
                    "this process cannot watch more than 131072 areas of it",
                    "use fewer partitions");
      }
      auto* const chunk = new Chunk;
      for (Entry& entry : *chunk) free.push_back(&entry);
      chunks[chunks_used++].store(chunk, std::memory_order::release);
    }
    Entry* const entry = free.back();
    free.pop_back();
    return entry;
  }

  void give_back(Entry* entry) {
    entry->end.store(0, std::memory_order::release);
    const std::lock_guard lock(mutex);
    free.push_back(entry);
  }

  Entry* find(std::uintptr_t address) const noexcept {
    for (const auto& slot : chunks) {
      Chunk* const chunk = slot.load(std::memory_order::acquire);
      if (chunk == nullptr) return nullptr;
      for (Entry& entry : *chunk) {
        if (address < entry.end.load(std::memory_order::acquire) &&
            address >= entry.begin.load(std::memory_order::acquire)) {
          return &entry;
        }
      }
    }
    return nullptr;
  }
};

namespace {

/// Pages held ready: the next lost page comes when there is no memory. Afterwards new ones are
/// asked for. As many partitions can be hit before the first of them is quarantined.
constexpr std::size_t kReadyPages = 64;

std::byte* ready_pages = nullptr;
// Shared: they can be mapped any number of times, without memory. One for each content: the loss of
// a page of data must not open a tail.
std::byte* last_zeros = nullptr;
std::byte* last_ones = nullptr;
std::atomic<std::size_t> ready_pages_used{0};
std::size_t page_bytes = 0;
struct sigaction previous{};

std::byte* map_pages(std::size_t count, int flags) noexcept {
  void* const pages = ::mmap(nullptr, count * page_bytes, PROT_READ | PROT_WRITE,
                             MAP_ANONYMOUS | MAP_POPULATE | flags, -1, 0);
  return pages == MAP_FAILED ? nullptr : static_cast<std::byte*>(pages);
}

// Async-signal-safe from here on: system calls, memset and lock-free atomics.

bool put_page_at(std::byte* page, Landing landing) noexcept {
  if (landing == Landing::zeros_read_only) {
    return ::mmap(page, page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
           MAP_FAILED;
  }
  const std::size_t next = ready_pages_used.fetch_add(1, std::memory_order::relaxed);
  std::byte* fresh =
      next < kReadyPages ? ready_pages + next * page_bytes : map_pages(1, MAP_PRIVATE);
  const std::size_t moved_bytes = fresh != nullptr ? page_bytes : 0;  // 0: mapped once more
  if (fresh == nullptr) fresh = landing == Landing::ones ? last_ones : last_zeros;
  std::memset(fresh, landing == Landing::ones ? 0xff : 0, page_bytes);
  return ::mremap(fresh, moved_bytes, page_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, page) !=
         MAP_FAILED;
}

/// As if this handler were not there.
void pass_on(int signal, siginfo_t* info, void* context) {
  const bool was_sent = info->si_code <= 0 || info->si_code == BUS_MCEERR_AO;
  if (previous.sa_handler == SIG_IGN && was_sent) return;
  if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);  // once this has returned
    return;
  }
  if ((previous.sa_flags & SA_RESETHAND) != 0) std::signal(signal, SIG_DFL);
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
  } else {
    previous.sa_handler(signal);
  }
}

void land(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  if (info->si_code == BUS_ADRERR || info->si_code == BUS_MCEERR_AR) {
    if (auto* const area = Landings::instance().find(address)) {
      // First: another thread finds the new page there without a fault of its own.
      area->pages_lost.fetch_add(1, std::memory_order::relaxed);
      pages_lost.fetch_add(1, std::memory_order::release);
      if (put_page_at(reinterpret_cast<std::byte*>(address & ~(page_bytes - 1)),
                      area->landing.load(std::memory_order::relaxed))) {
        errno = saved_errno;
        return;
      }
    }
  }
  errno = saved_errno;
  pass_on(signal, info, context);
}

}  // namespace

void install_landing() {
  static std::once_flag once;
  std::call_once(once, [] {
    page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    ready_pages = map_pages(kReadyPages, MAP_PRIVATE);
    last_zeros = map_pages(1, MAP_SHARED);
    last_ones = map_pages(1, MAP_SHARED);
    if (ready_pages == nullptr || last_zeros == nullptr || last_ones == nullptr) {
      throw system_error(errno, "memory", "the pages held ready for SIGBUS cannot be had", "");
    }
    Landings::instance();  // not first in the handler: that would allocate
    ::sigaction(SIGBUS, nullptr, &previous);
    // The previous handler is called under the mask and on the stack that it asked for.
    struct sigaction action = previous;
    action.sa_sigaction = land;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | (previous.sa_flags & (SA_NODEFER | SA_RESTART));
    ::sigaction(SIGBUS, &action, nullptr);
  });
}

std::uint32_t pages_lost_at(const void* address) noexcept {
  const auto* const area = Landings::instance().find(reinterpret_cast<std::uintptr_t>(address));
  return area == nullptr ? 0 : area->pages_lost.load(std::memory_order::relaxed);
}

LandingArea::LandingArea(std::span<const std::byte> range, Landing landing)
    : entry_(Landings::instance().take()) {
  const auto begin = reinterpret_cast<std::uintptr_t>(range.data());
  entry_->pages_lost.store(0, std::memory_order::relaxed);
  entry_->landing.store(landing, std::memory_order::relaxed);
  entry_->begin.store(begin, std::memory_order::relaxed);
  entry_->end.store(begin + range.size(), std::memory_order::release);
}

LandingArea::~LandingArea() {
  if (entry_ != nullptr) Landings::instance().give_back(entry_);
}

bool LandingArea::hit() const noexcept {
  // Relaxed: it only grows.
  return entry_ != nullptr && entry_->pages_lost.load(std::memory_order::relaxed) != 0;
}

}  // namespace ringway::shm
