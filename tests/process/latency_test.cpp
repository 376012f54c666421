// How long records took, as metrics tell it: what becomes of a consumer's samples.

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "layout/session.hpp"
#include "process/raw_client.hpp"
#include "ringway/ringway.hpp"
#include "shm/region.hpp"
#include "support/daemon_process.hpp"
#include "support/seed.hpp"

namespace latency_test {

using namespace ringway;
using ringway::test::Child;
using ringway::test::DaemonProcess;
using ringway::test::open_as;
using ringway::test::RawClient;
using namespace std::chrono_literals;

namespace {

const TopicChoices kSmall{.partitions = 2, .ring_bytes = 64 * 1024};
const std::string kLatency = "ringway_consume_latency_seconds";

std::string scrape(const DaemonProcess& daemon) {
  const shm::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path =
      std::filesystem::path(daemon.socket()).replace_filename("metrics.sock").string();
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  constexpr std::string_view kAsk = "GET /metrics HTTP/1.0\r\n\r\n";
  REQUIRE(::write(socket.get(), kAsk.data(), kAsk.size()) == static_cast<ssize_t>(kAsk.size()));
  std::string all;
  std::array<char, 4096> some;
  for (;;) {
    const ssize_t bytes = ::read(socket.get(), some.data(), some.size());
    REQUIRE(bytes >= 0);
    if (bytes == 0) return all;
    all.append(some.data(), static_cast<std::size_t>(bytes));
  }
}

/// The samples of the histogram of topic "t": "1e-06", …, "+Inf", "sum", "count".
std::map<std::string, double> histogram(const DaemonProcess& daemon) {
  std::map<std::string, double> samples;
  std::istringstream text(scrape(daemon));
  for (std::string line; std::getline(text, line);) {
    if (!line.starts_with(kLatency) || line.find("topic=\"t\"") == line.npos) continue;
    const double value = std::stod(line.substr(line.rfind(' ')));
    const std::string name = line.substr(kLatency.size() + 1, line.find('{') - kLatency.size() - 1);
    const std::size_t le = line.find("le=\"");
    samples[name != "bucket" ? name : line.substr(le + 4, line.find('"', le + 4) - le - 4)] = value;
  }
  return samples;
}

double count(const DaemonProcess& daemon) {
  return histogram(daemon)["count"];
}

/// What is asked of the control thread is half a second old at most.
template <class Condition>
void await(Condition&& condition) {
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (!condition()) {
    REQUIRE(std::chrono::steady_clock::now() < end);
    std::this_thread::sleep_for(50ms);
  }
}

/// A consumer that only counts.
class Counter {
 public:
  explicit Counter(const DaemonProcess& daemon) : client(daemon.socket()) { open(); }

  void open() {
    opened = client.call(open_as(layout::Role::consumer, "t"));
    if (client.descriptors.size() > 3 || session_ == nullptr) {
      session_ = std::make_unique<shm::Region>(client.descriptors.back().get(),
                                               shm::Access::read_write, 0,
                                               layout::session_file_bytes(opened.slots));
    }
  }
  void close() { client.call(control::Close{.handle = opened.handle}); }

  layout::Slot& slot(std::uint32_t partition = 0) const {
    return session_->at<layout::Slot>(sizeof(layout::SessionHeader) +
                                      (opened.first_slot + partition) * sizeof(layout::Slot));
  }
  void add(std::uint64_t ns, std::uint32_t times) const {
    layout::latency_count(slot(), layout::latency_bucket(ns)).fetch_add(times);
    slot().latency_sum_ns.fetch_add(ns * times);
  }

  RawClient client;
  control::Opened opened;

