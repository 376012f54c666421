#include "daemon/memory_store.hpp"

namespace ringway::daemon {

void MemoryStore::put(const std::string& name, const nlohmann::json& meta, int fd) {
  kept_.insert_or_assign(name, Entry{meta, shm::duplicate(fd)});
}

void MemoryStore::drop(const std::string& name) {
  kept_.erase(name);
}

std::vector<KeptDescriptor> MemoryStore::list() {
  std::vector<KeptDescriptor> all;
  for (const auto& [name, entry] : kept_) {
    all.push_back({name, entry.meta, shm::duplicate(entry.descriptor.get())});
  }
  return all;
}

void MemoryStore::end() {
  kept_.clear();
}

}  // namespace ringway::daemon
