#include "tools/bench/idle_partitions.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ringway/bus.hpp>
#include <vector>

#include "tools/bench/measurement.hpp"
#include "tools/bench/spread_records.hpp"
#include "tools/bench/traffic.hpp"
#include "tools/quantity.hpp"
#include "tools/stage/interruption.hpp"

namespace ringway::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kIdlePatience = 120s;  // thousands of partitions are not there at once
constexpr std::uint64_t kRecordBytes = 64;
// Of each partition beyond its ring: its part of the board, slots of two handles.
constexpr std::uint64_t kBesideRing = 16 << 10;
constexpr std::uint64_t kMemoryLeft = std::uint64_t{1} << 30;
constexpr std::uint64_t kDescriptorsBeside = 256;  // of the supervisor, whatever it serves
constexpr auto kComesToRest = 500ms;               // syncs are due, and topics fall asleep

Bus patient(const std::string& socket) {
  return Bus::connect(ConnectOptions{.socket = socket, .timeout = kIdlePatience});
}

/// A record for each of the first partitions, published until durable, read and checked.
void use(const std::string& socket, const std::string& topic, int cpu, std::uint32_t used) {
  const std::vector<Part<bool>> parts{{"user", cpu, [&](Stand& stand) {
                                         Bus bus = patient(socket);
                                         SpreadProducer producer(bus, topic, kRecordBytes, used);
                                         Consumer consumer =
                                             spread_consumer(bus, topic, used, start());
                                         stand.ready();
                                         producer.some(used);
                                         producer.wait(Level::durable);
                                         SpreadReader reader(kRecordBytes, used);
                                         while (reader.records() < used) reader.poll(consumer);
                                         return true;
                                       }}};
  static_cast<void>(measure_whole(parts));
}

void hold(Channel& parent, const std::string& socket, const std::string& topic) {
  Bus bus = patient(socket);
  const Producer producer = bus.producer(topic);
  const Consumer consumer = bus.consumer(topic);
  parent.send(true);
  for (;;) ::pause();
}

double share_of_cpu(std::chrono::nanoseconds cpu, std::chrono::nanoseconds wall) {
  return 100 * static_cast<double>(cpu.count()) / static_cast<double>(wall.count());
}

}  // namespace

std::string why_no_room_for(const IdleShape& shape) {
  const std::uint64_t wanted = shape.partitions * (shape.ring_bytes + kBesideRing) + kMemoryLeft;
  const std::uint64_t available = available_memory_bytes();
  if (available < wanted) {
    return fmt::format("{} of memory are available, and this takes {}; take fewer --partitions",
                       format_size(available), format_size(wanted));
  }
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  // While a used partition's first records are on their way its file is open.
  if (files.rlim_max < shape.used + kDescriptorsBeside) {
    return fmt::format("a process may have {} files open, and this takes {}; take fewer --used",
                       files.rlim_max, shape.used + kDescriptorsBeside);
  }
  return {};
}

IdlePartitions::IdlePartitions(const PrivateBus& bus, const CpuPair& cpus, const IdleShape& shape) {
  const TrafficShape one_topic{.topics = 1, .partitions = shape.partitions};
  topic_ = one_topic.topic(0);
  TopicChoices choices;
  choices.ring_bytes = shape.ring_bytes;
  create_topics(bus.socket(), one_topic, choices);
  if (shape.used != 0) use(bus.socket(), topic_, cpus.first, shape.used);
  holder_.emplace("holder",
                  [this, socket = bus.socket()](Channel& parent) { hold(parent, socket, topic_); });
  holder_->channel().await<bool>();
}

QuietBus look_at_quiet(const PrivateBus& bus, std::chrono::nanoseconds length) {
  using Clock = std::chrono::steady_clock;
  const std::optional<pid_t> keeper = bus.keeper();
  if (!keeper) throw Error(ErrorCode::failed, "keeper", "it is not there", "");
  sleep_interruptibly(kComesToRest);
  const auto from = Clock::now();
  const auto supervisor_from = cpu_time_used_by(bus.pid());
  const auto keeper_from = cpu_time_used_by(*keeper);
  sleep_interruptibly(length);
  const auto supervisor = cpu_time_used_by(bus.pid()) - supervisor_from;
  const auto keepers = cpu_time_used_by(*keeper) - keeper_from;
  const auto wall = Clock::now() - from;
  return {share_of_cpu(supervisor + keepers, wall), share_of_cpu(keepers, wall),
          own_memory_of(bus.pid()), own_memory_of(*keeper)};
}

}  // namespace ringway::cli
