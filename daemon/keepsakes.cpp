#include "daemon/keepsakes.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <utility>

#include "ringway/error.hpp"

namespace ringway::daemon {
namespace {

constexpr const char* kEffect = "no topic can be made, and none opened by a new client";

std::string fix(int pid) {
  if (pid == 0) return "see what stops it";  // in another pid namespace
  return fmt::format("kill -CONT {0}, or kill -9 {0}: another one gets everything again", pid);
}

}  // namespace

Keepsakes::~Keepsakes() {
  if (found_nothing_ && kept_.empty()) end();
}

void Keepsakes::put(const std::string& name, nlohmann::json meta, int fd) {
  try {
    settle();
    store_->put(name, meta, fd);
  } catch (const Error& error) {
    if (is_silence(error)) note_silence(name);
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
    settle();
    store_->drop(name);
  } catch (const Error& error) {
    // Or it has died; its replacement never hears of the name.
    if (is_silence(error)) note_silence(name);
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
  if (!std::exchange(death_told_, true)) {
    log_.warning("keeper_died", {{"effect", "a new one gets everything again"}});
  }
  store_has_listed_ = false;
  store_ = open_();
  unsettled_.clear();
  for (const auto& [name, kept] : kept_) store_->put(name, kept.meta, kept.fd);
  death_told_ = false;
  log_.info("keeper_replaced", {{"pid", pid()}, {"descriptors", kept_.size()}});
}

/// Of a process; the service manager's store has no other one to be replaced by.
bool Keepsakes::is_silence(const Error& error) const noexcept {
  return error.code() == ErrorCode::timeout && store_->death_fd() >= 0;
}

void Keepsakes::note_silence(const std::string& name) {
  const bool told = !unsettled_.empty();
  unsettled_.insert(name);
  if (told) return;
  log_.error("keeper_stands_still", {{"pid", pid()}, {"effect", kEffect}, {"fix", fix(pid())}});
}

/// What it was told and may have done late, or not: now it is done.
void Keepsakes::settle() {
  if (unsettled_.empty()) return;
  while (!unsettled_.empty()) {
    const auto name = unsettled_.begin();
    if (const auto kept = kept_.find(*name); kept != kept_.end()) {
      store_->put(*name, kept->second.meta, kept->second.fd);
    } else {
      store_->drop(*name);
    }
    unsettled_.erase(name);
  }
  log_.info("keeper_answers", {{"pid", pid()}});
}

bool Keepsakes::look_again() noexcept {
  if (unsettled_.empty()) return false;
  try {
    settle();
    return true;
  } catch (const Error& error) {
    return is_silence(error);
  }
}

std::optional<control::StatusTrouble> Keepsakes::trouble() const {
  if (unsettled_.empty()) return std::nullopt;
  const auto keeper = static_cast<std::uint32_t>(pid());
  return control::StatusTrouble{
      .what = control::TroubleKind::keeper_stands_still,
      .pid = keeper,
      .text = fmt::format("the keeper, pid {}, does not answer: {}; {}", keeper, kEffect,
                          fix(pid()))};
}

int Keepsakes::pid() const noexcept {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  const int fd = store_->death_fd();
  if (fd < 0 || ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) return 0;
  return peer.pid;
}

}  // namespace ringway::daemon
