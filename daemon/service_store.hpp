#pragma once

#include <set>
#include <string>
#include <vector>

#include "daemon/descriptor_store.hpp"

namespace ringway::daemon {

/// The descriptor store of the service manager (FileDescriptorStoreMax= of the unit): it holds what
/// it was sent while the service is restarted, for whatever reason, and gives it to the next
/// process at its start. Keeps names and no meta. It does not say whether it took a descriptor, so
/// that each is followed by the end of a pipe, which shows: there is always room for that one more.
class ServiceStore final : public DescriptorStore {
 public:
  /// With what a predecessor left (Inherited::kept), which list() gives away.
  /// @throws Error usage where this process is no service.
  explicit ServiceStore(std::vector<KeptDescriptor> inherited);

  /// @throws Error limit when it took no more; failed when it does not answer.
  void put(const std::string& name, const nlohmann::json& meta, int fd) override;
  void drop(const std::string& name) override;
  std::vector<KeptDescriptor> list() override;
  void end() override;
  /// It dies with the host.
  int death_fd() const noexcept override { return -1; }

 private:
  std::vector<KeptDescriptor> inherited_;
  std::set<std::string> names_;  ///< that are there
};

}  // namespace ringway::daemon
