#include "tools/top/view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "tools/top/figures.hpp"

namespace ringway::cli::top {
namespace {

constexpr std::array<std::string_view, kKinds> kNames{"topics", "partitions", "consumers",
                                                      "producers"};

Field rate(const std::optional<double>& records) {
  return records ? Field::of_number(compact(*records), *records) : Field::none();
}
Field byte_rate(const std::optional<double>& bytes) {
  return bytes ? Field::of_number(compact_bytes(*bytes), *bytes) : Field::none();
}
Field lag(const std::optional<std::uint64_t>& records) {
  if (!records) return Field::none();
  const auto number = static_cast<double>(*records);
  return Field::of_number(compact(number), number);
}
Field offset(std::uint64_t value) {
  return Field::of_number(offset_text(value), static_cast<double>(value));
}
Field count(std::uint64_t value) {
  return Field::of_number(fmt::format("{}", value), static_cast<double>(value));
}
Field percent(double part) {
  return Field::of_number(fmt::format("{:.0f}%", part * 100), part);
}

void add_topic(Table& table, const TopicSample& topic, const TopicFacts& facts) {
  if (topic.partitions.empty()) {
    std::vector<Field> fields(table.headings.size(), Field::none());
    fields.front() = Field::of_text(topic.name);
    fields.back() = Field::of_text(facts.state.text);
    table.lines.push_back({std::move(fields), facts.state.mood});
    return;
  }
  table.lines.push_back({{Field::of_text(topic.name), rate(facts.speed.records),
                          byte_rate(facts.speed.bytes), lag(facts.lag), percent(facts.fill),
                          offset(facts.committed),
                          topic.persisted ? offset(facts.durable) : Field::none(),
                          count(topic.partitions.size()), Field::of_text(facts.state.text)},
                         facts.state.mood, facts.trend});
}

void add_partitions(Table& table, const TopicSample& topic, const TopicFacts& facts) {
  for (std::size_t p = 0; p < topic.partitions.size(); ++p) {
    const PartitionSample& at = topic.partitions[p];
    const State state = state_of(at);
    const auto kept = [&](std::uint64_t level) {
      return topic.persisted ? offset(level) : Field::none();
    };
    table.lines.push_back(
        {{Field::of_text(topic.name), count(p), rate(facts.partitions[p].records),
          byte_rate(facts.partitions[p].bytes), percent(at.fill), offset(at.first_offset),
          offset(at.committed), kept(at.written), kept(at.durable),
          Field::of_number(compact_bytes(static_cast<double>(at.log_bytes)),
                           static_cast<double>(at.log_bytes)),
          Field::of_text(state.text)},
         state.mood});
  }
}

Mood mood_of(const HandleSample& handle) {
  return handle.process == "stopped" || handle.process == "dead" ? Mood::bad : Mood::well;
}

void add_handles(Table& table, const TopicSample& topic, const TopicFacts& facts,
                 layout::Role role) {
  for (std::size_t i = 0; i < topic.handles.size(); ++i) {
    const HandleSample& handle = topic.handles[i];
    if (handle.role != role) continue;
    std::vector<Field> fields{Field::of_text(topic.name),
                              handle.attached() ? count(handle.pid) : Field::none(),
                              Field::of_text(handle.attached() ? handle.user : "-")};
    if (role == layout::Role::consumer) {
      fields.push_back(Field::of_text(handle.cursor.empty() ? "-" : handle.cursor));
      fields.push_back(rate(facts.handles[i].records));
      fields.push_back(lag(handle.lag));
      fields.push_back(Field::of_text(!handle.attached() ? "-"
                                      : handle.copies    ? "copies"
                                                         : "in place"));
    } else {
      fields.push_back(Field::of_text(handle.exclusive ? "exclusive" : "shared"));
    }
    fields.push_back(
        Field::of_text(handle.attached() ? std::string(handle.process) : "not attached"));
    table.lines.push_back({std::move(fields), mood_of(handle)});
  }
}

bool before(const Field& a, const Field& b) {
  if (a.numeric && b.numeric) return a.number > b.number;
  return a.text < b.text;
}

}  // namespace

std::string_view name_of(Kind kind) {
  return kNames[static_cast<std::size_t>(kind)];
}

std::vector<Heading> headings_of(Kind kind) {
  switch (kind) {
    case Kind::topics:
      return {{"TOPIC"},         {"REC/S", true},        {"BYTES/S", true, 3}, {"LAG", true},
              {"FILL", true},    {"COMMITTED", true, 2}, {"DURABLE", true, 1}, {"PARTS", true, 4},
              {"STATE", false}};
    case Kind::partitions:
      return {{"TOPIC"},          {"P", true},         {"REC/S", true},     {"BYTES/S", true, 3},
              {"FILL", true},     {"FIRST", true, 5},  {"COMMITTED", true}, {"WRITTEN", true, 4},
              {"DURABLE", true, 1}, {"LOG", true, 2},  {"STATE", false}};
    case Kind::consumers:
      return {{"TOPIC"},      {"PID", true}, {"USER", false, 2},  {"CURSOR", false, 1},
              {"REC/S", true}, {"LAG", true}, {"READS", false, 3}, {"PROCESS", false}};
    case Kind::producers:
      break;
  }
  return {{"TOPIC"}, {"PID", true}, {"USER", false, 2}, {"MODE", false, 1}, {"PROCESS", false}};
}

Table table_of(const History& history, const Choice& choice) {
  Table table{headings_of(choice.kind), {}, choice.kind == Kind::topics};
  const std::vector<TopicSample>& topics = history.sample().topics;
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const TopicSample& topic = topics[t];
    if (topic.name.find(choice.filter) == std::string::npos) continue;
    const TopicFacts& facts = history.facts(t);
    switch (choice.kind) {
      case Kind::topics:
        add_topic(table, topic, facts);
        break;
      case Kind::partitions:
        add_partitions(table, topic, facts);
        break;
      case Kind::consumers:
        add_handles(table, topic, facts, layout::Role::consumer);
        break;
      case Kind::producers:
        add_handles(table, topic, facts, layout::Role::producer);
        break;
    }
  }
  const std::size_t column = std::min(choice.sort, table.headings.size() - 1);
  std::vector<std::size_t> order(table.lines.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    const Field& first = table.lines[choice.reversed ? b : a].fields[column];
    const Field& second = table.lines[choice.reversed ? a : b].fields[column];
    if (before(first, second)) return true;
    return !before(second, first) && a < b;
  });
  std::vector<Line> sorted;
  for (const std::size_t at : order) sorted.push_back(std::move(table.lines[at]));
  table.lines = std::move(sorted);
  return table;
}

}  // namespace ringway::cli::top
