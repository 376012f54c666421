#include "tools/bench/quiet_publishes.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <ringway/bus.hpp>
#include <thread>
#include <vector>

#include "tools/bench/content.hpp"
#include "tools/bench/measurement.hpp"
#include "tools/bench/numbered_records.hpp"
#include "tools/bench/shared_pages.hpp"
#include "tools/bench/traced_acts.hpp"
#include "tools/stage/child.hpp"

namespace ringway::cli {
namespace {

constexpr std::uint64_t kWarmUp = 1'000;  // what is found at the first use is not looked at
constexpr std::uint64_t kCountedMax = 100'000;
constexpr std::chrono::milliseconds kSpaceIsGivenBack{20};  // by a supervisor, of what was read
constexpr std::chrono::milliseconds kKeepsAwake{1};  // a supervisor: long before it falls asleep

/// Written by the consumer.
struct Progress {
  std::atomic<std::uint64_t> read{0};
};

/// Publishes copies of what it fills, without waiting: who waits asks the kernel.
class CopyingProducer {
 public:
  CopyingProducer(const std::string& socket, const std::string& topic, std::uint64_t size_bytes)
      : bus_(Bus::connect(socket)),
        producer_(bus_.producer(topic, {.partition = 0})),
        buffer_(size_bytes) {}

  void one() {
    content::fill(buffer_.data(), buffer_.size(), next_++);
    Status status;
    do {
      status = producer_.try_publish(buffer_).status;
    } while (status == Status::back_pressured);
    if (status != Status::ok) refuse("publish", producer_, status);
  }

 private:
  Bus bus_;
  Producer producer_;
  std::vector<std::byte> buffer_;
  std::uint64_t next_ = 0;
};

/// Publishes to another partition of the topic now and then: single steps are so slow that the
/// supervisor would fall asleep over them.
class Alarm {
 public:
  Alarm(Bus& bus, const std::string& topic) : producer_(bus.producer(topic, {.partition = 1})) {}

  void ring() {
    const auto now = std::chrono::steady_clock::now();
    if (now < due_) return;
    due_ = now + kKeepsAwake;
    if (const Status status = producer_.publish("alarm").status; status != Status::ok) {
      refuse("publish", producer_, status);
    }
  }

 private:
  Producer producer_;
  std::chrono::steady_clock::time_point due_;
};

void read_all(Channel& parent, const std::string& socket, const std::string& topic,
              const QuietShape& shape, Progress& progress) {
  Bus bus = Bus::connect(socket);
  Consumer consumer =
      bus.consumer(topic, {.from = end(), .partitions = {0}, .wait = WaitStrategy::latency});
  Alarm alarm(bus, topic);
  NumberedReader reader(shape.size_bytes, 1);
  parent.send(true);
  while (reader.records() < kWarmUp + shape.counted + shape.stepped) {
    alarm.ring();
    reader.poll(consumer, kKeepsAwake);
    progress.read.store(reader.records(), std::memory_order::relaxed);  // nothing else is told
  }
}

/// The ring is empty afterwards, and all of it may be claimed.
void warm_up(CopyingProducer& producer, const Progress& progress) {
  for (std::uint64_t i = 0; i < kWarmUp; ++i) producer.one();
  while (progress.read.load(std::memory_order::relaxed) < kWarmUp) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::this_thread::sleep_for(kSpaceIsGivenBack);
}

}  // namespace

std::uint64_t publishes_to_count(std::uint64_t ring_bytes, std::uint64_t size_bytes) noexcept {
  const std::uint64_t half = ring_bytes / 2 / record_slot_bytes(size_bytes);
  return std::clamp<std::uint64_t>(half, 1, kCountedMax);
}

Measured quiet_publishes(const std::string& socket, const std::string& topic, const CpuPair& cpus,
                         const QuietShape& shape) {
  const SharedPages page(sizeof(Progress));
  Progress& progress = *new (page.data()) Progress;
  Child consumer("consumer", [&](Channel& parent) {
    take_place("consumer", cpus.second);
    read_all(parent, socket, topic, shape, progress);
  });
  consumer.channel().await<bool>();
  const TracedCounts counts = trace({.name = "producer",
                                     .cpu = cpus.first,
                                     .counted = shape.counted,
                                     .stepped = shape.stepped,
                                     .prepare = [&]() -> std::function<void()> {
                                       const auto producer = std::make_shared<CopyingProducer>(
                                           socket, topic, shape.size_bytes);
                                       warm_up(*producer, progress);
                                       return [producer] { producer->one(); };
                                     }});
  consumer.join();

  const std::uint64_t rang = counts.doorbells + shape.stepped - counts.stepped_alone;
  Measured measured{.figures = {}, .variant = "traced"};
  measured.more["counted"] = shape.counted;
  measured.more["system_calls"] = counts.system_calls;
  measured.more["stepped"] = counts.stepped_alone;
  measured.more["stepped_system_calls"] = counts.stepped_system_calls;
  measured.more["locked_instructions"] = counts.locked;
  measured.more["found_supervisor_asleep"] = rang;
  measured.more["per_publish"] = nullptr;
  if (2 * counts.doorbells <= shape.counted && 2 * counts.stepped_alone >= shape.stepped) {
    measured.more["per_publish"] =
        static_cast<double>(counts.system_calls) / static_cast<double>(shape.counted) +
        static_cast<double>(counts.locked + counts.stepped_system_calls) /
            static_cast<double>(counts.stepped_alone);
  }
  return measured;
}

}  // namespace ringway::cli
