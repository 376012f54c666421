// What may not be done with a descriptor, tried by who was given it, by who got it from them, and
// by who was given nothing.

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "control/channel.hpp"
#include "hostile/attack.hpp"
#include "layout/ring.hpp"

namespace ringway::test {
namespace {

constexpr std::size_t kPage = layout::kPageBytes;

/// Something done with a descriptor of a file that is `bytes` long, and the errno that refuses it:
/// by seals, or as the file is somebody else's; where the descriptor is open for reading only that
/// comes first, and fallocate and ftruncate have errnos of their own for it.
struct Act {
  const char* name;
  bool (*happens)(int fd, std::uint64_t bytes);
  int refusal;
  int refusal_read_only;
};

bool reopens(int fd, int mode) {
  const shm::Descriptor again(
      ::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), mode | O_CLOEXEC));
  return static_cast<bool>(again);
}

bool writes(int fd) {
  const char byte = 'x';
  return ::pwrite(fd, &byte, 1, 0) == 1;
}

/// A page of the file, mapped for reading, while `change` is made to it.
template <class Change>
bool happens_to_mapping(int fd, Change change) {
  void* at = ::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) throw std::runtime_error("it cannot even be read");
  std::size_t bytes = kPage;
  const bool done = change(at, bytes);
  const int reason = errno;
  ::munmap(at, bytes);
  errno = reason;
  return done;
}

bool becomes_writable(void* at) {
  return ::mprotect(at, kPage, PROT_READ | PROT_WRITE) == 0;
}

constexpr Act kWithAny[] = {
    {"shrink",
     [](int fd, std::uint64_t bytes) {
       return ::ftruncate(fd, static_cast<off_t>(bytes / 2)) == 0;
     },
     EPERM, EINVAL},
    {"empty", [](int fd, std::uint64_t) { return ::ftruncate(fd, 0) == 0; }, EPERM, EINVAL},
    {"grow",
     [](int fd, std::uint64_t bytes) {
       return ::ftruncate(fd, static_cast<off_t>(bytes * 2)) == 0;
     },
     EPERM, EINVAL},
    {"append",
     [](int fd, std::uint64_t bytes) {
       return ::fallocate(fd, 0, static_cast<off_t>(bytes), kPage) == 0;
     },
     EPERM, EBADF},
    {"seal", [](int fd, std::uint64_t) { return ::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0; },
     EPERM, EPERM},
    {"seal future",
     [](int fd, std::uint64_t) { return ::fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0; },
     EPERM, EPERM},
    {"chmod", [](int fd, std::uint64_t) { return ::fchmod(fd, 0666) == 0; }, EPERM, EPERM},
    {"chown", [](int fd, std::uint64_t) { return ::fchown(fd, ::getuid(), ::getgid()) == 0; },
     EPERM, EPERM},
    {"lease", [](int fd, std::uint64_t) { return ::fcntl(fd, F_SETLEASE, F_RDLCK) == 0; }, EACCES,
     EACCES},
    {"reopen", [](int fd, std::uint64_t) { return reopens(fd, O_RDWR); }, EACCES, EACCES},
    {"reopen to write", [](int fd, std::uint64_t) { return reopens(fd, O_WRONLY); }, EACCES,
     EACCES},
    {"reopen empty", [](int fd, std::uint64_t) { return reopens(fd, O_RDWR | O_TRUNC); }, EACCES,
     EACCES},
};

constexpr Act kWithReadOnly[] = {
    {"write", [](int fd, std::uint64_t) { return writes(fd); }, 0, EBADF},
    {"punch",
     [](int fd, std::uint64_t) {
       return ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kPage) == 0;
     },
     0, EBADF},
    {"map writable",
     [](int fd, std::uint64_t) {
       return ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED;
     },
     0, EACCES},
    {"mprotect",
     [](int fd, std::uint64_t) {
       return happens_to_mapping(fd, [](void* at, std::size_t&) { return becomes_writable(at); });
     },
     0, EACCES},
    // Moving and growing a mapping takes no more rights; they must not come with it.
    {"mremap",
     [](int fd, std::uint64_t) {
       return happens_to_mapping(fd, [](void*& at, std::size_t& bytes) {
         void* const moved = ::mremap(at, kPage, 2 * kPage, MREMAP_MAYMOVE);
         if (moved == MAP_FAILED) return false;
         at = moved;
         bytes = 2 * kPage;
         return becomes_writable(at);
       });
     },
     0, EACCES},
    {"remove pages",
     [](int fd, std::uint64_t) {
       return happens_to_mapping(fd, [](void* at, std::size_t&) {
         static_cast<void>(becomes_writable(at));
         return ::madvise(at, kPage, MADV_REMOVE) == 0;
       });
     },
     0, EACCES},
    {"setfl",
     [](int fd, std::uint64_t) {
       const shm::Descriptor again(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
       return ::fcntl(again.get(), F_SETFL, O_RDWR) == 0 && writes(again.get());
     },
     0, EBADF},
};

void try_everything(const std::string& name, int fd, bool writable) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) throw std::runtime_error(name + " cannot be looked at");
  const auto bytes = static_cast<std::uint64_t>(status.st_size);
  const auto attempt = [&](const Act& act) {
    const bool happened = act.happens(fd, bytes);
    tell_refusal(name + " " + act.name, happened, {writable ? act.refusal : act.refusal_read_only});
  };
  std::ranges::for_each(kWithAny, attempt);
  if (!writable) std::ranges::for_each(kWithReadOnly, attempt);
}

