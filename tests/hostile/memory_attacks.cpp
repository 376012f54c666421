// What a producer can do with memory that it may write.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <random>
#include <stdexcept>
#include <thread>

#include "client/topic_memory.hpp"
#include "hostile/attack.hpp"
#include "ring/stamp.hpp"
#include "ring/writer.hpp"
#include "shm/region.hpp"

namespace ringway::test {
namespace {

using Random = std::mt19937_64;

/// Everything that the loot lets its owner write, mapped.
class Writable {
 public:
  Writable(const Loot& loot, layout::Role role)
      : ring_(loot.files.at("ring").get(),
              role == layout::Role::producer ? shm::Access::read_write : shm::Access::read_only, 0,
              loot.bytes("ring")),
        bell_(loot.files.at("bell").get(), shm::Access::read_write, 0, loot.bytes("bell")),
        session_(loot.files.at("session").get(), shm::Access::read_write, 0, loot.bytes("session")),
        board_(loot.files.at("board").get(), shm::Access::read_only, 0, loot.bytes("board")),
        codec_(header().ring_bytes) {}

  std::uint64_t once(const std::string& target, Random& random) {
    if (target == "forge") return forge(random);
    const std::span<std::uint64_t> words = area(target);
    const std::size_t first = random() % words.size();
    const std::size_t count = std::min<std::size_t>(words.size() - first, 1 + random() % 8);
    for (std::size_t i = first; i < first + count; ++i) store(words[i], taste(random));
    return count;
  }

  std::atomic<std::uint64_t>& tail(std::uint32_t partition) const {
    return ring_
        .at<layout::PartitionTail>(layout::kPageBytes + partition * sizeof(layout::PartitionTail))
        .tail;
  }
  /// The header of the record that stands there.
  void erase(std::uint32_t partition, std::uint64_t position) const {
    const std::uint64_t data =
        layout::ring_data_offset(header().partitions, header().ring_bytes, partition);
    for (std::uint64_t& word : ring_.array<std::uint64_t>(data + position % header().ring_bytes,
                                                          sizeof(layout::RecordHeader) / 8)) {
      store(word, 0);
    }
  }
  const layout::TailCodec& codec() const { return codec_; }
  const layout::BoardPartition& board(std::uint32_t partition) const {
    return board_.at<const layout::BoardPartition>(layout::kPageBytes +
                                                   partition * sizeof(layout::BoardPartition));
  }

 private:
  const layout::BoardHeader& header() const { return board_.at<const layout::BoardHeader>(0); }

  std::span<std::uint64_t> area(const std::string& target) const {
    const std::uint64_t data =
        layout::ring_data_offset(header().partitions, header().ring_bytes, 0);
    if (target == "header") return ring_.array<std::uint64_t>(0, layout::kPageBytes / 8);
    if (target == "tails") {
      return ring_.array<std::uint64_t>(layout::kPageBytes, (data - layout::kPageBytes) / 8);
    }
    if (target == "data") return ring_.array<std::uint64_t>(data, (ring_.bytes() - data) / 8);
    if (target == "bell") return bell_.array<std::uint64_t>(0, bell_.bytes() / 8);
    if (target == "session") return session_.array<std::uint64_t>(0, session_.bytes() / 8);
    throw std::invalid_argument(target);
  }

