#include "daemon/keepsakes.hpp"

#include <sys/socket.h>

#include "ringway/error.hpp"

namespace ringway::daemon {

Keepsakes::~Keepsakes() {
  if (found_nothing_ && kept_.empty()) end();
}

void Keepsakes::put(const std::string& name, nlohmann::json meta, int fd) {
  try {
    store_->put(name, meta, fd);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::unavailable) throw;
    replace();
    store_->put(name, meta, fd);
  }
  kept_[name] = {std::move(meta), fd};
}

std::vector<KeptDescriptor> Keepsakes::list() {
  std::vector<KeptDescriptor> listed = store_->list();
  store_has_listed_ = true;
  found_nothing_ = listed.empty();
  return listed;
}

void Keepsakes::keep_on(const KeptDescriptor& listed, nlohmann::json meta, int fd) {
  if (!store_has_listed_ || listed.meta != meta) return put(listed.name, std::move(meta), fd);
  kept_[listed.name] = {std::move(meta), fd};
}

void Keepsakes::hold(const std::map<std::string, KeptDescriptor>& kept) {
  for (const auto& [name, one] : kept) {
    const auto& held =
        held_.emplace(name, KeptDescriptor{name, one.meta, shm::duplicate(one.descriptor.get())})
            .first->second;
    put(name, held.meta, held.descriptor.get());
  }
}

void Keepsakes::drop(const std::string& name) noexcept {
  if (const auto held = held_.find(name); held != held_.end()) {
    kept_[name].fd = held->second.descriptor.get();  // who drops it closes its own
    return;
  }
  kept_.erase(name);
  try {
    store_->drop(name);
  } catch (const Error&) {
    // It has died; its replacement never hears of the name.
  }
}

void Keepsakes::hold_no_longer(const std::string& name) noexcept {
  if (held_.erase(name) != 0) drop(name);
}

void Keepsakes::end() noexcept {
  found_nothing_ = false;
  kept_.clear();
  held_.clear();
  try {
    store_->end();
  } catch (const Error&) {
    // It has died: that is what was wanted.
  }
}

void Keepsakes::replace() {
  log_.warning("keeper_died", {{"effect", "a new one gets everything again"}});
  store_has_listed_ = false;
  store_ = open_();
  for (const auto& [name, kept] : kept_) store_->put(name, kept.meta, kept.fd);
  log_.info("keeper_replaced", {{"pid", pid()}, {"descriptors", kept_.size()}});
}

int Keepsakes::pid() const noexcept {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  const int fd = store_->death_fd();
  if (fd < 0 || ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) return 0;
  return peer.pid;
}

}  // namespace ringway::daemon