/// Ends with its parent, and has a file open that anybody may open.
pid_t own_child() {
  const pid_t parent = ::getpid();
  if (::open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) throw std::runtime_error("no /dev/null");
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);
  for (;;) ::pause();
}

/// One that is mapped there, as far as its map can be read. Rights are asked for before addresses.
void* writable_address_of(const std::string& proc) {
  static char mapped_here;
  std::ifstream maps(proc + "/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(" rw-p ") != std::string::npos) {
      return reinterpret_cast<void*>(std::stoull(line, nullptr, 16));
    }
  }
  return &mapped_here;
}

}  // namespace

void tamper(const Arguments& arguments) {
  const layout::Role role = role_of(arguments.at(2));
  const Loot loot(arguments.at(0), arguments.at(1), role);
  for (const auto& [name, file] : loot.files) {
    const bool writable =
        name == "bell" || name == "session" || (name == "ring" && role == layout::Role::producer);
    try_everything(name, file.get(), writable);
  }
}

void tamper_with_own(const Arguments&) {
  const auto attempt = [](const Act& act) {
    const shm::Descriptor own(::memfd_create("own", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    constexpr std::uint64_t kBytes = 8 * kPage;
    if (::ftruncate(own.get(), kBytes) != 0) throw std::runtime_error("no memory of its own");
    const bool happened = act.happens(own.get(), kBytes);
    tell_refusal(std::string("own ") + act.name, happened);
  };
  std::ranges::for_each(kWithAny, attempt);
  std::ranges::for_each(kWithReadOnly, attempt);
}

void lend(const Arguments& arguments) {
  const Loot loot(arguments.at(0), arguments.at(1), role_of(arguments.at(2)));
  control::Channel fence = control::Channel::connect(arguments.at(3));
  const int files[] = {loot.files.at("board").get(), loot.files.at("ring").get()};
  if (fence.send("stolen", files, std::chrono::seconds(20)) != control::Delivery::sent) {
    throw std::runtime_error("nobody takes them");
  }
  control::Message done;
  static_cast<void>(fence.receive(done, std::chrono::seconds(50)));
  tell("lent", done.text);
}

void receive(const Arguments& arguments) {
  control::Listener listener(arguments.at(0), 0666);
  tell("listening", "now");
  std::optional<control::Channel> thief;
  while (!(thief = listener.accept())) ::usleep(1000);
  control::Message goods;
  if (thief->receive(goods, std::chrono::seconds(50)) != control::Arrival::message ||
      goods.descriptors.size() != 2) {
    throw std::runtime_error("nothing came");
  }
  try_everything("board", goods.descriptors[0].get(), false);
  // A ring that its giver may write is the giver's to share; what is read-only stays so.
  const int ring = goods.descriptors[1].get();
  const bool writable = (::fcntl(ring, F_GETFL) & O_ACCMODE) == O_RDWR;
  tell("ring is", writable ? "writable" : "read-only");
  try_everything("ring", ring, writable);
  static_cast<void>(thief->send("done", {}, std::chrono::seconds(20)));
}

void rob(const Arguments& arguments) {
  const pid_t pid = arguments.at(0) == "own" ? own_child() : std::stoi(arguments.at(0));
  const std::string proc = "/proc/" + std::to_string(pid);
  DIR* const table = ::opendir((proc + "/fd").c_str());
  tell_refusal("list descriptors", table != nullptr);
  if (table != nullptr) ::closedir(table);
  bool opened = false;
  for (int fd = 0; fd < 256 && !opened; ++fd) {
    opened = ::open((proc + "/fd/" + std::to_string(fd)).c_str(), O_RDONLY) >= 0;
  }
  tell_refusal("open descriptor", opened);
  tell_refusal("open memory", ::open((proc + "/mem").c_str(), O_RDWR) >= 0);
  DIR* const maps = ::opendir((proc + "/map_files").c_str());
  tell_refusal("list maps", maps != nullptr);
  if (maps != nullptr) ::closedir(maps);
  tell_refusal("open maps", ::open((proc + "/maps").c_str(), O_RDONLY) >= 0);
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  bool got = false;
  for (int fd = 0; fd < 256 && !got; ++fd) {
    got = ::syscall(SYS_pidfd_getfd, pidfd, fd, 0) >= 0;
  }
  tell_refusal("pidfd_getfd", got);
  const bool attached = ::ptrace(PTRACE_ATTACH, pid, nullptr, nullptr) == 0;
  tell_refusal("ptrace attach", attached);
  if (attached) {
    ::waitpid(pid, nullptr, __WALL);
    ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
  }
  tell_refusal("ptrace seize", ::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0);
  char byte = 0;
  const iovec here{&byte, 1};
  const iovec there{writable_address_of(proc), 1};
  tell_refusal("read memory", ::process_vm_readv(pid, &here, 1, &there, 1, 0) == 1);
  tell_refusal("write memory", ::process_vm_writev(pid, &here, 1, &there, 1, 0) == 1);
  tell_refusal("kill", ::kill(pid, SIGKILL) == 0);
  tell_refusal("pidfd signal", ::syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0) == 0);
}

}  // namespace ringway::test
