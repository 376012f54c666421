#include "proof/guarded_memory.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace ringway::proof {
namespace {

/// As /proc shows the memory files of topics and sessions.
constexpr std::string_view kMemoryFile = "/memfd:ringway.";
constexpr int kReadWrite = PROT_READ | PROT_WRITE;

/// False when the thread is gone, as after a kill -9 of its process.
bool trace(__ptrace_request request, pid_t thread, void* address, void* data) {
  if (::ptrace(request, thread, address, data) == 0) return true;
  if (errno == ESRCH) return false;
  throw std::system_error(errno, std::generic_category(), "ptrace");
}

/// A line of /proc/PID/maps.
struct Mapped {
  std::uint64_t begin, end, offset;
  std::string rights, name;
};

std::vector<Mapped> mapped_by(pid_t pid) {
  std::vector<Mapped> mappings;
  std::ifstream file(fmt::format("/proc/{}/maps", pid));
  for (std::string line; std::getline(file, line);) {
    Mapped mapping{};
    const char* const last = line.data() + line.size();
    const char* at = std::from_chars(line.data(), last, mapping.begin, 16).ptr;
    at = std::from_chars(at + 1, last, mapping.end, 16).ptr;
    mapping.rights.assign(at + 1, 4);
    std::from_chars(at + 6, last, mapping.offset, 16);
    const std::size_t name = line.find_first_of("/[");
    if (name != line.npos) mapping.name = line.substr(name);
    mappings.push_back(std::move(mapping));
  }
  return mappings;
}

/// An instruction in there that makes a system call; the kernel's own page of code has some.
std::uint64_t find_system_call(pid_t pid, const Mapped& in) {
  std::string code(in.end - in.begin, '\0');
  std::ifstream memory(fmt::format("/proc/{}/mem", pid), std::ios::binary);
  memory.seekg(static_cast<std::streamoff>(in.begin));
  memory.read(code.data(), static_cast<std::streamsize>(code.size()));
  const std::size_t at = code.find("\x0f\x05");
  if (!memory || at == code.npos) throw std::runtime_error("no system call in " + in.name);
  return in.begin + at;
}

/// Empty when it is none of the bus's.
std::string memory_file(pid_t pid, std::uint64_t descriptor) {
  std::error_code none;
  std::string name = std::filesystem::read_symlink(
      fmt::format("/proc/{}/fd/{}", pid, static_cast<int>(descriptor)), none);
  return name.starts_with(kMemoryFile) ? name : "";
}

bool passes_descriptors(pid_t thread, const SystemCall& sendmsg) {
  const std::uint64_t length = sendmsg.arguments[1] + offsetof(msghdr, msg_controllen);
  return ::ptrace(PTRACE_PEEKDATA, thread, reinterpret_cast<void*>(length), nullptr) > 0;
}

}  // namespace

GuardedMemory::GuardedMemory(pid_t pid, pid_t thread) : pid_(pid) {
  look(thread);
}

/// As a program begins, or when it is first looked at.
void GuardedMemory::look(pid_t thread) {
  mappings_.clear();
  look_at_code();
  for (const Mapped& mapped : mapped_by(pid_)) {
    if (mapped.name == "[vdso]") system_call_ = find_system_call(pid_, mapped);
  }
  for (const Mapped& mapped : mapped_by(pid_)) {
    if (mapped.rights != "rw-s" || !mapped.name.starts_with(kMemoryFile)) continue;
    guard(thread, *mappings_.emplace(mapped.begin, Mapping{mapped.end, false}).first);
  }
}

void GuardedMemory::look_at_code() {
  code_.clear();
  for (const Mapped& mapped : mapped_by(pid_)) {
    if (mapped.rights[2] == 'x') code_.push_back({mapped.begin, mapped.end, mapped.offset});
  }
}

void GuardedMemory::behind(pid_t thread, const SystemCall& call, std::int64_t result) {
  if (result == -EFAULT) {
    throw std::runtime_error(
        fmt::format("system call {} stores to shared memory, unseen", call.number));
  }
  if (result < 0) return;
  const auto begin = static_cast<std::uint64_t>(result);
  const auto& arguments = call.arguments;
  switch (call.number) {
    case SYS_memfd_create:
      own_.insert(memory_file(pid_, begin));
      break;
    case SYS_sendmsg:
      if (own_.empty() || !passes_descriptors(thread, call)) break;
      own_.clear();
      for (auto& mapping : mappings_) guard(thread, mapping);
      break;
    case SYS_mmap: {
      forget(begin, arguments[1]);
      if ((arguments[2] & PROT_WRITE) == 0 || (arguments[3] & MAP_SHARED) == 0) break;
      const std::string file = memory_file(pid_, arguments[4]);
      if (file.empty()) break;
      auto& mapping = *mappings_.emplace(begin, Mapping{begin + arguments[1], false}).first;
      if (!own_.contains(file)) guard(thread, mapping);
      break;
    }
    case SYS_munmap:
      forget(arguments[0], arguments[1]);
      break;
    case SYS_execve:
      look(thread);
      break;
    default:
      break;
  }
}

