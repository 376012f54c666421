#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "control/channel.hpp"
#include "control/messages.hpp"
#include "daemon/commit_follower.hpp"
#include "daemon/topic_memory.hpp"
#include "ring/limit.hpp"
#include "ringway/ringway.hpp"
#include "shm/memory_file.hpp"
#include "shm/park.hpp"
#include "support/temporary_directory.hpp"

namespace ringway::test {

/// Just enough of a supervisor to open handles on one topic "t": real memory, a real socket, but
/// space is handed back only when the test says so, and nothing reaches a disk.
class MiniSupervisor {
 public:
  explicit MiniSupervisor(TopicSettings settings = {.ring_bytes = 64 * 1024, .persist = false})
      : settings_(std::move(settings)),
        memory_(make_memory()),
        session_(shm::create_memory_file("session", layout::session_file_bytes(kSlots))),
        doorbell_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
        stop_(::eventfd(0, EFD_CLOEXEC)) {
    session_region_ =
        shm::Region(session_.get(), shm::Access::read_write, 0, layout::session_file_bytes(kSlots));
    slots_ = session_region_.array<layout::Slot>(layout::kPageBytes, kSlots);
    for (layout::Slot& slot : slots_) slot.pin = layout::kNoPin;
    auto& header = session_region_.at<layout::SessionHeader>(0);
    header.magic = layout::kSessionMagic;
    header.major = layout::kLayoutVersion.major;
    for (std::uint32_t p = 0; p < settings_.partitions; ++p) {
      followers_.emplace_back(memory_.view(p), ring::Place{0, 0});
    }
    start();
  }
  ~MiniSupervisor() { stop(); }

  const std::string socket() const { return directory_ / "control.sock"; }
  Bus connect() { return Bus::connect(socket()); }
  daemon::TopicMemory& memory() { return memory_; }
  layout::BoardPartition& board(std::uint32_t p = 0) { return memory_.view(p).board(); }

  /// Of the handle that was opened so many handles behind the first.
  std::span<layout::Slot> slots_of(std::uint32_t handle) {
    return slots_.subspan(handle * settings_.partitions, settings_.partitions);
  }

  /// How often clients rang since this was last asked.
  std::uint64_t rings() {
    std::uint64_t count = 0;
    return ::read(doorbell_.get(), &count, sizeof count) > 0 ? count : 0;
  }
  /// Follows the stamps, and lets everything committed be overwritten that is not pinned (of a
  /// topic of one partition).
  void hand_back(std::uint32_t p = 0) {
    const auto view = memory_.view(p);
    followers_[p].follow(view.ring_bytes(), [](const auto&, const auto&) {});
    ring::publish_limit(
        view, followers_[p].committed(), settings_.partitions == 1 ? kSlots : 0,
        [this](std::size_t i) { return slots_[i].pin.load(); },
        [this] { return nonce_ += 0x9e3779b97f4a7c15; });
    board(p).progress.fetch_add(1);
    shm::wake_all(board(p).progress);
  }

  /// Goes away as if killed, and comes back.
  void stop() {
    if (!thread_.joinable()) return;
    std::uint64_t word = 1;
    [[maybe_unused]] auto bytes = ::write(stop_.get(), &word, sizeof word);
    thread_.join();
    bytes = ::read(stop_.get(), &word, sizeof word);
  }
  void start() {
    listener_ = std::make_unique<control::Listener>(socket(), 0600);
    thread_ = std::thread([this] { serve(); });
  }
  std::atomic<int> closed{0};
  std::atomic<int> opened{0};
  std::atomic<bool> resumes{true};
  std::atomic<bool> deaf{false};  ///< as if stopped

 private:
  static constexpr std::uint32_t kSlots = 64;

