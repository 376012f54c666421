#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/disposal.hpp"
#include "shm/descriptor.hpp"

namespace ringway::control {

inline constexpr std::size_t kMessageBytesMax = 256 * 1024;
inline constexpr std::size_t kDescriptorsMax = 253;  // SCM_MAX_FD of the kernel
inline constexpr std::size_t kSocketPathBytesMax = 107;
inline constexpr std::chrono::milliseconds kForever{-1};

/// Who is at the other end: who it was when it connected.
struct Credentials {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups{};  ///< supplementary
};

/// One message as it arrived. The descriptors are the receiver's.
struct Message {
  std::string text{};
  std::vector<shm::Descriptor> descriptors{};
  std::optional<pid_t> sender{};  ///< proven by the kernel; only after prove_senders()
};

enum class Arrival : std::uint8_t {
  message,
  nothing,  ///< Nothing came in time.
  closed,   ///< The peer is gone.
  broken,   ///< Too long, empty, or with too many descriptors: it was dropped with them. A
            ///< stranger's that has descriptors where none are accepted stays: close the channel.
};

enum class Delivery : std::uint8_t {
  sent,
  congested,  ///< The peer does not read and the time is up: nothing was sent.
  closed,     ///< The peer is gone.
};

/// One end of a Unix SOCK_SEQPACKET connection: whole messages of text with descriptors attached.
/// Move-only; one thread at a time. Every wait has a deadline; a timeout of zero never blocks.
class Channel {
 public:
  /// Who is at the other end: what a stranger has attached may take for ever to close, and closing
  /// the channel does not wait for it (disposal.hpp).
  enum class Peer : std::uint8_t { trusted, stranger };

  Channel() = default;
  explicit Channel(shm::Descriptor socket, Peer peer = Peer::trusted);
  Channel(Channel&&) = default;
  Channel& operator=(Channel&& other) noexcept {
    if (this == &other) return *this;
    close();
    socket_ = std::move(other.socket_);
    kind_of_peer_ = other.kind_of_peer_;
    senders_named_ = other.senders_named_;
    return *this;
  }
  ~Channel() { close(); }

  /// @throws Error unavailable (nobody listens), denied, usage (path too long).
  static Channel connect(const std::string& path);

  int fd() const noexcept { return socket_.get(); }
  explicit operator bool() const noexcept { return static_cast<bool>(socket_); }
  void close() noexcept {
    if (kind_of_peer_ == Peer::stranger) dispose_of_connection(std::move(socket_));
    socket_.reset();
  }

  /// @throws Error usage or limit: too many descriptors or too long a text.
  Delivery send(std::string_view text, std::span<const int> descriptors,
                std::chrono::milliseconds timeout);

  /// The next message. At most `descriptors_max` descriptors are accepted with it.
  Arrival receive(Message& into, std::chrono::milliseconds timeout,
                  std::size_t descriptors_max = kDescriptorsMax);

  /// From now on the kernel names the sender of each message that arrives.
  void prove_senders();

  /// Without the supplementary groups that the kernel cannot name here (user_namespace.hpp).
  /// @throws Error when the kernel does not tell.
  Credentials peer() const;

 private:
  shm::Descriptor socket_;
  Peer kind_of_peer_ = Peer::trusted;
  bool senders_named_ = false;
};

/// A listening socket; its file is removed on destruction, unless it is another's by then. One
/// thread at a time.
class Listener {
 public:
  /// Listens at `path` with file mode `mode`, creating its directory if missing. The socket of a
  /// dead predecessor is replaced.
  /// @throws Error busy when somebody serves there; usage when the path is too long, or what is
  /// there is no socket.
  Listener(const std::string& path, mode_t mode) : Listener(path) { listen(mode); }
  /// The place is taken, and who connects is refused as if nobody were there.
  explicit Listener(const std::string& path);
  /// One that listens already, as a service manager has it; its file stays. @throws Error when it
  /// has no path.
  explicit Listener(shm::Descriptor inherited);
  Listener(Listener&&) = default;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  /// From now on it is served, if it was not yet. @throws Error when somebody else has taken the
  /// place meanwhile.
  void listen(mode_t mode);

  int fd() const noexcept { return socket_.get(); }
  const std::string& path() const noexcept { return path_; }

  /// Whether the socket file is still this one: not removed, not replaced.
  bool in_place() const noexcept;

  /// The next connection, if one waits; to a stranger. Never blocks.
  /// @throws Error limit when no descriptor is left.
  std::optional<Channel> accept();

 private:
  std::string path_;
  shm::Descriptor socket_;
  ino_t inode_ = 0;  ///< of its file; 0: another's
};

}  // namespace ringway::control
