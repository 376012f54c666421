// The descriptor store of a service manager, against one that does with its messages what systemd
// does (service_add_fd_store() and service_notify_message() of its version 252).

#include "daemon/service_store.hpp"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/systemd.hpp"
#include "ringway/error.hpp"
#include "shm/descriptor.hpp"
#include "support/temporary_directory.hpp"

namespace service_store_test {

using namespace ringway;
using namespace ringway::daemon;

namespace {

std::string memory_name(int number) {
  return "ringway.ring.0f1f6595-7f39-42e1-a7f7-ffd8c58af124." + std::to_string(number);
}

shm::Descriptor memory(const std::string& name) {
  shm::Descriptor file(::memfd_create(name.c_str(), MFD_CLOEXEC));
  REQUIRE(file);
  return file;
}

ino_t inode(int fd) {
  struct stat status {};
  REQUIRE(::fstat(fd, &status) == 0);
  return status.st_ino;
}

/// Listens at $NOTIFY_SOCKET while it lives.
class ServiceManager {
 public:
  explicit ServiceManager(std::size_t room = 1000) : room_(room) {
    const std::string path = directory_ / "notify";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    const auto* const to = reinterpret_cast<const sockaddr*>(&address);
    REQUIRE(::bind(socket_.get(), to, sizeof address) == 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    ::unsetenv("FDSTORE");
    thread_ = std::thread([this] { run(); });
  }
  ~ServiceManager() {
    ending_ = true;
    thread_.join();
    ::unsetenv("NOTIFY_SOCKET");
  }
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  /// What the next process is given, once all that was said has been heard.
  std::vector<KeptDescriptor> handed_over() {
    await_service_manager();
    const std::lock_guard lock(mutex_);
    std::vector<KeptDescriptor> all;
    for (const auto& [name, descriptor] : kept_) {
      all.push_back({name, {}, shm::duplicate(descriptor.get())});
    }
    return all;
  }
  std::size_t names_bytes() {
    const std::lock_guard lock(mutex_);
    return std::accumulate(
        kept_.begin(), kept_.end(), std::size_t{0},
        [](std::size_t sum, const auto& kept) { return sum + kept.first.size() + 1; });
  }
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return kept_.size();
  }

 private:
  void run() {
    while (!ending_) {
      pollfd wait{socket_.get(), POLLIN, 0};
      if (::poll(&wait, 1, 5) > 0) receive();
    }
  }

