// The clients of a bus that is about to lose its power. Each writes down, in plain text on another
// disk, what it was told and when:
//
//   power_load produce NOTES MOMENT TOPIC NUMBER FIRST COUNT SEED   records FIRST, FIRST + 1, …
//   power_load follow  NOTES MOMENT TOPIC CURSOR                    reads, keeps a position
//   power_load churn   NOTES MOMENT PREFIX SEED                     makes topics and deletes them
//   power_load replace NOTES MOMENT SEED TOPIC…                     gives them rings of other sizes
//   power_load revive  NOTES MOMENT NUMBER COUNT                    records into every topic
//   power_load read                                                 prints every record and gap
//
// The bus is $RINGWAY_SOCKET's. A note is a line; notes.py says what each means. It begins with the
// moment, a counter in the eight bytes of MOMENT: read behind what was told, and before what is
// asked for. A record is text that says whose and which it is, and how it goes on from there.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <ringway/ringway.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace ringway;

constexpr Timeout kPatience = 200ms;
constexpr std::uint32_t kBatchRecords = 5;
constexpr std::size_t kBatchRecordBytes = 2000;

class Notes {
 public:
  Notes(const char* notes, const char* moment)
      : descriptor_(::open(notes, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
    const int file = ::open(moment, O_RDONLY | O_CLOEXEC);
    void* const mapped = ::mmap(nullptr, sizeof(std::uint64_t), PROT_READ, MAP_SHARED, file, 0);
    if (descriptor_ < 0 || mapped == MAP_FAILED) throw std::runtime_error("notes or moment");
    moment_ = static_cast<const std::atomic<std::uint64_t>*>(mapped);
  }

  template <typename... Words>
  void add(const Words&... words) {
    // Acquire: the moment belongs to what was told before it, or asked for behind it.
    lines_ += std::to_string(moment_->load(std::memory_order::acquire));
    ((lines_ += ' ', lines_ += text(words)), ...);
    lines_ += '\n';
  }
  /// One write: whoever is killed has written whole lines.
  void write() {
    const auto written = ::write(descriptor_, lines_.data(), lines_.size());
    if (written != static_cast<ssize_t>(lines_.size())) throw std::runtime_error("notes are full");
    lines_.clear();
  }

 private:
  static std::string text(const std::string& word) { return word; }
  static std::string text(const char* word) { return word; }
  static std::string text(std::uint64_t number) { return std::to_string(number); }

  int descriptor_;
  const std::atomic<std::uint64_t>* moment_;
  std::string lines_;
};

/// "NUMBER SEQUENCE ", then letters that both decide. records.py makes the same.
std::string record_of(std::uint64_t number, std::uint64_t sequence) {
  const std::uint64_t mixed = number * 104'729 + sequence * 7'919;
  const std::uint64_t letters = sequence % 101 == 100 ? 9'000 + mixed % 3'000 : mixed % 1'500;
  std::string record = std::to_string(number) + ' ' + std::to_string(sequence) + ' ';
  const std::size_t begin = record.size();
  for (std::uint64_t i = 0; i < letters; ++i) {
    record += static_cast<char>('a' + (mixed + i + (i / 26) * (1 + mixed % 25)) % 26);
  }
  record.resize(begin + letters);
  return record;
}

class Producing {
 public:
  Producing(Notes& notes, const std::string& topic, std::uint64_t number, std::uint64_t first,
            std::uint64_t count, std::uint64_t seed)
      : notes_(notes),
        topic_(topic),
        number_(number),
        next_(first),
        end_(first + count),
        random_(seed),
        bus_(Bus::connect()),
        producer_(bus_.producer(topic, {.keyless_batch_bytes = 4096})) {}

  void run() {
    while (next_ < end_) {
      publish_some();
      wait_for_something();
    }
    finish();
  }
  void publish_all() {
    while (next_ < end_) publish_some();
  }
  void finish() {
    while (last_ && !told(Level::durable, "durable")) {
    }
    notes_.write();
  }

