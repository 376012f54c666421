#include "tools/top/sessions.hpp"

#include "ringway/error.hpp"
#include "shm/memory_file.hpp"

namespace ringway::cli::top {
namespace {

/// How often clients that came since are looked for.
constexpr std::chrono::seconds kLookEvery{2};

}  // namespace

void Sessions::serve(pid_t supervisor) {
  if (supervisor != supervisor_) next_look_ = {};
  supervisor_ = supervisor;
}

void Sessions::look_again() {
  const auto now = std::chrono::steady_clock::now();
  if (supervisor_ == 0 || now < next_look_) return;
  next_look_ = now + kLookEvery;
  for (const auto& [chunk, file] : sessions_of_supervisor(supervisor_)) {
    if (mapped_.contains(chunk)) continue;
    try {
      const std::uint64_t bytes = shm::verified_memory_bytes(file.get(), "session");
      shm::Region region(file.get(), shm::Access::read_only, 0, bytes);
      shm::LandingArea landing(region.array<const std::byte>(0, bytes),
                               shm::Landing::zeros_read_only);
      mapped_.emplace(chunk, Mapped{std::move(region), std::move(landing)});
    } catch (const Error&) {
      // Its client is shown without a place, as others' are.
    }
  }
}

const layout::Slot* Sessions::slot(const Handle& handle, std::uint32_t partition) {
  auto found = mapped_.find({handle.session, handle.chunk});
  if (found == mapped_.end()) {
    look_again();
    found = mapped_.find({handle.session, handle.chunk});
    if (found == mapped_.end()) return nullptr;
  }
  found->second.used = true;
  const std::uint64_t at =
      layout::kPageBytes + (std::uint64_t{handle.first_slot} + partition) * sizeof(layout::Slot);
  if (at + sizeof(layout::Slot) > found->second.region.bytes()) return nullptr;
  return &found->second.region.at<const layout::Slot>(at);
}

void Sessions::forget_unused() {
  std::erase_if(mapped_, [](const auto& entry) { return !entry.second.used; });
  for (auto& [chunk, mapped] : mapped_) mapped.used = false;
}

}  // namespace ringway::cli::top
