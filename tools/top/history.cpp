#include "tools/top/history.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ringway::cli::top {
namespace {

/// A lag that has grown for so many samples running is no accident of when it was looked at.
constexpr int kFallsBehind = 3;

std::optional<double> per_second(std::uint64_t before, std::uint64_t now, double seconds) {
  if (seconds <= 0 || now < before) return {};
  return static_cast<double>(now - before) / seconds;
}

void add(std::optional<double>& sum, const std::optional<double>& part) {
  if (part) sum = sum.value_or(0) + *part;
}

const TopicSample* find(const BusSample& sample, const std::string& name) {
  const auto found = std::ranges::find(sample.topics, name, &TopicSample::name);
  return found == sample.topics.end() ? nullptr : &*found;
}

const HandleSample* find(const TopicSample* topic, const HandleSample::Id& id) {
  if (topic == nullptr) return nullptr;
  const auto found = std::ranges::find(topic->handles, id, &HandleSample::id);
  return found == topic->handles.end() ? nullptr : &*found;
}

void worsen(State& state, State other) {
  if (other.mood > state.mood) state = std::move(other);
}

State state_of(const HandleSample& handle, int grown) {
  if (handle.process == "stopped" || handle.process == "dead") {
    return {fmt::format("{} pid {}", handle.process, handle.pid), Mood::bad};
  }
  if (grown >= kFallsBehind) return {fmt::format("slow pid {}", handle.pid), Mood::slow};
  return {};
}

}  // namespace

State state_of(const PartitionSample& partition) {
  const layout::Hold hold = partition.hold;
  if (hold == layout::Hold::none) return {};
  std::string text(layout::to_string(hold));
  if (partition.hold_pid != 0) text += fmt::format(" by pid {}", partition.hold_pid);
  return {std::move(text), layout::needs_attention(hold) ? Mood::bad : Mood::slow};
}

TopicFacts History::facts_of(const TopicSample& topic, const TopicSample* before, double seconds) {
  TopicFacts facts;
  const bool same_shape = before != nullptr && before->partitions.size() == topic.partitions.size();
  for (std::size_t p = 0; p < topic.partitions.size(); ++p) {
    const PartitionSample& now = topic.partitions[p];
    Speed speed;
    if (same_shape) {
      const PartitionSample& was = before->partitions[p];
      speed.records = per_second(was.claimed_offset, now.claimed_offset, seconds);
      if (before->generation == topic.generation) {
        speed.bytes = per_second(was.claimed_position, now.claimed_position, seconds);
      }
    }
    add(facts.speed.records, speed.records);
    add(facts.speed.bytes, speed.bytes);
    facts.partitions.push_back(speed);
    facts.fill = std::max(facts.fill, now.fill);
    facts.committed += now.committed;
    facts.durable += now.durable;
    worsen(facts.state, state_of(now));
  }
  Growth& growth = growth_[topic.name];
  Growth grown;
  for (const HandleSample& handle : topic.handles) {
    const HandleSample* was = find(before, handle.id);
    Speed speed;
    if (handle.lag) {
      facts.lag = std::max(facts.lag.value_or(0), *handle.lag);
      if (!handle.attached()) {  // it falls behind, and nobody is slow
        facts.handles.push_back({});
        continue;
      }
      const bool grew = was != nullptr && was->lag && *handle.lag > *was->lag;
      grown[handle.id] = grew ? growth[handle.id] + 1 : 0;
    }
    if (was != nullptr && handle.read && was->read) {
      speed.records = per_second(*was->read, *handle.read, seconds);
    }
    facts.handles.push_back(speed);
    worsen(facts.state, state_of(handle, grown[handle.id]));
  }
  growth = std::move(grown);
  if (!topic.trouble.empty()) facts.state = {topic.trouble, Mood::bad};
  return facts;
}

void History::take(BusSample sample) {
  const double seconds = std::chrono::duration<double>(sample.at - sample_.at).count();
  std::map<std::string, TopicFacts> facts;
  for (const TopicSample& topic : sample.topics) {
    TopicFacts now = facts_of(topic, find(sample_, topic.name), seconds);
    if (const auto known = facts_.find(topic.name); known != facts_.end()) {
      now.trend = std::move(known->second.trend);
    }
    if (now.speed.records) now.trend.push_back(*now.speed.records);
    if (now.trend.size() > kTrendMax) now.trend.pop_front();
    facts.emplace(topic.name, std::move(now));
  }
  facts_ = std::move(facts);
  std::erase_if(growth_, [&](const auto& known) { return !facts_.contains(known.first); });
  sample_ = std::move(sample);
}

}  // namespace ringway::cli::top
