#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ringway/consumer.hpp>
#include <ringway/error.hpp>
#include <ringway/producer.hpp>
#include <ringway/topic.hpp>

namespace [[gnu::visibility("default")]] ringway {

class Administration;
class BusState;

/// One line that a person may want to read: "severity=warning event=... key=value ...".
using LogCallback = std::function<void(std::string_view line)>;

struct ConnectOptions {
  /// Socket of the supervisor; "" means $RINGWAY_SOCKET, else
  /// $XDG_RUNTIME_DIR/ringway/control.sock, else (also where only that one is there)
  /// /run/ringway/control.sock.
  std::string socket{};
  /// For each call to the supervisor; while it makes memory, create_topic() and alter_topic() wait
  /// for up to sixty of these.
  std::chrono::milliseconds timeout{10'000};
  LogCallback log{};                          ///< may be called from any thread that uses the bus
};

/// A connection to the supervisor, which is needed to open, close and find things; data never
/// passes through it. Any thread may use it. Handles keep what they need of it alive, so it may be
/// destroyed before them. Starts no thread, prints nothing, installs no signal handler unless it is
/// asked to (lost_pages.hpp). When the supervisor is restarted the library attaches again by
/// itself, inside calls that wait. Everything here throws ringway::Error.
class Bus {
 public:
  static Bus connect(ConnectOptions options = {});
  static Bus connect(std::string_view socket) {
    return connect(ConnectOptions{.socket = std::string(socket)});
  }

  Bus(Bus&&) noexcept;
  Bus& operator=(Bus&&) noexcept;
  ~Bus();

  /// Throws Error{exists} when there is one of that name already. Behind Error{timeout} or
  /// Error{unavailable} it may come all the same; so with all that changes something here.
  void create_topic(std::string_view name, const TopicChoices& choices = {});
  /// Changes what was chosen, but for partitions, persistence, what a full ring does, and rights.
  /// Where anything but retention is chosen, the topic gets a new ring, also where the choices say
  /// nothing new: whoever has it open moves there by itself and misses nothing. Throws Error{busy}
  /// naming the process when a producer stands still in mid-claim and the (altered) settings do not
  /// say that it is fenced.
  void alter_topic(std::string_view name, const TopicChoices& choices);
  /// Deletes ring, log and cursors. Handles get `closed`.
  void delete_topic(std::string_view name);
  /// Forgets a named cursor, and with it what it protects. Throws Error{busy} naming the holder
  /// while somebody has it, Error{not_found} when there is none of that name.
  void delete_cursor(std::string_view topic, std::string_view cursor);
  /// Those that this user has some right to, by name.
  std::vector<TopicSummary> topics();
  /// Throws Error{not_found}, or Error{denied} without any right to it.
  TopicSettings settings(std::string_view topic);

  /// Open a topic to publish, or to read. Throw Error: not_found, denied (the right to write, or to
  /// read), limit (handles, partitions or clients), busy (a named cursor that another one has, or
  /// ProducerOptions::exclusive; with the pid), usage (a partition that the topic has not, a
  /// cursor's name), failed (no memory, mapping or descriptor left). A consumer's `from` that is
  /// beyond the end or not kept any more is not_found, too.
  Producer producer(std::string_view topic, ProducerOptions options = {});
  Consumer consumer(std::string_view topic, ConsumerOptions options = {});

  /// The socket's path, as connected.
  const std::string& socket() const noexcept;

 private:
  friend class Administration;  // the command line's
  explicit Bus(std::shared_ptr<BusState> state) noexcept;
  std::shared_ptr<BusState> state_;
};

}  // namespace ringway
