#include "daemon/metrics/server.hpp"

#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "daemon/metrics/scrape.hpp"
#include "daemon/metrics/stock_keeper.hpp"
#include "daemon/short_slice.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon::metrics {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kPath = "/metrics";
constexpr const char* kTextFormat = "text/plain; version=0.0.4; charset=utf-8";
constexpr unsigned kConnectionsMax = 16;
/// For a request's header, and for what is on its way to who reads.
constexpr std::size_t kConnectionBytes = 64 * 1024;
constexpr std::size_t kPieceBytes = 16 * 1024;
/// Without a byte of the request, or one that is taken of the answer.
constexpr unsigned kSilenceSeconds = 5;
/// Until the header of the request is there, and for all of it.
constexpr std::chrono::seconds kHeaderLasts{3};
constexpr std::chrono::seconds kConnectionLasts{30};
constexpr std::chrono::milliseconds kLookAtConnections{1000};

/// One answer on its way: some of the scrape is printed when what was is taken.
struct Answer {
  Scrape scrape;
  std::string text;
  std::size_t taken = 0;
  bool more = true;

  static ssize_t read(void* self, std::uint64_t /*position*/, char* to, std::size_t max) {
    auto& answer = *static_cast<Answer*>(self);
    try {
      if (answer.taken == answer.text.size()) {
        answer.text.clear();
        answer.taken = 0;
        while (answer.more && answer.text.size() < kPieceBytes) {
          answer.more = answer.scrape.append(answer.text);
        }
      }
    } catch (const std::exception&) {
      return MHD_CONTENT_READER_END_WITH_ERROR;  // out of memory
    }
    if (answer.text.empty()) return MHD_CONTENT_READER_END_OF_STREAM;
    const std::size_t bytes = std::min(max, answer.text.size() - answer.taken);
    std::memcpy(to, answer.text.data() + answer.taken, bytes);
    answer.taken += bytes;
    return static_cast<ssize_t>(bytes);
  }
  static void free(void* self) { delete static_cast<Answer*>(self); }
};

MHD_Result send(MHD_Connection* connection, unsigned status, MHD_Response* response,
                const char* type) {
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  }
  const MHD_Result sent = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return sent;
}

MHD_Result refuse(MHD_Connection* connection, unsigned status, std::string_view why) {
  return send(connection, status,
              MHD_create_response_from_buffer(why.size(), const_cast<char*>(why.data()),
                                              MHD_RESPMEM_PERSISTENT),
              "text/plain; charset=utf-8");
}

}  // namespace

