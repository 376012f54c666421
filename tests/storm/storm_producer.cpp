// A producer of the storm: publishes in every way there is, at a bounded rate, and writes down what
// it was told, one line an event:
//
//   producer ID PID TOPIC
//   p PARTITION OFFSET COUNT SEQUENCE T0 T1   publish returned, for COUNT records in a row;
//                                             everything began after T0 and was over at T1 (ns)
//   w LEVEL PARTITION OFFSET T                wait() said ok: c committed, w written, d durable
//   n PARTITION OFFSET                        wait() said not_found: it went with a lost ring
//   a PARTITION OFFSET COUNT                  a claim that was given up: nobody may ever see it
//   e                                         ended: all of it is durable, or known to be lost
//
// SIGTERM ends it in an orderly way.

#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <random>
#include <vector>

#include "storm/content.hpp"
#include "storm/joining.hpp"
#include "storm/line_log.hpp"
#include "storm/role.hpp"

using namespace ringway;
using namespace ringway::storm;
using namespace std::chrono_literals;

namespace {

// The most records that are published before a line says so: what a kill may leave untold.
constexpr std::uint32_t kUntoldMax = 32;
constexpr std::uint32_t kKeys = 64;
constexpr Timeout kPatience = 1s;

std::atomic<bool> ending = false;
std::atomic<Producer*> publishing = nullptr;

void end(int) {
  ending = true;
  if (Producer* const producer = publishing) producer->interrupt();
}

class StormProducer {
 public:
  StormProducer(const Arguments& arguments, Bus& bus, LineLog& log)
      : id_(static_cast<std::uint32_t>(arguments.number("--id"))),
        bytes_per_second_(static_cast<double>(arguments.number("--rate"))),
        log_(log),
        random_(arguments.number("--seed")),
        producer_(once_possible([&] { return bus.producer(arguments.text("--topic")); })),
        partitions_(producer_.partitions()),
        next_(partitions_),
        last_(partitions_) {
    publishing = &producer_;
  }
  ~StormProducer() { publishing = nullptr; }

  void run() {
    const std::int64_t begun = now_ns();
    while (!ending) {
      publish_somehow();
      if (one_in(30)) wait_for_a_level();
      pace(begun);
    }
    finish();
  }

 private:
  bool one_in(std::uint32_t n) { return random_() % n == 0; }
  std::size_t some_bytes() {
    if (one_in(400)) return 4'000 + random_() % 8'000;
    return kContentBytesMin + random_() % (one_in(8) ? 900 : 90);
  }
  std::uint32_t some_partition() { return static_cast<std::uint32_t>(random_() % partitions_); }

  void publish_somehow() {
    switch (random_() % 8) {
      case 0:
      case 1:
        return publish_in_a_row();
      case 2:
        return publish_keyed();
      case 3:
      case 4:
        return publish_batch();
      case 5:
        return publish_in_turn();
      default:
        return publish_claim();
    }
  }

  /// Up to kUntoldMax records at full speed, told as few lines.
  void publish_in_a_row() {
    const std::uint32_t partition = some_partition();
    const std::uint32_t count = 1 + static_cast<std::uint32_t>(random_() % kUntoldMax);
    const std::int64_t t0 = now_ns();
    for (std::uint32_t i = 0; i < count && !ending; ++i) {
      const Published published =
          publish_one({.partition = partition, .timeout = kPatience}, partition, 0);
      if (published.status != Status::ok) break;
      told(published.offset, 1, t0);
    }
    write_told();
  }

  void publish_keyed() {
    const auto key = 1 + static_cast<std::uint32_t>(random_() % kKeys);
    const std::string text = key_text(key);
    const std::array<Header, 1> headers{{{"key", text}}};
    PublishOptions options{.key = text, .timeout = kPatience};
    if (one_in(2)) options.headers = std::span<const Header>(headers);
    const std::int64_t t0 = now_ns();
    const Published published = publish_one(options, partition_of(text, partitions_), key);
    if (published.status == Status::ok) told(published.offset, 1, t0);
    write_told();
  }

  Published publish_one(const PublishOptions& options, std::uint32_t partition, std::uint32_t key) {
    const auto payload = std::span(buffer_).first(some_bytes());
    const auto headers = static_cast<std::uint32_t>(options.headers.size());
    fill(payload, {id_, partition, next_[partition], key, headers});
    const Published published = producer_.publish(std::span<const std::byte>(payload), options);
    if (published.status == Status::ok) {
      sent(payload.size());
    } else {
      refused(published.status);
    }
    return published;
  }

  /// In place, with time passing before it is committed; the partition is the library's choice.
  void publish_in_turn() { publish_claimed({.timeout = kPatience}); }
  void publish_claim() { publish_claimed({.partition = some_partition(), .timeout = kPatience}); }
  void publish_claimed(const PublishOptions& options) {
    const std::int64_t t0 = now_ns();
    Claim claim = producer_.claim(some_bytes(), options);
    if (!claim) return refused(claim.status());
    const RecordOffset offset = claim.offset();
    fill(claim.payload(), {id_, offset.partition, next_[offset.partition]});
    dwell();
    if (one_in(16)) {
      claim.abort();
      log_.add("a", offset.partition, offset.value, 1);
      log_.write();
      return;
    }
    sent(claim.payload().size());
    const Published published = claim.commit();
    if (published.status == Status::fenced) return;  // nobody may ever see it
    if (published.status != Status::ok) throw Lost{published.status};
    told(published.offset, 1, t0);
    write_told();
  }