  void receive() {
    std::array<char, 4096> text;
    iovec piece{text.data(), text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(16 * sizeof(int))> control;
    msghdr header{};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t bytes = ::recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
    if (bytes <= 0) return;
    std::vector<shm::Descriptor> descriptors;
    if (const cmsghdr* const attached = CMSG_FIRSTHDR(&header)) {
      std::vector<int> fds((attached->cmsg_len - CMSG_LEN(0)) / sizeof(int));
      std::memcpy(fds.data(), CMSG_DATA(attached), fds.size() * sizeof(int));
      for (const int fd : fds) descriptors.emplace_back(fd);
    }
    std::map<std::string, std::string> said;
    std::string line;
    for (const char c : std::string(text.data(), static_cast<std::size_t>(bytes)) + '\n') {
      if (c != '\n') {
        line += c;
        continue;
      }
      said[line.substr(0, line.find('='))] = line.substr(line.find('=') + 1);
      line.clear();
    }
    const std::lock_guard lock(mutex_);
    if (said.contains("FDSTOREREMOVE")) {
      std::erase_if(kept_, [&](const auto& kept) { return kept.first == said["FDNAME"]; });
    } else if (said.contains("FDSTORE")) {
      for (shm::Descriptor& descriptor : descriptors) {
        if (kept_.size() < room_) kept_.emplace_back(said["FDNAME"], std::move(descriptor));
      }
    }
  }

  const std::size_t room_;
  test::TemporaryDirectory directory_;
  shm::Descriptor socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  std::mutex mutex_;
  std::vector<std::pair<std::string, shm::Descriptor>> kept_;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace

TEST_CASE("service store: what is put is handed over under its name", "[daemon]") {
  ServiceManager manager;
  const shm::Descriptor ring = memory(memory_name(1));
  const shm::Descriptor bell(::eventfd(0, EFD_CLOEXEC));
  {
    ServiceStore store({});
    store.put(memory_name(1), {}, ring.get());
    store.put("ringway.doorbell.7", {}, bell.get());
  }
  ServiceStore next(manager.handed_over());
  auto listed = next.list();
  std::ranges::sort(listed, {}, &KeptDescriptor::name);
  REQUIRE(listed.size() == 2);
  CHECK(listed[0].name == "ringway.doorbell.7");
  CHECK(listed[1].name == memory_name(1));
  CHECK(inode(listed[1].descriptor.get()) == inode(ring.get()));
  next.drop(memory_name(1));
  await_service_manager();
  CHECK(manager.size() == 1);
  next.end();
  CHECK(manager.size() == 0);
}

TEST_CASE("service store: names of thousands of rings fit in what a start is given", "[daemon]") {
  ServiceManager manager(100'000);
  ServiceStore store({});
  std::vector<shm::Descriptor> files;
  for (int i = 0; i < 2000; ++i) {
    files.push_back(memory(memory_name(i)));
    store.put(memory_name(i), {}, files.back().get());
  }
  await_service_manager();
  CHECK(manager.names_bytes() <= 2000 * 5);
  SECTION("and go on behind those of a predecessor") {
    ServiceStore next(manager.handed_over());
    const shm::Descriptor more = memory(memory_name(2000));
    next.put(memory_name(2000), {}, more.get());
    ServiceStore last(manager.handed_over());
    const auto listed = last.list();
    CHECK(listed.size() == 2001);
    const auto found = std::ranges::find(listed, memory_name(2000), &KeptDescriptor::name);
    REQUIRE(found != listed.end());
    CHECK(inode(found->descriptor.get()) == inode(more.get()));
  }
}

TEST_CASE("service store: what would make the next start impossible is refused", "[daemon]") {
  ServiceManager manager(100'000);
  ServiceStore store({});
  const shm::Descriptor bell(::eventfd(0, EFD_CLOEXEC));
  const std::string prefix(250, 'x');
  bool refused = false;
  for (int i = 0; i < 1000 && !refused; ++i) {
    try {
      store.put(prefix + std::to_string(i), {}, bell.get());
    } catch (const Error& error) {
      refused = error.code() == ErrorCode::limit;
    }
  }
  CHECK(refused);
  CHECK(manager.names_bytes() < 128 * 1024);
}

TEST_CASE("service store: another file of the same name is the one that is kept", "[daemon]") {
  ServiceManager manager;
  const shm::Descriptor unfinished = memory(memory_name(2));
  {
    ServiceStore killed({});
    killed.put(memory_name(2), {}, unfinished.get());
  }
  const shm::Descriptor file = memory(memory_name(2));
  {
    ServiceStore store(manager.handed_over());
    store.list();
    store.put(memory_name(2), {}, file.get());
    store.put(memory_name(2), {}, file.get());
    await_service_manager();
  }
  ServiceStore next(manager.handed_over());
  const auto listed = next.list();
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].name == memory_name(2));
  CHECK(inode(listed[0].descriptor.get()) == inode(file.get()));
}

TEST_CASE("service store: one that is full keeps what it has and says so", "[daemon]") {
  ServiceManager manager(4);
  ServiceStore store({});
  std::vector<shm::Descriptor> files;
  const auto put = [&](int number) {
    files.push_back(memory(memory_name(number)));
    store.put(memory_name(number), {}, files.back().get());
  };
  for (int i = 0; i < 3; ++i) put(i);
  for (int i = 3; i < 6; ++i) CHECK_THROWS_WITH(put(i), Catch::Contains("FileDescriptorStoreMax="));
  store.drop(memory_name(0));
  put(6);
  await_service_manager();
  CHECK(manager.size() == 3);
}

TEST_CASE("service store: takes a service manager", "[daemon]") {
  CHECK_THROWS_WITH(ServiceStore({}), Catch::Contains("FileDescriptorStoreMax="));
}

}  // namespace service_store_test
