#pragma once

#include <signal.h>
#include <sys/mman.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "client/bus_state.hpp"
#include "ring/writer.hpp"
#include "ringway/ringway.hpp"
#include "support/daemon_process.hpp"
#include "support/records.hpp"

namespace ringway::test {

inline const TopicChoices kTwoPartitions{.partitions = 2, .ring_bytes = 64 * 1024};
inline constexpr ProducerOptions kAlone{.partition = 0, .exclusive = true};
inline constexpr ProducerOptions kBeside{.partition = 0};

inline control::Open open_as(layout::Role role, bool exclusive = false) {
  control::Open open;
  open.topic = "t";
  open.role = role;
  open.exclusive = exclusive;
  return open;
}

/// Everything in partition 0 from its beginning, `count` records of it.
inline std::vector<std::string> take_from_start(Bus& bus, std::size_t count) {
  Consumer consumer = bus.consumer("t", {.from = start()});
  return take(consumer, count);
}

inline bool names(const Error& error, pid_t pid) {
  return error.rule().find("pid " + std::to_string(pid) + ",") != std::string::npos ||
         error.rule().find("pid " + std::to_string(pid) + " ") != std::string::npos;
}

/// What parent and children share beside the bus.
struct Shared {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> published{0};
  std::atomic<int> ended{0};
};
class SharedPage {
 public:
  SharedPage()
      : at_(::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                   0)) {
    new (at_) Shared;
  }
  SharedPage(const SharedPage&) = delete;
  ~SharedPage() { ::munmap(at_, sizeof(Shared)); }
  Shared* operator->() const { return static_cast<Shared*>(at_); }

 private:
  void* at_;
};

/// How far an owner comes with a claim of 64 bytes in partition 0 before it stands still.
enum class Stands { between_intent_and_claim, before_owned, owned };

inline constexpr int kFenced = 42;

/// An owner that stands still in mid-claim, until it is killed or gets SIGCONT: then it finishes,
/// or learns that it was fenced.
inline void stand_in_claim(Child& self, const std::string& socket, Stands where) {
  BusState bus(socket, std::chrono::seconds(20), {});
  const OpenHandle handle =
      bus.open(open_as(layout::Role::producer, true), BusState::Patience::until_timeout);
  const ring::PartitionView view = handle.memory->view(0);
  layout::Slot& slot = handle.slots[0];
  ring::Writer<ring::PartitionView, layout::Slot> writer(view, slot);
  writer.abort(writer.try_claim(64, 1), 1);
  const std::uint64_t word = view.tail().load();
  const layout::Tail tail = view.codec().unpack(word);
  const auto win = [&] {
    view.tail().store(view.codec().pack({false, tail.position + 64, tail.offset_low + 1}));
  };
  slot.length.store(layout::pack_length(64, 1));
  slot.tail.store(word);
  slot.word.store(layout::pack_intent(tail.position, layout::Intent::trying));
  if (where != Stands::between_intent_and_claim) win();
  if (where == Stands::owned) {
    slot.word.store(layout::pack_intent(tail.position, layout::Intent::owned));
  }
  self.reached();
  ::raise(SIGSTOP);
  if (where == Stands::between_intent_and_claim) win();
  slot.word.store(layout::pack_intent(tail.position, layout::Intent::owned));
  view.store_header(tail.position, layout::skip_header(64, 1));
  const ring::Claimed claim{Status::ok, tail.position, tail.position, 64, 1};
  if (writer.commit(claim)) {
    self.reached();
    self.stay();
  }
  while (writer.verdict(claim) == ring::Verdict::pending) std::this_thread::yield();
  const bool fenced = writer.verdict(claim) == ring::Verdict::voided;
  ::_exit(fenced && writer.try_claim(64, 1).status == Status::closed ? kFenced : 1);
}

}  // namespace ringway::test
