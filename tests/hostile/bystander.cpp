// An honest producer or consumer, to be left in peace while others misbehave.
//
//   bystander produce SOCKET TOPIC            publishes until its standard input ends; then says
//                                             published N LONGEST_MS
//   bystander consume SOCKET TOPIC            reads from now on until it has seen as many records
//                                             as a line of its standard input says; then says
//                                             consumed N LONGEST_MS
//   bystander victim-produce SOCKET TOPIC     as produce and consume, on the topic that is being
//   bystander victim-consume SOCKET TOPIC     spoiled: whatever comes, until the input ends. They
//                                             say outcome STATUS COUNT, and live through it.
//   bystander short-produce SOCKET TOPIC      the same, but that they can be told to be without
//   bystander short-consume SOCKET TOPIC      memory to fill holes (Supply), and survive_lost_pages
//   bystander exposed-produce SOCKET TOPIC    the same without having asked to survive that
//   bystander exposed-consume SOCKET TOPIC
//
// Record n carries n, a checksum and bytes that follow from n. LONGEST_MS is the longest time
// between two records while there was something to wait for.

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "ringway/ringway.hpp"
#include "shm/landing.hpp"
#include "storage/checksum.hpp"
#include "support/lost_page.hpp"

using namespace ringway;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::uint64_t kSeed = 0x6e656967;

std::string content(std::uint64_t number) {
  std::mt19937_64 random(number);
  std::string bytes(16 + random() % 1500, '\0');
  for (std::size_t at = 16; at < bytes.size(); ++at) bytes[at] = static_cast<char>(random());
  std::memcpy(bytes.data(), &number, 8);
  const auto rest = std::as_bytes(std::span(bytes)).subspan(16);
  const std::uint64_t checksum = storage::checksum(rest, kSeed + number);
  std::memcpy(bytes.data() + 8, &checksum, 8);
  return bytes;
}

/// The record's number, if its bytes are what somebody published under it.
std::optional<std::uint64_t> number_of(std::string_view bytes) {
  std::uint64_t number, checksum;
  if (bytes.size() < 16) return {};
  std::memcpy(&number, bytes.data(), 8);
  std::memcpy(&checksum, bytes.data() + 8, 8);
  const auto rest = std::as_bytes(std::span(bytes.data(), bytes.size())).subspan(16);
  if (storage::checksum(rest, kSeed + number) != checksum) return {};
  return number;
}

/// Lines of standard input, without waiting for them.
class Input {
 public:
  bool ended() {
    look();
    return ended_;
  }
  std::ptrdiff_t lines() {
    look();
    return std::count(text_.begin(), text_.end(), '\n');
  }
  std::optional<std::uint64_t> number() {
    look();
    if (text_.find('\n') == std::string::npos) return {};
    return std::stoull(text_);
  }

 private:
  void look() {
    pollfd entry{STDIN_FILENO, POLLIN, 0};
    while (!ended_ && ::poll(&entry, 1, 0) > 0) {
      char bytes[64];
      const ssize_t got = ::read(STDIN_FILENO, bytes, sizeof bytes);
      if (got > 0) text_.append(bytes, static_cast<std::size_t>(got));
      ended_ = got <= 0;
    }
  }
  std::string text_;
  bool ended_ = false;
};

class Longest {
 public:
  void restart() { since_ = Clock::now(); }
  void happened() {
    longest_ = std::max(longest_, Clock::now() - since_);
    restart();
  }
  long ms() const {
    return static_cast<long>(
        std::chrono::duration_cast<std::chrono::milliseconds>(longest_).count());
  }

 private:
  Clock::time_point since_ = Clock::now();
  Clock::duration longest_{};
};

void say(const char* word, std::uint64_t count, long ms) {
  std::printf("%s %llu %ld\n", word, static_cast<unsigned long long>(count), ms);
  std::fflush(stdout);
}

void say_started() {
  std::puts("started");
  std::fflush(stdout);
}

