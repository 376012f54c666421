#include "daemon/service_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <utility>

#include "daemon/systemd.hpp"
#include "ringway/error.hpp"
#include "shm/descriptor.hpp"
#include "shm/memory_name.hpp"

namespace ringway::daemon {
namespace {

constexpr const char* kProbe = "probe";
// MAX_ARG_STRLEN of Linux is 128 KiB, for "LISTEN_FDNAMES=" and the socket's name, too.
constexpr std::size_t kNamesBytesMax = 127 * 1024;
constexpr int kNumberBase = 36;

struct stat status_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw system_error(errno, "descriptor store", "fstat failed");
  return status;
}

/// What a memory file was called when it was made.
std::optional<std::string> memory_name_of(int fd) {
  char link[256];
  const ssize_t bytes =
      ::readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), link, sizeof link);
  std::string_view name(link, bytes < 0 ? 0 : static_cast<std::size_t>(bytes));
  constexpr std::string_view kBefore = "/memfd:", kBehind = " (deleted)";
  if (!name.starts_with(kBefore) || !name.ends_with(kBehind)) return std::nullopt;
  name.remove_prefix(kBefore.size());
  name.remove_suffix(kBehind.size());
  if (!shm::parse_memory_name(name)) return std::nullopt;
  return std::string(name);
}

/// How many it takes, where it says so (systemd 254).
std::optional<std::size_t> told_room() {
  const char* const told = std::getenv("FDSTORE");
  if (told == nullptr) return std::nullopt;
  return std::strtoul(told, nullptr, 10);
}

Error full(std::size_t kept) {
  return Error(ErrorCode::limit, "descriptor store",
               fmt::format("the service manager keeps {} descriptors, and no more", kept),
               "raise FileDescriptorStoreMax= of the unit, or delete topics");
}

/// Takes back what was sent, unless all went well.
class Sending {
 public:
  explicit Sending(std::string short_name) : short_name_(std::move(short_name)) {}
  Sending(const Sending&) = delete;
  Sending& operator=(const Sending&) = delete;
  ~Sending() {
    const auto take_back = [](const std::string& name) {
      try {
        unstore_descriptor(name);
      } catch (const Error&) {
        // It does not listen: what it has of this the next start finds, and drops.
      }
    };
    take_back(kProbe);
    if (!kept_) take_back(short_name_);
  }
  void keep() noexcept { kept_ = true; }

 private:
  std::string short_name_;
  bool kept_ = false;
};

}  // namespace

ServiceStore::ServiceStore(std::vector<KeptDescriptor> inherited)
    : inherited_(std::move(inherited)) {
  if (!is_service()) {
    throw Error(ErrorCode::usage, "descriptor_store \"service\"",
                "is the service manager's, and this process is no service that it listens to",
                "start it by a unit with Type=notify and FileDescriptorStoreMax=, or use "
                "\"keeper\"");
  }
  for (KeptDescriptor& kept : inherited_) {
    const std::string short_name = kept.name;
    const int fd = kept.descriptor.get();
    if (const auto name = memory_name_of(fd)) {
      kept.name = *name;
      std::uint64_t number = 0;
      std::from_chars(short_name.data(), short_name.data() + short_name.size(), number,
                      kNumberBase);
      last_number_ = std::max(last_number_, number);
    }
    const struct stat status = status_of(fd);
    kept_[kept.name] = {short_name, status.st_dev, status.st_ino};
    names_bytes_ += short_name.size() + 1;
  }
}

std::string ServiceStore::short_name(const std::string& name, int fd) {
  if (memory_name_of(fd) != name) return name;
  char number[16];
  const auto end = std::to_chars(number, number + sizeof number, ++last_number_, kNumberBase).ptr;
  return {number, end};
}

void ServiceStore::check_room(const std::string& short_name) const {
  const auto room = told_room();
  if (room && kept_.size() >= *room) throw full(kept_.size());
  if (names_bytes_ + short_name.size() + 1 <= kNamesBytesMax) return;
  throw Error(ErrorCode::limit, "descriptor store",
              fmt::format("the names of {} descriptors are all that a start can be given",
                          kept_.size()),
              "delete topics, or use descriptor_store \"keeper\"");
}

void ServiceStore::put(const std::string& name, const nlohmann::json& /*meta*/, int fd) {
  const struct stat status = status_of(fd);
  const auto before = kept_.find(name);
  if (before != kept_.end() && before->second.device == status.st_dev &&
      before->second.inode == status.st_ino) {
    return;
  }
  Kept kept{short_name(name, fd), status.st_dev, status.st_ino};
  check_room(kept.short_name);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw system_error(errno, "descriptor store", "no pipe can be made");
  }
  const shm::Descriptor rest(ends[0]);
  shm::Descriptor probe(ends[1]);
  {
    Sending sending(kept.short_name);
    store_descriptor(kept.short_name, fd);
    store_descriptor(kProbe, probe.get());
    probe.reset();
    await_service_manager();
    pollfd closed{rest.get(), 0, 0};
    if (::poll(&closed, 1, 0) != 0) throw full(kept_.size());
    sending.keep();
  }
  // Only now: one of them is always there.
  if (before != kept_.end()) drop(name);
  names_bytes_ += kept.short_name.size() + 1;
  kept_[name] = std::move(kept);
}

void ServiceStore::drop(const std::string& name) {
  const auto found = kept_.find(name);
  if (found == kept_.end()) return;
  unstore_descriptor(found->second.short_name);
  names_bytes_ -= found->second.short_name.size() + 1;
  kept_.erase(found);
}

std::vector<KeptDescriptor> ServiceStore::list() {
  return std::move(inherited_);
}

void ServiceStore::end() {
  for (const auto& [name, kept] : std::exchange(kept_, {})) unstore_descriptor(kept.short_name);
  await_service_manager();
}

}  // namespace ringway::daemon
