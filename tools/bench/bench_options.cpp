#include "tools/bench/bench_options.hpp"

#include <signal.h>

#include "tools/number_option.hpp"
#include "tools/quantity.hpp"
#include "tools/stage/disk_place.hpp"
#include "tools/stage/interruption.hpp"
#include "tools/stage/private_bus.hpp"

namespace ringway::cli {

void BenchOptions::add_to(CLI::App& verb, const std::string& times_flag,
                          const std::string& times_about) {
  add_number(verb, times_flag, times, times_about, {1, 1'000'000})->capture_default_str();
  add_number(verb, "--runs", runs, "How often to do all of it, on a bus made anew", {1, 1000})
      ->capture_default_str();
  add_ring_to(verb);
  add_daemon_to(verb);
}

void BenchOptions::add_ring_to(CLI::App& verb) {
  const char* const about = ring.empty()
                                ? "Bytes of ring per partition (default: a topic's default)"
                                : "Bytes of ring per partition";
  verb.add_option("--ring", ring, about)->type_name("SIZE")->capture_default_str();
}

void BenchOptions::add_daemon_to(CLI::App& verb) {
  verb.add_option("--daemon", daemon_path, "The ringwayd to run (default: the one beside ringway)")
      ->type_name("PATH");
}

void BenchOptions::add_shape_to(CLI::App& verb, TrafficShape& shape) {
  add_number(verb, "--topics", shape.topics, "Topics on the bus", {1, 10'000})
      ->capture_default_str();
  add_number(verb, "--partitions", shape.partitions, "Partitions of each", {1, 10'000})
      ->capture_default_str();
}

std::filesystem::path BenchOptions::daemon() const {
  return daemon_path.empty() ? nearby_daemon() : std::filesystem::path(daemon_path);
}

std::filesystem::path BenchOptions::place() const {
  return choose_disk_place().path;
}

TopicChoices BenchOptions::topic_choices() const {
  TopicChoices choices;
  if (!ring.empty()) choices.ring_bytes = parse_size("--ring", ring);
  return choices;
}

std::uint64_t BenchOptions::ring_bytes() const {
  return topic_choices().ring_bytes.value_or(TopicSettings{}.ring_bytes);
}

void BenchOptions::describe_topics(Json& settings) const {
  settings["ring_bytes"] = ring_bytes();
  settings["topic"] = "default, persisted";
}

Exit as_bench(const std::function<Exit()>& bench) {
  remember_signals();
  try {
    return bench();
  } catch (const Interrupted& interrupted) {
    // Everything of the bus is cleaned up by now.
    ::signal(interrupted.signal, SIG_DFL);
    ::raise(interrupted.signal);
    return Exit::error;
  }
}

}  // namespace ringway::cli