 private:
  void publish_some() {
    const std::uint64_t choice = random_() % 8;
    if (choice == 0) abort_one();
    if (choice < 2 && end_ - next_ >= kBatchRecords) return publish_batch();
    const std::uint64_t count = std::min(end_ - next_, 1 + random_() % 6);
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto [status, offset] =
          producer_.publish(record_of(number_, next_), {.timeout = kPatience});
      if (status == Status::timeout) return;
      require(status);
      note_committed(offset, 1);
    }
    notes_.write();
  }

  void publish_batch() {
    Batch batch = producer_.claim_batch(kBatchRecords, kBatchRecordBytes, {.timeout = kPatience});
    if (!batch) return;
    std::uint32_t count = 0;
    while (batch.append_copy(record_of(number_, next_ + count))) ++count;
    if (count == 0) return batch.abort();
    const auto [status, offset] = batch.commit();
    require(status);
    note_committed(offset, count);
    notes_.write();
  }

  void wait_for_something() {
    const std::uint64_t choice = random_() % 8;
    if (choice < 4) told(Level::durable, "durable");
    if (choice >= 4 && choice < 7) told(Level::written, "written");
    notes_.write();
    if (choice == 7) std::this_thread::sleep_for(std::chrono::microseconds(random_() % 8'000));
  }

  void abort_one() {
    Claim claim = producer_.claim(random_() % 5'000, {.timeout = kPatience});
    if (claim) claim.abort();
  }

  void note_committed(const RecordOffset& offset, std::uint64_t count) {
    notes_.add("committed", topic_, offset.partition, offset.value, number_, next_, count);
    next_ += count;
    last_ = offset;
    last_->value += count - 1;
  }

  bool told(Level level, const char* word) {
    if (!last_) return false;
    const Status status = producer_.wait(*last_, level, kPatience);
    if (status == Status::timeout) return false;
    if (status == Status::not_found) {  // it left memory while the device refused
      last_.reset();
      return false;
    }
    require(status);
    notes_.add(word, topic_, last_->partition, last_->value);
    return true;
  }

  static void require(Status status) {
    if (status != Status::ok) throw std::runtime_error(std::string(to_string(status)));
  }

  Notes& notes_;
  std::string topic_;
  std::uint64_t number_;
  std::uint64_t next_;
  std::uint64_t end_;
  std::mt19937_64 random_;
  Bus bus_;
  Producer producer_;
  std::optional<RecordOffset> last_;
};

/// Notes every move of the levels, also between what producers wait for, and keeps a position.
[[noreturn]] void follow(Notes& notes, const std::string& topic, const std::string& cursor) {
  Bus bus = Bus::connect();
  Consumer consumer = bus.consumer(topic, {.from = start(), .cursor = cursor});
  std::vector<std::uint64_t> seen(consumer.partitions());
  for (;;) {
    for (std::uint32_t p = 0; p < consumer.partitions(); ++p) {
      const std::uint64_t durable = consumer.watermark(p, Level::durable);
      if (durable == seen[p]) continue;
      seen[p] = durable;
      notes.add("level", topic, p, durable);
    }
    if (!consumer.poll(64, 2ms).empty()) {
      consumer.advance();
      for (std::uint32_t p = 0; p < consumer.partitions(); ++p) {
        notes.add("position", topic, cursor, p, consumer.position(p));
      }
      notes.write();  // before: what is kept was announced
      if (consumer.commit() != Status::ok) throw std::runtime_error("commit");
    }
    notes.write();
  }
}

[[noreturn]] void churn(Notes& notes, const std::string& prefix, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Bus bus = Bus::connect();
  const TopicChoices choices{.partitions = 2, .ring_bytes = 64 * 1024, .segment_bytes = 256 * 1024};
  std::vector<std::string> there;
  for (std::uint64_t count = 0;; ++count) {
    const std::string name = prefix + std::to_string(count % 7);
    const auto found = std::find(there.begin(), there.end(), name);
    const bool deletes = found != there.end();
    notes.add(deletes ? "deleting" : "creating", name);
    notes.write();
    if (deletes) {
      bus.delete_topic(name);
      there.erase(found);
    } else {
      bus.create_topic(name, choices);
      there.push_back(name);
    }
    notes.add(deletes ? "deleted" : "created", name);
    notes.write();
    if (!deletes && random() % 4 != 0) {
      Producing(notes, name, 1000 + count, 0, 1 + random() % 4, random()).run();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 20));
  }
}

/// Rings of other sizes, one behind the other. A supervisor that is away is asked again.
[[noreturn]] void replace(Notes& notes, std::uint64_t seed,
                          const std::vector<std::string>& topics) {
  std::mt19937_64 random(seed);
  Bus bus = Bus::connect();
  for (const std::string& topic : topics) {
    notes.add("ring", topic, bus.settings(topic).ring_bytes);
  }
  notes.write();
  for (;;) {
    const std::string& topic = topics[random() % topics.size()];
    const std::uint64_t bytes = std::uint64_t{64 * 1024} << random() % 3;
    notes.add("replacing", topic, bytes);
    notes.write();
    try {
      bus.alter_topic(topic, {.ring_bytes = bytes});
      notes.add("ring", topic, bytes);
      notes.write();
    } catch (const Error& error) {
      // busy: while the device refuses, who goes on in memory only keeps its ring.
      if (error.code() != ErrorCode::unavailable && error.code() != ErrorCode::busy) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 20));
  }
}

void revive(Notes& notes, std::uint64_t number, std::uint64_t count) {
  Bus bus = Bus::connect();
  std::vector<std::unique_ptr<Producing>> all;
  for (const TopicSummary& topic : bus.topics()) {
    all.push_back(std::make_unique<Producing>(notes, topic.name, number, 0, count, number));
  }
  for (const auto& one : all) one->publish_all();  // first all, so that their syncs are one wait
  for (const auto& one : all) one->finish();
}

/// "record TOPIC PARTITION OFFSET CONTENT" and "gap TOPIC PARTITION FROM TO REASON", a line each.
void read_topic(Bus& bus, const std::string& topic) {
  Consumer consumer = bus.consumer(topic, {.from = start()});
  const auto at_end = [&] {
    for (std::uint32_t p = 0; p < consumer.partitions(); ++p) {
      if (consumer.position(p) < consumer.committed_offset(p)) return false;
    }
    return true;
  };
  do {
    for (const RecordView& record : consumer.poll(1024, 100ms)) {
      std::printf("record %s %u %lu ", topic.c_str(), record.partition(), record.offset());
      std::fwrite(record.value().data(), 1, record.value().size(), stdout);
      std::putchar('\n');
    }
    consumer.advance();
    for (const Gap& gap : consumer.take_gaps()) {
      std::printf("gap %s %u %lu %lu %s\n", topic.c_str(), gap.partition, gap.from, gap.to,
                  std::string(to_string(gap.reason)).c_str());
    }
  } while (!at_end());
}

void read() {
  Bus bus = Bus::connect();
  for (const TopicSummary& topic : bus.topics()) read_topic(bus, topic.name);
  if (std::fflush(stdout) != 0) throw std::runtime_error("standard output");
}

std::uint64_t number_of(const char* text) {
  return std::strtoull(text, nullptr, 10);
}

int run(int count, char** words) {
  const std::string role = count > 1 ? words[1] : "";
  if (role == "read" && count == 2) return read(), 0;
  if (count < 4) throw std::runtime_error("too few words");
  Notes notes(words[2], words[3]);
  if (role == "produce" && count == 9) {
    Producing(notes, words[4], number_of(words[5]), number_of(words[6]), number_of(words[7]),
              number_of(words[8]))
        .run();
  } else if (role == "follow" && count == 6) {
    follow(notes, words[4], words[5]);
  } else if (role == "revive" && count == 6) {
    revive(notes, number_of(words[4]), number_of(words[5]));
  } else if (role == "churn" && count == 6) {
    churn(notes, words[4], number_of(words[5]));
  } else if (role == "replace" && count > 5) {
    replace(notes, number_of(words[4]), {words + 5, words + count});
  } else {
    throw std::runtime_error("no such role");
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  try {
    return run(count, words);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "power_load: %s\n", error.what());
    return 1;
  }
}