  /// A stamped record header that says anything, where the next record would come, or thereabouts.
  std::uint64_t forge(Random& random) {
    const auto partition = static_cast<std::uint32_t>(random() % header().partitions);
    const layout::BoardPartition& board = this->board(partition);
    const std::uint64_t position =
        (board.committed_position.load() + random() % 8 * layout::kUnitBytes) &
        ~(layout::kUnitBytes - 1);
    const std::uint64_t data =
        layout::ring_data_offset(header().partitions, header().ring_bytes, partition);
    const std::uint64_t at = data + position % header().ring_bytes;
    auto& record = ring_.at<layout::RecordHeader>(at);
    record.payload_bytes = static_cast<std::uint32_t>(taste(random));
    record.producer = static_cast<std::uint32_t>(taste(random));
    record.key_bytes = static_cast<std::uint16_t>(taste(random));
    record.headers_bytes = static_cast<std::uint16_t>(taste(random));
    record.kind = static_cast<std::uint8_t>(random() % 4);
    const auto index = ring::nonce_index(position, layout::TailCodec(header().ring_bytes));
    store(ring_.at<std::uint64_t>(at), ring::stamp_of(position, board.nonce[index].load()));
    return sizeof record / 8;
  }

  /// Any word, but more often one that means something.
  static std::uint64_t taste(Random& random) {
    switch (random() % 6) {
      case 0:
        return 0;
      case 1:
        return ~std::uint64_t{0};
      case 2:
        return random() % 4096;
      case 3:
        return std::uint64_t{1} << random() % 64;
      default:
        return random();
    }
  }
  static void store(std::uint64_t& word, std::uint64_t value) {
    std::atomic_ref(word).store(value, std::memory_order::relaxed);
  }

  shm::Region ring_, bell_, session_, board_;
  layout::TailCodec codec_;
};

void punch_hole(const shm::Descriptor& file, std::uint64_t from, std::uint64_t bytes,
                const std::string& name) {
  const bool done = ::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                static_cast<off_t>(from), static_cast<off_t>(bytes)) == 0;
  tell("punched " + name, done ? "done" : ::strerrorname_np(errno));
}

/// A producer by the book, but for who owns its socket.
class OwnWriter {
 public:
  explicit OwnWriter(Loot& loot)
      : memory_({loot.opened.topic, loot.opened.generation, layout::Role::producer},
                shm::duplicate(loot.files.at("board").get()),
                shm::duplicate(loot.files.at("ring").get()),
                shm::duplicate(loot.files.at("bell").get())),
        session_(loot.files.at("session").get(), shm::Access::read_write, 0, loot.bytes("session")),
        slot_(session_.array<layout::Slot>(layout::kPageBytes,
                                           loot.opened.slots)[loot.opened.first_slot]),
        writer_(memory_.view(0), slot_) {}

  Status publish(const std::string& text) {
    const std::uint64_t bytes = layout::record_bytes(text.size(), 0, 0);
    const ring::Claimed claim = writer_.try_claim(bytes, 1);
    if (claim.status != Status::ok) return claim.status;
    layout::RecordHeader header{};
    header.payload_bytes = static_cast<std::uint32_t>(text.size());
    header.kind = static_cast<std::uint8_t>(layout::RecordKind::data);
    writer_.view().store_header(claim.position, header);
    std::memcpy(writer_.view().at(claim.position) + sizeof header, text.data(), text.size());
    writer_.commit(claim);
    memory_.bell_seq().fetch_add(1);
    return Status::ok;
  }

  /// A claim whose slot does not say how long it is.
  void claim_without_length() {
    if (writer_.try_claim(layout::record_bytes(8, 0, 0), 1).status != Status::ok) {
      throw std::runtime_error("no claim");
    }
    slot_.length.store(0);
  }

