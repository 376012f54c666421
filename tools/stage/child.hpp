#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace ringway::cli {

/// One end of a socket that carries whole trivially copyable messages between parent and child.
/// Owned by one process; a crash of the other end is seen as its end.
class Channel {
 public:
  explicit Channel(int fd) noexcept : fd_(fd) {}
  Channel(Channel&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Channel& operator=(Channel&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Channel();

  int fd() const noexcept { return fd_; }

  /// Throws Error when the other end is gone.
  template <class Message>
  void send(const Message& message) {
    static_assert(std::is_trivially_copyable_v<Message>);
    send_bytes(&message, sizeof message);
  }
  /// Nothing when there is none at the moment. Throws Error when the other end is gone.
  template <class Message>
  std::optional<Message> receive() {
    static_assert(std::is_trivially_copyable_v<Message>);
    Message message;
    if (!receive_bytes(&message, sizeof message)) return {};
    return message;
  }
  /// Waits for the next one. Throws Interrupted when a signal came, too.
  template <class Message>
  Message await() {
    for (;;) {
      if (const std::optional<Message> message = receive<Message>()) return *message;
      wait_readable();
    }
  }

 private:
  void wait_readable();
  void send_bytes(const void* bytes, std::size_t size);
  bool receive_bytes(void* bytes, std::size_t size);

  int fd_;
};

/// A forked process that plays one role and ends. Owned by the parent, which forks before it opens
/// any handle of the library; killed and collected by the destructor, and when the parent dies.
class Child {
 public:
  /// What `role` throws is written to stderr by the child, which then exits with 1.
  Child(std::string name, const std::function<void(Channel&)>& role);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();

  const std::string& name() const noexcept { return name_; }
  pid_t pid() const noexcept { return pid_; }
  Channel& channel() noexcept { return channel_; }
  /// Waits for its end. Throws Error unless it exited with 0.
  void join();

 private:
  std::string name_;
  Channel channel_;
  pid_t pid_;
};

}  // namespace ringway::cli
