#include "daemon/metrics/inventory.hpp"

#include <unordered_map>

namespace ringway::daemon::metrics {
namespace {

/// Whoever is there, before cursors that nobody holds; of each, those with a name first.
class Stock {
 public:
  explicit Stock(Inventory& inventory) : inventory_(inventory) {}

  void add(const Topic& topic) {
    indices_.emplace(&topic, inventory_.topics.size());
    TopicEntry entry{.name = topic.row.name,
                     .served = topic.served,
                     .is_served = topic.served != nullptr,
                     .retired_rings = topic.retired.size(),
                     .latency = topic.latency};
    if (topic.served) entry.damages = topic.damage.count(*topic.served);
    for (const RetiredRing& ring : topic.retired) entry.retired_bytes += ring.bytes;
    inventory_.topics.push_back(std::move(entry));
  }

  void count(const Handle& handle) {
    TopicEntry* const entry = entry_of(handle);
    if (entry == nullptr) return;
    if (handle.role == layout::Role::producer) {
      ++entry->producers;
      return;
    }
    ++entry->consumers;
    const auto table = handle.topic->served->memory().attachments();
    // Relaxed: only this thread writes them.
    if (table[handle.attachment].flags.load(std::memory_order::relaxed) & layout::kCopies) {
      ++entry->copying;
    }
  }

  void add(const Session& session, const Handle& handle) {
    const TopicEntry* const topic = entry_of(handle);
    // One that has not moved to the topic's present ring yet speaks of another.
    if (topic == nullptr || handle.generation != handle.topic->row.generation || full()) return;
    inventory_.consumers.push_back({.topic = indices_.at(handle.topic.get()),
                                    .cursor = handle.cursor,
                                    .pid = session.process.pid,
                                    .memory = session.chunks.at(handle.chunk).mapping,
                                    .first_slot = handle.first_slot,
                                    .offsets = {}});
  }

  void add(const Topic& topic, const std::string& name, const NamedCursor& cursor) {
    if (cursor.holder || !topic.served) return;
    positions_ += cursor.offsets.size();
    if (positions_ > kPositionsMax) {
      ++inventory_.consumers_left_out;
    } else if (!full()) {
      inventory_.consumers.push_back({.topic = indices_.at(&topic),
                                      .cursor = name,
                                      .memory = {},
                                      .offsets = cursor.offsets});
    }
  }

 private:
  TopicEntry* entry_of(const Handle& handle) {
    const auto found = indices_.find(handle.topic.get());
    if (found == indices_.end() || handle.releasing || !handle.topic->served) return nullptr;
    return &inventory_.topics[found->second];
  }
  bool full() {
    if (inventory_.consumers.size() < kConsumersMax) return false;
    ++inventory_.consumers_left_out;
    return true;
  }

  Inventory& inventory_;
  std::unordered_map<const Topic*, std::size_t> indices_;
  std::size_t positions_ = 0;
};

}  // namespace

void take_stock(Inventory& inventory, const TopicRegistry& registry, const SessionTable& sessions) {
  Stock stock(inventory);
  for (const auto& [name, topic] : registry.all()) {
    if (!topic->deleting) stock.add(*topic);
  }
  for (const auto& [id, session] : sessions.all()) {
    ++(session->disconnect ? inventory.connected : inventory.disconnected);
    for (const auto& [handle_id, handle] : session->handles) stock.count(handle);
  }
  for (const bool named : {true, false}) {
    for (const auto& [id, session] : sessions.all()) {
      for (const auto& [handle_id, handle] : session->handles) {
        if (handle.role == layout::Role::consumer && handle.cursor.empty() != named) {
          stock.add(*session, handle);
        }
      }
    }
  }
  for (const auto& [name, topic] : registry.all()) {
    if (topic->deleting) continue;
    for (const auto& [cursor_name, cursor] : topic->cursors.all()) {
      stock.add(*topic, cursor_name, cursor);
    }
  }
}

}  // namespace ringway::daemon::metrics
