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

void try_to_resize(const std::string& name, int fd, std::uint64_t bytes) {
  tell_refusal(name + " shrink", ::ftruncate(fd, static_cast<off_t>(bytes / 2)) == 0);
  tell_refusal(name + " empty", ::ftruncate(fd, 0) == 0);
  tell_refusal(name + " grow", ::ftruncate(fd, static_cast<off_t>(bytes * 2)) == 0);
  tell_refusal(name + " append", ::fallocate(fd, 0, static_cast<off_t>(bytes), 4096) == 0);
  tell_refusal(name + " collapse", ::fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096) == 0);
  tell_refusal(name + " seal", ::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
  tell_refusal(name + " seal future", ::fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0);
}

/// Of a file that belongs to somebody else.
void try_to_own(const std::string& name, int fd) {
  tell_refusal(name + " chmod", ::fchmod(fd, 0666) == 0);
  tell_refusal(name + " chown", ::fchown(fd, ::getuid(), ::getgid()) == 0);
  tell_refusal(name + " lease", ::fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
}

void try_to_reopen(const std::string& name, const std::string& path) {
  for (const int mode : {O_RDWR, O_WRONLY, O_RDWR | O_TRUNC}) {
    const int again = ::open(path.c_str(), mode | O_CLOEXEC);
    tell_refusal(name + " reopen " + std::to_string(mode), again >= 0);
    if (again >= 0) ::close(again);
  }
}

/// Of a file that is open for reading only.
void try_to_write(const std::string& name, int fd, std::uint64_t bytes) {
  const char byte = 'x';
  tell_refusal(name + " write", ::pwrite(fd, &byte, 1, 0) == 1);
  tell_refusal(name + " punch", ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                                            static_cast<off_t>(kPage)) == 0);
  void* const writable = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  tell_refusal(name + " map writable", writable != MAP_FAILED);
  void* at = ::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) throw std::runtime_error(name + " cannot even be read");
  tell_refusal(name + " mprotect", ::mprotect(at, kPage, PROT_READ | PROT_WRITE) == 0);
  // Moving and growing a mapping takes no more rights; they must not come with it.
  void* const moved =
      ::mremap(at, kPage, std::min<std::uint64_t>(bytes, 2 * kPage), MREMAP_MAYMOVE);
  if (moved != MAP_FAILED) at = moved;
  tell_refusal(name + " mremap", ::mprotect(at, kPage, PROT_READ | PROT_WRITE) == 0);
  tell_refusal(name + " remove pages", ::madvise(at, kPage, MADV_REMOVE) == 0);
  ::munmap(at, kPage);
  const int again = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  tell_refusal(name + " setfl",
               ::fcntl(again, F_SETFL, O_RDWR) == 0 && ::pwrite(again, &byte, 1, 0) == 1);
  ::close(again);
}

void try_everything(const std::string& name, int fd, bool writable) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) throw std::runtime_error(name + " cannot be looked at");
  const auto bytes = static_cast<std::uint64_t>(status.st_size);
  try_to_resize(name, fd, bytes);
  try_to_own(name, fd);
  try_to_reopen(name, "/proc/self/fd/" + std::to_string(fd));
  if (!writable) try_to_write(name, fd, bytes);
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