int produce(Bus& bus, const std::string& topic) {
  Producer producer = bus.producer(topic, {.partition = 0});
  Input input;
  Longest longest;
  std::uint64_t count = 0;
  RecordOffset last;
  for (; !input.ended(); ++count) {
    const std::string bytes = content(count);
    longest.restart();
    const auto [status, offset] = producer.publish(bytes, {.timeout = std::chrono::seconds(50)});
    if (status != Status::ok) {
      std::printf("stopped %s %s\n", std::string(to_string(status)).c_str(),
                  producer.why().c_str());
      return 1;
    }
    longest.happened();
    last = offset;
    if (count == 0) say_started();
    if (count % 8 == 7) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (producer.wait(last, Level::durable, std::chrono::seconds(50)) != Status::ok) {
    std::puts("stopped before it was durable");
    return 1;
  }
  say("published", count, longest.ms());
  return 0;
}

int consume(Bus& bus, const std::string& topic) {
  Consumer consumer = bus.consumer(topic, {.from = end()});
  Input input;
  Longest longest;
  std::uint64_t next = 0;
  say_started();
  for (;;) {
    const auto wanted = input.number();
    if (wanted && next >= *wanted) break;
    if (!wanted && input.ended()) return 1;
    for (const RecordView& record : consumer.poll(64, std::chrono::milliseconds(50))) {
      const auto number = number_of(record.value());
      if (number != next) {
        std::printf("offset %llu: %s %lld instead of %llu\n",
                    static_cast<unsigned long long>(record.offset()),
                    number ? "record" : "spoiled bytes", number ? (long long)*number : -1,
                    static_cast<unsigned long long>(next));
        return 1;
      }
      ++next;
      longest.happened();
    }
    if (const auto gaps = consumer.take_gaps(); !gaps.empty()) {
      std::printf("a gap from %llu\n", static_cast<unsigned long long>(gaps[0].from));
      return 1;
    }
  }
  say("consumed", next, longest.ms());
  return 0;
}

using Outcomes = std::map<std::string, std::uint64_t>;

void say(const Outcomes& outcomes) {
  for (const auto& [status, count] : outcomes) {
    std::printf("outcome %s %llu\n", status.c_str(), static_cast<unsigned long long>(count));
  }
}

/// Whether a victim has memory to fill holes with: it is told line by line.
class Supply {
 public:
  Supply(bool may_be_short, Input& input) : may_be_short_(may_be_short), input_(input) {}

  /// From the first line on it stands still, from the second on the holes of then cannot be filled,
  /// from the third on it goes on.
  bool may_go_on() {
    if (!may_be_short_) return true;
    const auto lines = input_.lines();
    if (lines >= 1 && !paused_) say_once("paused", paused_);
    if (lines >= 2 && !short_) {
      test::lose_holes_of_rings();
      say_once("short", short_);
    }
    const bool goes_on = lines == 0 || lines >= 3;
    if (!goes_on) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return goes_on;
  }
  /// Says that pages were lost, and from the fourth line on that it works again.
  void went(bool well) {
    if (!lost_ && shm::pages_lost.load() != 0) say_once("lost", lost_);
    if (!back_ && well && input_.lines() >= 4) say_once("back", back_);
  }

 private:
  static void say_once(const char* word, bool& said) {
    said = true;
    std::puts(word);
    std::fflush(stdout);
  }

  bool may_be_short_;
  Input& input_;
  bool paused_ = false, short_ = false, lost_ = false, back_ = false;
};

int victim_produce(Bus& bus, const std::string& topic, bool may_be_short) {
  Producer producer = bus.producer(topic);
  Input input;
  Supply supply(may_be_short, input);
  Outcomes outcomes;
  for (std::uint64_t count = 0; !input.ended(); ++count) {
    if (!supply.may_go_on()) continue;
    const std::string bytes = content(count);
    const auto result = producer.publish(bytes, {.key = "key",
                                                 .headers = {{"name", "value"}, {"more", "x"}},
                                                 .timeout = std::chrono::milliseconds(100)});
    ++outcomes[std::string(to_string(result.status))];
    if (count == 0) say_started();
    supply.went(result.status == Status::ok);
    if (result.status != Status::ok || count % 8 == 7) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  say(outcomes);
  return 0;
}

int victim_consume(Bus& bus, const std::string& topic, bool may_be_short) {
  Consumer consumer = bus.consumer(topic, {.from = start()});
  Input input;
  Supply supply(may_be_short, input);
  Outcomes outcomes;
  std::size_t looked_at = 0;
  say_started();
  while (!input.ended()) {
    if (!supply.may_go_on()) continue;
    const RecordBatch batch = consumer.poll(64, std::chrono::milliseconds(10));
    bool sound = false;
    for (const RecordView& record : batch) {
      const bool whole = number_of(record.value()).has_value();
      sound = sound || whole;
      ++outcomes[whole ? "sound" : "spoiled"];
      // Every byte that the view gives out can be read, wherever its sizes came from.
      for (const char c : record.key()) looked_at += static_cast<unsigned char>(c);
      for (const Header& header : record.headers()) {
        for (const char c : header.key.text()) looked_at += static_cast<unsigned char>(c);
        for (const char c : header.value.text()) looked_at += static_cast<unsigned char>(c);
      }
    }
    if (batch.status() != Status::ok) {
      ++outcomes[std::string(to_string(batch.status()))];
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (consumer.validate() == Status::quarantined) ++outcomes["invalid"];
    supply.went(sound);
    static_cast<void>(consumer.lag());
  }
  outcomes["bytes"] = looked_at;
  say(outcomes);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const std::string role = argv[1];
  try {
    Bus bus = Bus::connect(argv[2]);
    if (role == "produce") return produce(bus, argv[3]);
    if (role == "consume") return consume(bus, argv[3]);
    if (role.starts_with("short-")) survive_lost_pages();
    const bool may_be_short = !role.starts_with("victim-");
    if (role.ends_with("-produce")) return victim_produce(bus, argv[3], may_be_short);
    if (role.ends_with("-consume")) return victim_consume(bus, argv[3], may_be_short);
  } catch (const Error& error) {
    std::printf("error %s\n", error.what());
    return 1;
  }
  return 2;
}