 private:
  std::unique_ptr<shm::Region> session_;
};

}  // namespace

TEST_CASE("latency: samples of handles that were closed stay, and count once", "[latency]") {
  DaemonProcess daemon;
  daemon.connect().create_topic("t", kSmall);
  CHECK(count(daemon) == 0);
  Counter consumer(daemon);
  consumer.add(2'000, 3);
  await([&] { return count(daemon) == 3; });
  consumer.add(2'000'000'000, 4);
  consumer.close();
  // The same slot is given away again, with what stands there.
  const std::uint32_t slot = consumer.opened.first_slot;
  consumer.open();
  REQUIRE(consumer.opened.first_slot == slot);
  CHECK(layout::latency_count(consumer.slot(), layout::latency_bucket(2'000)) == 3);
  consumer.add(2'000, 10);
  await([&] { return count(daemon) == 17; });
  const auto samples = histogram(daemon);
  CHECK(samples.size() == layout::kLatencyBuckets + 2);
  CHECK(samples.at("1e-06") == 0);
  CHECK(samples.at("3e-06") == 13);
  CHECK(samples.at("1") == 13);
  CHECK(samples.at("3") == 17);
  CHECK(samples.at("+Inf") == 17);
  CHECK(samples.at("sum") == Approx(13 * 2e-6 + 4 * 2.0));
}

TEST_CASE("latency: samples of a consumer that was killed stay", "[latency]") {
  DaemonProcess daemon;
  daemon.connect().create_topic("t", kSmall);
  Child consumer([&](Child& self) {
    Counter counter(daemon);
    counter.add(2'000, 5);
    self.reached();
    self.stay();
  });
  REQUIRE(consumer.await());
  consumer.kill();  // before anybody looked, perhaps
  await([&] { return scrape(daemon).find("ringway_topic_consumers{topic=\"t\"} 0") !=
                     std::string::npos; });
  CHECK(count(daemon) == 5);
}

TEST_CASE("latency: samples count once while a handle moves to another ring", "[latency]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  Counter consumer(daemon);
  consumer.add(2'000, 5);
  await([&] { return count(daemon) == 5; });
  bus.alter_topic("t", {.ring_bytes = 128 * 1024});
  consumer.add(2'000, 1);
  auto moved = open_as(layout::Role::consumer, "t");
  moved.moved = consumer.opened.handle;
  const auto reply = consumer.client.call(moved);
  REQUIRE(reply.handle == consumer.opened.handle);
  REQUIRE(reply.generation == consumer.opened.generation + 1);
  REQUIRE(reply.first_slot == consumer.opened.first_slot);
  consumer.add(2'000, 1);
  await([&] { return count(daemon) == 7; });
}

TEST_CASE("latency: a supervisor that takes a consumer over counts what comes since",
          "[latency]") {
  DaemonProcess daemon;
  daemon.connect().create_topic("t", kSmall);
  Counter consumer(daemon);
  consumer.add(2'000, 5);
  await([&] { return count(daemon) == 5; });
  daemon.kill();
  consumer.add(2'000, 7);  // nobody's
  daemon.start();
  CHECK(count(daemon) == 0);
  consumer.add(2'000, 2);
  await([&] { return count(daemon) == 2; });
}

TEST_CASE("latency: whatever a client writes, nothing goes down and the bus serves",
          "[latency]") {
  const std::uint64_t seed = test::chosen_seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmall);
  Counter consumer(daemon);
  auto before = histogram(daemon);
  for (int look = 0; look < 8; ++look) {
    // Of its whole slot, many times between two looks, and at its end.
    for (int i = 0; i < 1'000; ++i) {
      for (std::size_t word = 0; word < sizeof(layout::Slot) / 8; ++word) {
        auto* const words = reinterpret_cast<std::uint64_t*>(&consumer.slot());
        std::atomic_ref(words[word]).store(random() % 3 == 0 ? 0 : random());
      }
    }
    if (look % 3 == 2) {
      consumer.close();
      consumer.open();
    }
    std::this_thread::sleep_for(550ms);  // so long an answer is fresh
    const auto now = histogram(daemon);
    REQUIRE(now.size() == layout::kLatencyBuckets + 2);
    for (const auto& [name, value] : now) {
      CAPTURE(name);
      CHECK(value >= before.at(name));
    }
    CHECK(now.at("+Inf") == now.at("count"));
    before = now;
  }
  CHECK(before.at("count") > 0);
  CHECK(bus.producer("t").publish("on").status == Status::ok);
}

TEST_CASE("latency: who sleeps between polls shows, and so does who follows at once",
          "[latency]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", {.ring_bytes = 64 * 1024});
  Producer producer = bus.producer("t");
  REQUIRE(producer.publish("history").status == Status::ok);
  std::this_thread::sleep_for(10ms);
  // More than a second late. Some come out of the log.
  {
    Consumer slow = bus.consumer("t", {.from = start()});
    std::this_thread::sleep_for(10ms);
    std::size_t read = slow.poll(1, forever).size();  // "history" is none
    slow.advance();
    for (std::size_t i = 0; i < 1'100; ++i) {
      REQUIRE(producer.publish("late").status == Status::ok);
    }
    std::this_thread::sleep_for(1100ms);
    while (read < 1'101) {
      read += slow.poll(64, forever).size();
      slow.advance();
    }
  }
  await([&] { return count(daemon) > 0; });
  auto samples = histogram(daemon);
  CHECK(samples.at("1") == 0);
  CHECK(samples.at("sum") > 1.1 * samples.at("count"));
  // One who waits for them has them soon: not each one, on a machine that is busy.
  Consumer quick = bus.consumer("t", {.from = end()});
  std::thread follower([&] {
    while (quick.poll(1, forever).status() == Status::ok) quick.advance();
  });
  for (int i = 0; samples.at("1") < 1; ++i) {
    REQUIRE(i < 600);
    std::this_thread::sleep_for(100ms);  // it sleeps by now
    REQUIRE(producer.publish("soon").status == Status::ok);
    samples = histogram(daemon);
  }
  quick.interrupt();
  follower.join();
}

}  // namespace latency_test
