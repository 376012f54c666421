#include <fmt/format.h>
#include <grp.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <iceoryx_hoofs/log/logmanager.hpp>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>
#include <optional>
#include <thread>

#include "bench/peers/peer.hpp"
#include "bench/peers/server.hpp"
#include "ringway/error.hpp"

namespace ringway::peers {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kHeld = 256;  ///< chunks in a subscriber's queue

/// What the names of all runtimes begin with that are children of who runs RouDi.
std::string runtime_names(pid_t parent) {
  return fmt::format("ringway-peer-{}-", parent);
}

constexpr const char* kManagement = "/dev/shm/iceoryx_mgmt";

/// RouDi gives up, and leaves everything behind, where a process ended without telling it, or when
/// it is ended while it starts: all of what it had is known.
class Remains {
 public:
  Remains() = default;
  Remains(const Remains&) = delete;
  Remains& operator=(const Remains&) = delete;
  ~Remains() {
    if (!own_) return;
    const group* const own_group = ::getgrgid(::getegid());
    std::vector<std::filesystem::path> left{kManagement, "/tmp/roudi", "/tmp/roudi.lock",
                                            "/tmp/iox-unique-roudi.lock"};
    // Its segment of chunks bears the name of the group that may write to it.
    if (own_group != nullptr) left.emplace_back(fmt::format("/dev/shm/{}", own_group->gr_name));
    std::error_code ignored;
    const std::string runtimes = runtime_names(::getpid());
    for (const auto& entry : std::filesystem::directory_iterator("/tmp", ignored)) {
      if (entry.path().filename().string().starts_with(runtimes)) left.push_back(entry.path());
    }
    for (const auto& path : left) std::filesystem::remove(path, ignored);
  }
  /// It came up: there is but one on a machine.
  void are_own() noexcept { own_ = true; }

 private:
  bool own_ = !std::filesystem::exists(kManagement);  // else it may be of somebody else's
};

/// RouDi, which has one place on a machine: where one runs already this one does not come up.
class RouDi {
 public:
  explicit RouDi(std::uint64_t size_bytes)
      : broker_(
            [size_bytes](const auto& directory) {
              const std::filesystem::path settings = directory / "roudi.toml";
              std::ofstream(settings)
                  << "[general]\nversion = 1\n[[segment]]\n[[segment.mempool]]\n"
                  << fmt::format("size = {}\ncount = {}\n", size_bytes, 4 * kHeld + 64);
              return std::vector<std::string>{"iox-roudi", "-m", "off", "-c", settings};
            },
            [](const auto& directory) {
              std::ifstream file(directory / "log");
              const std::string text((std::istreambuf_iterator<char>(file)), {});
              return text.find("RouDi is ready for clients") != std::string::npos;
            }) {
    remains_.are_own();
  }

 private:
  Remains remains_;  // once the broker is gone
  Broker broker_;
};

void join_runtime() {
  static const bool joined = [] {
    // It speaks on standard output, which is for data.
    iox::log::LogManager::GetLogManager().SetDefaultLogLevel(
        iox::log::LogLevel::kOff, iox::log::LogLevelOutput::kHideLogLevel);
    const std::string name = runtime_names(::getppid()) + std::to_string(::getpid());
    iox::runtime::PoshRuntime::initRuntime(
        iox::RuntimeName_t(iox::cxx::TruncateToCapacity, name.c_str()));
    return true;
  }();
  static_cast<void>(joined);
}

iox::capro::ServiceDescription service(const Lane& lane) {
  const char* const way = lane.number == 0 ? "there" : "back";
  return {"ringway", "peer", iox::capro::IdString_t(iox::cxx::TruncateToCapacity, way)};
}

class ChunkSender : public Sender {
 public:
  explicit ChunkSender(const Lane& lane) {
    join_runtime();
    iox::popo::PublisherOptions options;
    options.subscriberTooSlowPolicy = iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
    publisher_.emplace(service(lane), options);
  }
  void send(std::span<const std::byte> record) override {
    while (!publisher_->hasSubscribers()) std::this_thread::sleep_for(1ms);
    publisher_->loan(static_cast<std::uint32_t>(record.size()))
        .and_then([&](void* chunk) {
          std::memcpy(chunk, record.data(), record.size());
          publisher_->publish(chunk);
        })
        .or_else([](auto&) {
          throw Error(ErrorCode::failed, "iceoryx", "has no chunk for a record", "");
        });
  }

 private:
  std::optional<iox::popo::UntypedPublisher> publisher_;
};

class ChunkReceiver : public Receiver {
 public:
  explicit ChunkReceiver(const Lane& lane) : size_bytes_(lane.size_bytes) {
    join_runtime();
    iox::popo::SubscriberOptions options;
    options.queueCapacity = kHeld;
    options.historyRequest = 0;
    options.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
    subscriber_.emplace(service(lane), options);
  }
  ~ChunkReceiver() override { give_back(); }
  std::span<const std::byte> receive() override {
    give_back();
    subscriber_->take().and_then([&](const void* chunk) { held_ = chunk; });
    return {static_cast<const std::byte*>(held_), held_ == nullptr ? 0 : size_bytes_};
  }

 private:
  void give_back() {
    if (held_ != nullptr) subscriber_->release(held_);
    held_ = nullptr;
  }

  std::uint64_t size_bytes_;
  std::optional<iox::popo::UntypedSubscriber> subscriber_;
  const void* held_ = nullptr;
};

}  // namespace

Candidate iceoryx() {
  return {"iceoryx", [](std::uint64_t size_bytes) {
            const auto daemon = std::make_shared<RouDi>(size_bytes);
            return std::make_unique<Peer>(Peer{
                .name = "iceoryx",
                .about =
                    fmt::format("iceoryx, chunks loaned and taken in place, queue of {}", kHeld),
                .persisted = "nothing",
                .sender =
                    [daemon](const Lane& lane) { return std::make_unique<ChunkSender>(lane); },
                .receiver =
                    [daemon](const Lane& lane) { return std::make_unique<ChunkReceiver>(lane); }});
          }};
}

}  // namespace ringway::peers
