#include "tools/bench/comparison_options.hpp"

#include <fmt/format.h>

#include "tools/bench/content.hpp"
#include "tools/bench/result.hpp"
#include "tools/number_option.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli {
namespace {

constexpr std::chrono::milliseconds kLengthMin{10};
constexpr std::uint64_t kRecordSizeMax = 16 << 20;

}  // namespace

void ComparisonOptions::add_to(CLI::App& verb) {
  add_number(verb, "--runs", runs,
             "How often to measure both sides in turn; below the default nothing is judged",
             {1, 1000})
      ->capture_default_str();
  verb.add_option("--time", time, "How long each side is measured in each of them")
      ->type_name("DUR")
      ->capture_default_str();
  bus.add_ring_to(verb);
}

std::chrono::nanoseconds ComparisonOptions::length() const {
  const auto length = parse_duration("--time", time);
  if (length >= kLengthMin) return length;
  throw Error(ErrorCode::usage, fmt::format("--time {}", time), "is too short to measure anything",
              "take 10ms or more");
}

TopicChoices ComparisonOptions::memory_topic() const {
  TopicChoices choices = bus.topic_choices();
  choices.persist = false;
  choices.when_full = WhenFull::block;
  return choices;
}

Demand ComparisonOptions::memory_demand() const {
  return {.written_bytes = kWrittenPerBus, .memory_bytes = 4 * bus.ring_bytes()};
}

Json ComparisonOptions::settings(const CpuPair& cpus) const {
  Json settings = bench_settings();
  settings["pinned"] = Json::array({cpus.first, cpus.second});
  settings["time_ms"] = std::chrono::duration<double, std::milli>(length()).count();
  return settings;
}

void ComparisonOptions::describe_memory_topic(Json& settings) const {
  settings["ring_bytes"] = bus.ring_bytes();
  settings["topic"] = "not persisted, blocks when full, else default";
}

void add_record_size_to(CLI::App& verb, std::string& size) {
  verb.add_option("--size", size, "Bytes of each record's value")
      ->type_name("SIZE")
      ->capture_default_str();
}

std::uint64_t parse_record_size(const std::string& text) {
  const std::uint64_t size = parse_size("--size", text);
  if (size != 0 && size % content::kGranule == 0 && size <= kRecordSizeMax) return size;
  throw Error(ErrorCode::usage, fmt::format("--size {}", text),
              "a benchmark's records have a multiple of 16 bytes, up to 16 MiB", "take 64, or 1K");
}

std::vector<Comparison> not_measured(std::string name, std::string about, std::string why) {
  Comparison row;
  row.name = std::move(name);
  row.about = std::move(about);
  row.settings = bench_settings();
  row.not_measured = std::move(why);
  return {std::move(row)};
}

}  // namespace ringway::cli