  daemon::TopicMemory make_memory() {
    auto memory = daemon::TopicMemory::create({uuid_, "t", 1}, settings_, 16);
    for (std::uint32_t p = 0; p < settings_.partitions; ++p) {
      ring::open_ring(memory.view(p), 0, [this] { return nonce_ += 0x9e3779b97f4a7c15; });
    }
    memory.board().state.store(static_cast<std::uint32_t>(layout::TopicState::serving));
    memory.publish();
    return memory;
  }

  void serve() {
    std::list<control::Channel> peers;
    for (;;) {
      std::vector<pollfd> entries{{stop_.get(), POLLIN, 0}, {listener_->fd(), POLLIN, 0}};
      for (const auto& peer : peers) entries.push_back({peer.fd(), POLLIN, 0});
      ::poll(entries.data(), entries.size(), -1);
      if (entries[0].revents != 0) break;
      if (deaf) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        continue;
      }
      for (auto peer = peers.begin(); peer != peers.end();) {
        peer = serve_one(*peer) ? std::next(peer) : peers.erase(peer);
      }
      if (auto fresh = listener_->accept()) peers.push_back(std::move(*fresh));
    }
    listener_.reset();
  }

  bool serve_one(control::Channel& peer) {
    control::Message message;
    const control::Arrival arrival = peer.receive(message, std::chrono::milliseconds(0));
    if (arrival == control::Arrival::nothing) return true;
    if (arrival != control::Arrival::message) return false;
    const auto envelope = control::open_envelope(message.text);
    const auto request = control::decode_request(envelope);
    control::Reply reply = control::Done{};
    std::vector<int> attached;
    if (const auto* hello = std::get_if<control::Hello>(&request)) {
      control::Welcome welcome;
      welcome.resumed = hello->session.has_value() && resumes;
      welcome.session = welcome.resumed ? *hello->session : ++sessions_;
      if (!welcome.resumed) fresh_session_ = true;
      attached = {doorbell_.get()};
      reply = welcome;
    } else if (const auto* open = std::get_if<control::Open>(&request)) {
      control::Opened given;
      given.handle = static_cast<std::uint64_t>(++opened);
      given.topic = uuid_;
      given.generation = 1;
      given.partitions = settings_.partitions;
      given.slots = kSlots;
      given.first_slot = next_slot_;
      given.attachment = static_cast<std::uint32_t>(opened - 1);
      next_slot_ += settings_.partitions;
      given.producer = open->role == layout::Role::producer ? next_slot_ : 0;
      given.memory = !open->mapped_generation;
      given.new_chunk = fresh_session_;
      ring_ = open->role == layout::Role::producer ? shm::duplicate(memory_.ring_fd())
                                                   : shm::reopen_read_only(memory_.ring_fd());
      board_ = shm::reopen_read_only(memory_.board_fd());
      if (given.memory) attached = {board_.get(), ring_.get(), memory_.bell_fd()};
      if (fresh_session_) attached.push_back(session_.get());
      fresh_session_ = false;
      reply = given;
    } else if (std::holds_alternative<control::Close>(request)) {
      ++closed;
    }
    peer.send(control::encode(envelope.id, reply), attached, std::chrono::seconds(1));
    return true;
  }

  TemporaryDirectory directory_;
  TopicSettings settings_;
  shm::Uuid uuid_ = shm::random_uuid();
  std::uint64_t nonce_ = 1;
  daemon::TopicMemory memory_;
  shm::Region session_region_;
  std::span<layout::Slot> slots_;
  shm::Descriptor session_, doorbell_, stop_, ring_, board_;
  std::vector<daemon::CommitFollower> followers_;
  std::unique_ptr<control::Listener> listener_;
  std::thread thread_;
  bool fresh_session_ = true;
  std::uint64_t sessions_ = 0;
  std::uint32_t next_slot_ = 0;
};

inline std::vector<std::string> values(const RecordBatch& batch) {
  std::vector<std::string> all;
  for (const RecordView& record : batch) all.emplace_back(record.value());
  return all;
}

}  // namespace ringway::test
