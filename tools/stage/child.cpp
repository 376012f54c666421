#include "tools/stage/child.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <ringway/error.hpp>
#include <utility>

#include "tools/stage/interruption.hpp"

namespace ringway::cli {

namespace {

struct Pair {
  int parent;
  int child;
};

Pair make_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
    throw system_error(errno, "socket pair", "socketpair");
  }
  return {fds[0], fds[1]};
}

[[noreturn]] void play(const std::string& name, const std::function<void(Channel&)>& role,
                       Channel channel, pid_t parent) {
  int status = 0;
  // In a process group of its own, so that Ctrl-C reaches the parent alone.
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::signal(signal, SIG_DFL);
  if (::getppid() != parent) ::_exit(1);
  try {
    role(channel);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), error.what());
    status = 1;
  }
  ::_exit(status);
}

}  // namespace

Channel::~Channel() {
  if (fd_ >= 0) ::close(fd_);
}

void Channel::send_bytes(const void* bytes, std::size_t size) {
  while (::send(fd_, bytes, size, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) throw system_error(errno, "the other process", "send");
  }
}

bool Channel::receive_bytes(void* bytes, std::size_t size) {
  const ssize_t got = ::recv(fd_, bytes, size, MSG_DONTWAIT);
  if (got == static_cast<ssize_t>(size)) return true;
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  throw Error(ErrorCode::failed, "the other process", "it ended before it was done", "");
}

void Channel::wait_readable() {
  check_interrupted();
  pollfd wait{fd_, POLLIN, 0};
  static_cast<void>(::poll(&wait, 1, 100));  // a signal may come before it: looked at again soon
}

Child::Child(std::string name, const std::function<void(Channel&)>& role)
    : name_(std::move(name)), channel_(-1), pid_(-1) {
  const Pair pair = make_pair();
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::close(pair.parent);
    play(name_, role, Channel(pair.child), parent);
  }
  ::close(pair.child);
  channel_ = Channel(pair.parent);
  if (pid_ < 0) throw system_error(errno, name_, "fork");
}

Child::Child(Child&& other) noexcept
    : name_(std::move(other.name_)),
      channel_(std::move(other.channel_)),
      pid_(std::exchange(other.pid_, -1)) {}

Child::~Child() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
}

void Child::join() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) throw system_error(errno, name_, "waitpid");
  }
  pid_ = -1;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw Error(ErrorCode::failed, name_, "it did not end well", "see above");
  }
}

}  // namespace ringway::cli