  void publish_batch() {
    const std::uint32_t partition = some_partition();
    const std::uint32_t count = 1 + static_cast<std::uint32_t>(random_() % kUntoldMax);
    const std::size_t bytes_max = 128;
    const std::int64_t t0 = now_ns();
    Batch batch =
        producer_.claim_batch(count, bytes_max, {.partition = partition, .timeout = kPatience});
    if (!batch) return refused(batch.status());
    const std::uint32_t used =
        one_in(4) ? 1 + static_cast<std::uint32_t>(random_() % count) : count;
    std::uint32_t appended = 0;
    for (; appended < used; ++appended) {
      const auto payload =
          batch.append(kContentBytesMin + random_() % (bytes_max - kContentBytesMin));
      if (!payload) break;
      fill(*payload, {id_, partition, next_[partition] + appended});
      sent(payload->size());
    }
    dwell();
    if (appended == 0 || one_in(16)) return batch.abort();
    const Published published = batch.commit();
    if (published.status == Status::fenced) return;  // nobody may ever see it
    if (published.status != Status::ok) throw Lost{published.status};
    told(published.offset, appended, t0);
    write_told();
  }

  /// Sometimes a claim stays open for a moment, as of a producer that computes what it publishes.
  void dwell() {
    if (!one_in(2)) return;
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % 1'500));
  }

  void sent(std::size_t payload_bytes) { bytes_ += payload_bytes + 48; }

  /// Nothing was published: it is tried again, unless it never can be.
  void refused(Status status) const {
    if (status == Status::timeout || status == Status::back_pressured) {
      say("refused: " + std::string(to_string(status)) + ": " + producer_.why());
    } else if (status != Status::interrupted && status != Status::fenced) {
      throw Lost{status};
    }
  }

  void told(RecordOffset offset, std::uint32_t count, std::int64_t t0) {
    const std::uint64_t sequence = next_[offset.partition];
    next_[offset.partition] += count;
    last_[offset.partition] = offset.value + count;
    const bool in_a_row = row_.count != 0 && row_.partition == offset.partition &&
                          row_.offset + row_.count == offset.value;
    if (in_a_row) {
      row_.count += count;
      return;
    }
    end_row();
    row_ = {offset.partition, offset.value, count, sequence, t0};
  }
  void end_row() {
    if (row_.count == 0) return;
    log_.add("p", row_.partition, row_.offset, row_.count, row_.sequence, row_.t0, now_ns());
    row_.count = 0;
  }
  void write_told() {
    end_row();
    log_.write();
  }

  void wait_for_a_level() {
    const std::uint32_t partition = some_partition();
    if (last_[partition] == 0) return;
    static_cast<void>(wait(partition, static_cast<Level>(random_() % 3), 300ms));
  }

  /// Until the last record of the partition has reached the level; false when it was not told so.
  bool wait(std::uint32_t partition, Level level, Timeout timeout) {
    const RecordOffset last{last_[partition] - 1, partition};
    const Status status = producer_.wait(last, level, timeout);
    if (status == Status::ok) {
      constexpr const char* kLetters[] = {"c", "w", "d"};
      log_.add("w", kLetters[static_cast<std::size_t>(level)], partition, last.value, now_ns());
    } else if (status == Status::not_found) {
      log_.add("n", partition, last.value);
    } else if (status == Status::timeout || status == Status::interrupted) {
      return false;
    } else {
      throw Lost{status};
    }
    log_.write();
    return true;
  }

  void pace(std::int64_t begun) const {
    const double due_ns = static_cast<double>(bytes_) / bytes_per_second_ * 1e9;
    const double ahead_ns = due_ns - static_cast<double>(now_ns() - begun);
    // In bursts: up to full speed for a while, then a pause.
    if (ahead_ns > 20e6 && !ending) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(static_cast<std::int64_t>(ahead_ns)));
    }
  }

  void finish() {
    for (std::uint32_t p = 0; p < partitions_; ++p) {
      while (last_[p] != 0 && !wait(p, Level::durable, kPatience)) {
        say("not yet durable: " + producer_.why());
      }
    }
    log_.add("e");
    log_.write();
  }

  struct Row {
    std::uint32_t partition = 0;
    std::uint64_t offset = 0;
    std::uint32_t count = 0;
    std::uint64_t sequence = 0;
    std::int64_t t0 = 0;
  };

  const std::uint32_t id_;
  const double bytes_per_second_;
  LineLog& log_;
  std::mt19937_64 random_;
  Producer producer_;
  const std::uint32_t partitions_;
  std::vector<std::uint64_t> next_;  // sequence, by partition
  std::vector<std::uint64_t> last_;  // behind the last offset that was told; 0: none yet
  std::array<std::byte, 16 * 1024> buffer_{};
  std::uint64_t bytes_ = 0;
  Row row_;
};

}  // namespace

int main(int count, char** words) {
  const Arguments arguments(count, words);
  struct sigaction action{};
  action.sa_handler = end;
  ::sigaction(SIGTERM, &action, nullptr);
  return play([&] {
    LineLog log(arguments.text("--log"));
    log.add("producer", arguments.text("--id"), ::getpid(), arguments.text("--topic"));
    log.write();
    Bus bus = join(arguments.text("--socket"));
    StormProducer(arguments, bus, log).run();
  });
}