  /// So many, however long it takes.
  void publish_all(const std::string& name, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count;) {
      const Status status = publish(name + " " + std::to_string(i));
      if (status == Status::ok) {
        ++i;
      } else if (status != Status::back_pressured) {
        throw std::runtime_error(std::string(to_string(status)));
      }
      if (status != Status::ok || i % 16 == 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    tell("wrote", name + " " + std::to_string(count));
  }

 private:
  TopicMemory memory_;
  shm::Region session_;
  layout::Slot& slot_;
  ring::Writer<ring::PartitionView, layout::Slot> writer_;
};

}  // namespace

/// However busy the machine is.
constexpr std::uint64_t kWordsMin = 2000;

void scribble(const Arguments& arguments) {
  const layout::Role role = role_of(arguments.at(2));
  const Loot loot(arguments.at(0), arguments.at(1), role);
  Writable memory(loot, role);
  Random random(std::stoull(arguments.at(3)));
  const Span span(arguments.at(4));
  const std::vector<std::string> targets(arguments.begin() + 5, arguments.end());
  std::uint64_t words = 0;
  tell("scribbling", "now");
  while (!span.over() || words < kWordsMin) {
    for (int i = 0; i < 64; ++i) words += memory.once(targets[random() % targets.size()], random);
    std::this_thread::yield();
  }
  tell("scribbled", std::to_string(words));
}

void punch(const Arguments& arguments) {
  const Loot loot(arguments.at(0), arguments.at(1), layout::Role::producer);
  tell("opened", "now");
  wait_for_end_of_input();
  for (std::size_t i = 2; i < arguments.size(); ++i) {
    const std::string& target = arguments[i];
    if (target == "tails") {
      punch_hole(loot.files.at("ring"), layout::kPageBytes, layout::kPageBytes, target);
    } else {
      punch_hole(loot.files.at(target), 0, loot.bytes(target), target);
    }
  }
}

void put_back(const Arguments& arguments) {
  const Loot loot(arguments.at(0), arguments.at(1), layout::Role::producer);
  const Writable memory(loot, layout::Role::producer);
  auto& tail = memory.tail(0);
  layout::Tail now = memory.codec().unpack(tail.load());
  const std::uint64_t committed = memory.board(0).committed_position.load();
  now.position = committed - layout::kUnitBytes;
  tail.store(memory.codec().pack(now));
  tell("put back", std::to_string(committed - now.position));
}

void unstamp(const Arguments& arguments) {
  const Loot loot(arguments.at(0), arguments.at(1), layout::Role::producer);
  const Writable memory(loot, layout::Role::producer);
  memory.erase(0, memory.board(0).committed_position.load() - std::stoull(arguments.at(2)));
  tell("erased", "now");
}

void pin_ahead(const Arguments& arguments) {
  const Loot loot(arguments.at(0), arguments.at(1), layout::Role::consumer);
  const shm::Region session(loot.files.at("session").get(), shm::Access::read_write, 0,
                            loot.bytes("session"));
  session.array<layout::Slot>(layout::kPageBytes, loot.opened.slots)[loot.opened.first_slot]
      .pin.store(std::uint64_t{1} << 40);
  tell("pinned", "now");
  wait_for_end_of_input();
}

void no_length(const Arguments& arguments) {
  Loot loot(arguments.at(0), arguments.at(1), layout::Role::producer);
  OwnWriter(loot).claim_without_length();
  tell("owned", "now");
}

void hang_up(const Arguments& arguments) {
  Loot loot(arguments.at(0), arguments.at(1), layout::Role::producer);
  OwnWriter writer(loot);
  const std::uint64_t count = std::stoull(arguments.at(2));
  writer.publish_all("before", count);
  loot.client.channel().close();
  tell("hung up", "now");
  writer.publish_all("after", count);
  wait_for_end_of_input();
}

void fork_away(const Arguments& arguments) {
  Loot loot(arguments.at(0), arguments.at(1), layout::Role::producer);
  const std::uint64_t count = std::stoull(arguments.at(2));
  OwnWriter writer(loot);
  writer.publish_all("parent", count);
  std::fflush(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 1;
    try {
      // Its mappings stayed behind, the descriptors did not: the parent's slot, used from outside.
      while (::getppid() == parent) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      OwnWriter orphan(loot);
      orphan.publish_all("child", count);
      status = 0;
    } catch (const std::exception& error) {
      tell("child error", error.what());
    }
    std::fflush(nullptr);
    ::_exit(status);
  }
  tell("child", std::to_string(child));
  ::_exit(0);  // and the child goes on
}

}  // namespace ringway::test