void GuardedMemory::guard(pid_t thread, Mappings::value_type& mapping) {
  if (std::exchange(mapping.second.guarded, true)) return;
  static_cast<void>(protect(thread, mapping, PROT_READ));
  send_held(thread);
}

void GuardedMemory::forget(std::uint64_t begin, std::uint64_t bytes) {
  std::erase_if(mappings_, [&](const auto& mapping) {
    return mapping.first < begin + bytes && begin < mapping.second.end;
  });
}

std::uint64_t GuardedMemory::place_of(pid_t thread) {
  const long told = ::ptrace(PTRACE_PEEKUSER, thread, offsetof(user, regs.rip), nullptr);
  const auto at = static_cast<std::uint64_t>(told);
  for (int looks = 0; looks < 2; ++looks) {
    for (const Code& code : code_) {
      if (code.begin <= at && at < code.end) return at - code.begin + code.offset;
    }
    look_at_code();  // a library has been loaded
  }
  return at;
}

GuardedMemory::Mappings::const_iterator GuardedMemory::stored_to_by(pid_t thread) const {
  const auto none = mappings_.end();
  siginfo_t info{};
  if (!trace(PTRACE_GETSIGINFO, thread, nullptr, &info)) return none;
  if (info.si_signo != SIGSEGV || info.si_code != SEGV_ACCERR) return none;
  const auto address = reinterpret_cast<std::uint64_t>(info.si_addr);
  const auto next = mappings_.upper_bound(address);
  if (next == mappings_.begin()) return none;
  const auto last = std::prev(next);
  return address < last->second.end ? last : none;
}

bool GuardedMemory::let_through(pid_t thread) {
  std::vector<Mappings::const_iterator> open;
  // A store may reach into a second mapping.
  for (auto mapping = stored_to_by(thread); mapping != mappings_.end();
       mapping = stored_to_by(thread)) {
    if (!protect(thread, *mapping, kReadWrite)) return false;
    open.push_back(mapping);
    if (step(thread) == 0) return false;
  }
  for (const auto& mapping : open) {
    if (!protect(thread, *mapping, PROT_READ)) return false;
  }
  send_held(thread);
  return true;
}

/// By a system call that the thread makes in between. False: it is gone.
bool GuardedMemory::protect(pid_t thread, const Mappings::value_type& mapping, int protection) {
  user_regs_struct here;
  if (!trace(PTRACE_GETREGS, thread, nullptr, &here)) return false;
  user_regs_struct calling = here;
  calling.rip = system_call_;
  calling.orig_rax = ~0ULL;  // no system call that would be begun again
  calling.rax = SYS_mprotect;
  calling.rdi = mapping.first;
  calling.rsi = mapping.second.end - mapping.first;
  calling.rdx = static_cast<std::uint64_t>(protection);
  if (!trace(PTRACE_SETREGS, thread, nullptr, &calling)) return false;
  if (step(thread) == 0) return false;
  if (!trace(PTRACE_GETREGS, thread, nullptr, &calling)) return false;
  if (calling.rax != 0) throw std::runtime_error("a victim's memory cannot be protected");
  return trace(PTRACE_SETREGS, thread, nullptr, &here);
}

/// One instruction of it. The signal it stands at: SIGTRAP, or SIGSEGV before the instruction is
/// done. 0: it is gone.
int GuardedMemory::step(pid_t thread) {
  for (;;) {
    if (!trace(PTRACE_SINGLESTEP, thread, nullptr, nullptr)) return 0;
    // Its end is left for whoever waits for all.
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(thread), &info,
                    WEXITED | WSTOPPED | WNOWAIT | __WALL) != 0) {
      if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "waitid");
    }
    if (info.si_code != CLD_TRAPPED) return 0;
    int status = 0;
    ::waitpid(thread, &status, __WALL);
    const int signal = WSTOPSIG(status);
    if (status >> 16 == 0 && (signal == SIGTRAP || signal == SIGSEGV)) return signal;
    if (status >> 16 == 0) held_.push_back(signal);
  }
}

void GuardedMemory::send_held(pid_t thread) {
  for (const int signal : std::exchange(held_, {})) ::syscall(SYS_tgkill, pid_, thread, signal);
}

}  // namespace ringway::proof
