// The memory of topics: what there is of it, whether there may be more, who makes and frees it.

#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "control/quantity.hpp"
#include "daemon/topic_registry.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon {
namespace {

/// Whoever has it last does not wait until its memory is free.
template <class T>
std::shared_ptr<T> freed_by(std::shared_ptr<MemoryMaker> maker, std::unique_ptr<T> owned) {
  return {owned.release(), [maker = std::move(maker)](const T* last) {
            maker->let_go(std::shared_ptr<const T>(last));
          }};
}

}  // namespace

std::uint64_t TopicRegistry::memory_used() const noexcept {
  std::uint64_t sum = being_made_bytes_;
  for (const auto& [name, topic] : topics_) {
    if (topic->served) sum += topic->served->memory().bytes();
    if (topic->replacement && topic->replacement->served) {
      sum += topic->replacement->served->memory().bytes();
    }
    for (const RetiredRing& ring : topic->retired) sum += ring.bytes;
  }
  return sum;
}

void TopicRegistry::check_budget(const std::string& name, const TopicSettings& settings,
                                 std::uint32_t attachments) const {
  const std::uint64_t used = memory_used();
  const std::uint64_t wanted = TopicMemory::bytes(settings, attachments);
  if (wanted <= memory_limit_ && used <= memory_limit_ - wanted) return;
  throw Error(ErrorCode::limit, fmt::format("topic '{}'", name),
              fmt::format("needs {} of shared memory; with the {} in use that makes {}, and the "
                          "limit is {}",
                          control::format_size(wanted), control::format_size(used),
                          control::format_size(wanted + used), control::format_size(memory_limit_)),
              "choose a smaller --ring, for a new topic fewer --partitions, or raise limits.memory "
              "in the configuration");
}

std::shared_ptr<ServedTopic> TopicRegistry::make_served(const TopicIdentity& identity,
                                                        const TopicSettings& settings,
                                                        TopicMemory memory) const {
  auto served = std::make_unique<ServedTopic>(
      ServedTopic::Options{.identity = identity,
                           .settings = settings,
                           .epoch = parts_.epoch,
                           .directory = settings.persist ? directory(identity.uuid) : ""},
      std::move(memory));
  return freed_by(maker_, std::move(served));
}

/// `made` is called in the control thread, and takes over the memory at once or never.
void TopicRegistry::make_memory(const TopicIdentity& identity, const TopicSettings& settings,
                                std::uint32_t attachments,
                                std::function<void(const MadeMemory&)> made) {
  const std::uint64_t bytes = TopicMemory::bytes(settings, attachments);
  being_made_bytes_ += bytes;
  maker_->make(identity, settings, attachments, [=, this](MemoryMaker::Outcome outcome) {
    const auto shared =
        freed_by(maker_, std::make_unique<MemoryMaker::Outcome>(std::move(outcome)));
    parts_.post([=, this] {
      being_made_bytes_ -= bytes;
      made([&] {
        if (const auto* refused = std::get_if<Error>(shared.get())) throw Error(*refused);
        return TopicMemory::create(identity, settings, attachments,
                                   std::get<TopicMemoryInMaking>(std::move(*shared)));
      });
    });
  });
}

}  // namespace ringway::daemon
