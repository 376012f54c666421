#include "daemon/service_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "daemon/systemd.hpp"
#include "ringway/error.hpp"
#include "shm/descriptor.hpp"

namespace ringway::daemon {
namespace {

const std::string kProbe = "ringway.room";

}  // namespace

ServiceStore::ServiceStore(std::vector<KeptDescriptor> inherited)
    : inherited_(std::move(inherited)) {
  if (!is_service()) {
    throw Error(ErrorCode::usage, "descriptor_store \"service\"",
                "is the service manager's, and this process is no service that it listens to",
                "start it by a unit with Type=notify and FileDescriptorStoreMax=, or use "
                "\"keeper\"");
  }
  for (const KeptDescriptor& kept : inherited_) names_.insert(kept.name);
}

void ServiceStore::put(const std::string& name, const nlohmann::json& /*meta*/, int fd) {
  if (names_.contains(name)) return;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error(errno, "descriptor store", "pipe failed");
  const shm::Descriptor rest(ends[0]);
  shm::Descriptor probe(ends[1]);
  store_descriptor(name, fd);
  store_descriptor(kProbe, probe.get());
  probe.reset();
  await_service_manager();
  pollfd closed{rest.get(), 0, 0};
  if (::poll(&closed, 1, 0) != 0) {
    unstore_descriptor(name);
    throw Error(ErrorCode::limit, "descriptor store",
                fmt::format("the service manager keeps {} descriptors, and no more", names_.size()),
                "raise FileDescriptorStoreMax= of the unit, or delete topics");
  }
  unstore_descriptor(kProbe);
  names_.insert(name);
}

void ServiceStore::drop(const std::string& name) {
  if (names_.erase(name) != 0) unstore_descriptor(name);
}

std::vector<KeptDescriptor> ServiceStore::list() {
  return std::move(inherited_);
}

void ServiceStore::end() {
  for (const std::string& name : std::exchange(names_, {})) unstore_descriptor(name);
  await_service_manager();
}

}  // namespace ringway::daemon