class Server::Thread {
 public:
  explicit Thread(Options options)
      : options_(std::move(options)),
        stock_(std::move(options_.ask)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_) throw system_error(errno, "metrics", "no eventfd can be had");
    for (shm::Descriptor* socket : {&options_.unix_socket, &options_.tcp_socket}) {
      if (*socket) listen(*socket);
    }
    thread_ = std::thread([this] { run(); });
  }

  ~Thread() {
    stopping_.store(true, std::memory_order::relaxed);  // relaxed: the eventfd's write orders it
    stock_.end();
    wake();
    thread_.join();
    answer_all();
    stop_serving();
    if (!options_.unix_path.empty()) ::unlink(options_.unix_path.c_str());
  }

  void answer(std::function<void()> done) {
    {
      const std::lock_guard lock(answers_mutex_);
      answers_.push_back(std::move(done));
    }
    wake();
  }

 private:
  void wake() {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(wake_.get(), &one, sizeof one));
  }

  void answer_all() {
    std::uint64_t count;
    static_cast<void>(!::read(wake_.get(), &count, sizeof count));
    std::vector<std::function<void()>> answers;
    {
      const std::lock_guard lock(answers_mutex_);
      answers.swap(answers_);
    }
    for (const auto& answer : answers) answer();
  }

  void listen(shm::Descriptor& socket) {
    MHD_Daemon* const daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, nullptr, nullptr, &Thread::asked, this,
        MHD_OPTION_LISTEN_SOCKET, socket.get(),
        MHD_OPTION_CONNECTION_LIMIT, kConnectionsMax,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionBytes,
        MHD_OPTION_CONNECTION_TIMEOUT, kSilenceSeconds,
        MHD_OPTION_NOTIFY_CONNECTION, &Thread::connected, this,
        MHD_OPTION_END);
    if (daemon == nullptr) {
      stop_serving();
      throw Error(ErrorCode::failed, "metrics", "no HTTP server can be had",
                  "see that descriptors and memory are left");
    }
    socket.release();  // its own by now
    daemons_.push_back(daemon);
  }

  void stop_serving() noexcept {
    for (MHD_Daemon* const daemon : daemons_) MHD_stop_daemon(daemon);
    daemons_.clear();
  }

  void run() {
    ::prctl(PR_SET_NAME, "metrics");
    let_others_go_first();
    std::vector<pollfd> wait{{wake_.get(), POLLIN, 0}};
    for (MHD_Daemon* const daemon : daemons_) {
      wait.push_back({MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, POLLIN, 0});
    }
    while (!stopping_.load(std::memory_order::relaxed)) {  // relaxed: see ~Thread
      int timeout = -1;
      const auto at_most = [&](std::uint64_t ms) {
        if (timeout < 0 || ms < static_cast<std::uint64_t>(timeout)) {
          timeout = static_cast<int>(std::min<std::uint64_t>(ms, 60'000));
        }
      };
      for (MHD_Daemon* const daemon : daemons_) {
        MHD_UNSIGNED_LONG_LONG ms = 0;
        if (MHD_get_timeout(daemon, &ms) == MHD_YES) at_most(ms);
      }
      if (!open_.empty()) at_most(static_cast<std::uint64_t>(kLookAtConnections.count()));
      ::poll(wait.data(), wait.size(), timeout);
      answer_all();
      const std::size_t before = open_.size();
      for (MHD_Daemon* const daemon : daemons_) MHD_run(daemon);
      end_old_connections();
      // At the limit a listening socket is not looked at, and again only by a run behind the one
      // that closed connections.
      if (open_.size() < before) {
        for (MHD_Daemon* const daemon : daemons_) MHD_run(daemon);
      }
    }
  }

  /// A byte now and then is no silence.
  void end_old_connections() {
    const auto now = Clock::now();
    for (const auto& [connection, open] : open_) {
      if (now - open.since < (open.has_asked ? kConnectionLasts : kHeaderLasts)) continue;
      const auto* const info = MHD_get_connection_info(
          connection, MHD_CONNECTION_INFO_CONNECTION_FD);
      if (info != nullptr) ::shutdown(info->connect_fd, SHUT_RDWR);
    }
  }

  static void connected(void* self, MHD_Connection* connection, void** /*context*/,
                        MHD_ConnectionNotificationCode what) {
    auto& open = static_cast<Thread*>(self)->open_;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
      open[connection] = {.since = Clock::now()};
    } else {
      open.erase(connection);
    }
  }

  static MHD_Result asked(void* self, MHD_Connection* connection, const char* path,
                          const char* method, const char* /*version*/, const char* /*body*/,
                          std::size_t* /*body_bytes*/, void** /*request*/) noexcept {
    try {
      return static_cast<Thread*>(self)->respond(connection, path, method);
    } catch (const std::exception&) {
      return MHD_NO;  // out of memory: the connection is closed
    }
  }

  MHD_Result respond(MHD_Connection* connection, std::string_view path, std::string_view method) {
    open_.at(connection).has_asked = true;
    if (method != MHD_HTTP_METHOD_GET && method != MHD_HTTP_METHOD_HEAD) {
      return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                    "Only GET and HEAD are served here.\n");
    }
    if (path != kPath) {
      return refuse(connection, MHD_HTTP_NOT_FOUND, "What is served here is /metrics.\n");
    }
    auto inventory = stock_.stock();
    if (!inventory) {
      return refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                    "The control thread of ringwayd does not answer.\n");
    }
    auto scrape = std::make_unique<Answer>(
        Answer{{std::move(inventory), options_.events.counts(), options_.state_dir}, {}});
    MHD_Response* const response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, kPieceBytes, &Answer::read, scrape.get(), &Answer::free);
    if (response != nullptr) scrape.release();
    return send(connection, MHD_HTTP_OK, response, kTextFormat);
  }

  Options options_;
  StockKeeper stock_;
  shm::Descriptor wake_;
  std::atomic<bool> stopping_{false};
  std::mutex answers_mutex_;
  std::vector<std::function<void()>> answers_;  ///< to be given when it comes round
  std::vector<MHD_Daemon*> daemons_;
  struct Open {
    Clock::time_point since;
    bool has_asked = false;  ///< the header of its request is there
  };
  std::map<MHD_Connection*, Open> open_;
  std::thread thread_;
};

Server::Server(Options options) : thread_(std::make_unique<Thread>(std::move(options))) {}
Server::~Server() = default;
void Server::answer(std::function<void()> done) { thread_->answer(std::move(done)); }

}  // namespace ringway::daemon::metrics
