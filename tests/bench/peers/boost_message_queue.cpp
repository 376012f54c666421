#include <fmt/format.h>
#include <unistd.h>

#include <boost/date_time/posix_time/posix_time_types.hpp>
#include <boost/interprocess/ipc/message_queue.hpp>

#include "bench/peers/peer.hpp"

namespace ringway::peers {
namespace {

namespace bip = boost::interprocess;

constexpr std::size_t kMessages = 1024;

std::string queue_name(std::uint32_t lane) {
  return fmt::format("ringway-peer-{}-{}", ::getpid(), lane);
}

/// Both ways; gone with the object, in the process that made it.
class Queues {
 public:
  explicit Queues(std::uint64_t size_bytes) {
    for (std::uint32_t lane = 0; lane < 2; ++lane) {
      names_.push_back(queue_name(lane));
      bip::message_queue(bip::create_only, names_.back().c_str(), kMessages, size_bytes);
    }
  }
  Queues(const Queues&) = delete;
  Queues& operator=(const Queues&) = delete;
  ~Queues() {
    if (owner_ != ::getpid()) return;
    for (const std::string& name : names_) bip::message_queue::remove(name.c_str());
  }
  const char* name(std::uint32_t lane) const { return names_[lane].c_str(); }

 private:
  pid_t owner_ = ::getpid();
  std::vector<std::string> names_;
};

class QueueSender : public Sender {
 public:
  explicit QueueSender(const char* name) : queue_(bip::open_only, name) {}
  void send(std::span<const std::byte> record) override {
    queue_.send(record.data(), record.size(), 0);
  }

 private:
  bip::message_queue queue_;
};

class QueueReceiver : public Receiver {
 public:
  QueueReceiver(const char* name, std::uint64_t size_bytes)
      : queue_(bip::open_only, name), buffer_(size_bytes) {}
  std::span<const std::byte> receive() override {
    bip::message_queue::size_type bytes = 0;
    unsigned priority = 0;
    if (!queue_.try_receive(buffer_.data(), buffer_.size(), bytes, priority)) {
      const auto until = boost::posix_time::microsec_clock::universal_time() +
                         boost::posix_time::milliseconds(5);
      if (!queue_.timed_receive(buffer_.data(), buffer_.size(), bytes, priority, until)) return {};
    }
    return std::span(buffer_).first(bytes);
  }

 private:
  bip::message_queue queue_;
  std::vector<std::byte> buffer_;
};

}  // namespace

Candidate boost_message_queue() {
  return {"boost_message_queue", [](std::uint64_t size_bytes) {
            const auto queues = std::make_shared<Queues>(size_bytes);
            return std::make_unique<Peer>(Peer{
                .name = "boost_message_queue",
                .about = fmt::format("boost::interprocess::message_queue of {} records", kMessages),
                .persisted = "nothing",
                .sender =
                    [queues](const Lane& lane) {
                      return std::make_unique<QueueSender>(queues->name(lane.number));
                    },
                .receiver =
                    [queues](const Lane& lane) {
                      return std::make_unique<QueueReceiver>(queues->name(lane.number),
                                                             lane.size_bytes);
                    }});
          }};
}

}  // namespace ringway::peers
