#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "control/keeper_connection.hpp"

namespace ringway::daemon {

using control::KeptDescriptor;

/// Where a supervisor leaves the descriptors of living memory, so that its successor finds them.
/// Owned by the supervisor; one thread at a time.
class DescriptorStore {
 public:
  virtual ~DescriptorStore() = default;

  /// Keeps a duplicate of `fd`; one of the same name is replaced. When it returns, the descriptor
  /// is safe: only now may it reach a client.
  /// @throws Error unavailable when the store has died; limit when it can hold no more.
  virtual void put(const std::string& name, const nlohmann::json& meta, int fd) = 0;

  /// Forgets it; harmless when it is not there.
  /// @throws Error unavailable.
  virtual void drop(const std::string& name) = 0;

  /// Everything kept. Its meta is missing where the store keeps none.
  /// @throws Error unavailable; limit when this process has too few descriptors.
  virtual std::vector<KeptDescriptor> list() = 0;

  /// Orderly stop: everything is forgotten. The store is not to be used afterwards.
  virtual void end() = 0;

  /// Becomes readable when the store has died: replace it and put everything again. -1: it cannot.
  virtual int death_fd() const noexcept = 0;

  /// "keeper", "service" (the service manager) or "process" (this one): whose death loses it all.
  virtual std::string_view kind() const noexcept = 0;
};

}  // namespace ringway::daemon
