#pragma once

#include <map>

#include "daemon/descriptor_store.hpp"

namespace ringway::daemon {

/// Keeps descriptors within the process, for a supervisor that lives and dies with its program and
/// for tests of restart.
class MemoryStore final : public DescriptorStore {
 public:
  void put(const std::string& name, const nlohmann::json& meta, int fd) override;
  void drop(const std::string& name) override;
  std::vector<KeptDescriptor> list() override;
  void end() override;
  int death_fd() const noexcept override { return -1; }
  std::string_view kind() const noexcept override { return "process"; }

 private:
  struct Entry {
    nlohmann::json meta;
    shm::Descriptor descriptor;
  };
  std::map<std::string, Entry> kept_;
};

}  // namespace ringway::daemon
