#include "tools/bench/suite.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "tools/quantity.hpp"
#include "tools/stage/interruption.hpp"

namespace ringway::cli {
namespace {

std::vector<std::string> words_of(const std::string& command) {
  std::istringstream stream(command);
  return {std::istream_iterator<std::string>(stream), {}};
}

std::string command_of(const std::vector<std::string>& words) {
  std::string command = "ringway bench";
  for (const std::string& word : words) command += " " + word;
  return command;
}

void set_flag(std::vector<std::string>& words, const Override& flag) {
  const auto at = std::find(words.begin(), words.end(), flag.first);
  if (at != words.end()) {
    *(at + 1) = flag.second;
  } else {
    words.insert(words.end(), {flag.first, flag.second});
  }
}

const Benchmark& find(const std::vector<Benchmark>& benchmarks, const std::string& verb) {
  const auto at = std::ranges::find(benchmarks, verb, &Benchmark::verb);
  if (at != benchmarks.end()) return *at;
  throw Error(ErrorCode::failed, "bench " + verb, "is in the plan and no verb", "");
}

void refuse_more(const std::string& what, std::uint64_t bytes, std::uint64_t most) {
  if (bytes <= most) return;
  throw Error(ErrorCode::usage, "bench all",
              fmt::format("this would {} up to {}, more than {}", what, format_size(bytes),
                          format_size(most)),
              "take fewer --bytes, less --time or fewer --runs");
}

Json row_json(const BenchRow& row, const std::string& command) {
  Json json = row.json();
  json["command"] = command;
  return json;
}

}  // namespace

Suite::Suite(const std::vector<Benchmark>& benchmarks, const std::vector<std::string>& plan,
             const std::vector<Override>& overrides) {
  for (const std::string& planned : plan) {
    std::vector<std::string> words = words_of(planned);
    CLI::App verb;
    const Configure configure = find(benchmarks, words.front()).add_flags(verb);
    for (const Override& each : overrides) {
      if (verb.get_option_no_throw(each.first) != nullptr) set_flag(words, each);
    }
    const std::string command = command_of(words);
    try {
      verb.parse(std::vector<std::string>(words.rbegin(), words.rend() - 1));  // last one first
      pieces_.push_back({command, configure()});
    } catch (const Error& error) {
      throw Error(error.code(), error.thing(), fmt::format("{} (of {})", error.rule(), command),
                  error.fix());
    } catch (const CLI::ParseError& refusal) {
      throw Error(ErrorCode::failed, command, refusal.what(), "");
    }
    const Demand& one = pieces_.back().configured.demand;
    refuse_more("hold", one.disk_bytes + one.memory_bytes + kSuiteSpareMax, kSuiteHeldMax);
  }
  refuse_more("write", still_to_write(0), kSuiteWrittenMax);
}

Demand Suite::demand() const noexcept {
  Demand all{.written_bytes = still_to_write(0)};
  for (const Piece& piece : pieces_) {
    const Demand& one = piece.configured.demand;
    all.disk_bytes = std::max(all.disk_bytes, one.disk_bytes);
    all.memory_bytes = std::max(all.memory_bytes, one.memory_bytes);
  }
  all.disk_bytes += kSuiteSpareMax;
  return all;
}

std::uint64_t Suite::still_to_write(std::size_t at) const noexcept {
  std::uint64_t bytes = 0;
  for (; at < pieces_.size(); ++at) bytes += pieces_[at].configured.demand.written_bytes;
  return bytes;
}

SuiteRows Suite::measure(std::chrono::nanoseconds within,
                         const std::function<void(std::size_t, const std::string&)>& about_to) {
  const Deadline deadline(within);
  const std::uint64_t before = bytes_written().value_or(0);
  SuiteRows all;
  Json& rows = all.rows;
  for (std::size_t at = 0; at < pieces_.size(); ++at) {
    const auto& [command, configured] = pieces_[at];
    const auto leave_out = [&](std::string why) {
      rows.push_back(row_json(not_measured(configured, std::move(why)), command));
    };
    const std::uint64_t written = bytes_written().value_or(0) - before;
    const std::uint64_t spoken_for = written + still_to_write(at);
    const std::uint64_t spared = spoken_for < kSuiteWrittenMax
                                     ? std::min(kSuiteWrittenMax - spoken_for, kSuiteSpareMax)
                                     : 0;
    Spare spare(spared);
    if (written + configured.demand.written_bytes > kSuiteWrittenMax) {
      leave_out(fmt::format("{} are written, and this takes up to {}", format_size(written),
                            format_size(configured.demand.written_bytes)));
      continue;
    }
    try {
      check_interrupted();
      about_to(at, command);
      const BenchRows measured = rows_of(configured, spare);
      const Json of_all{{"bytes", bytes_written().value_or(0) - before - written},
                        {"most", configured.demand.written_bytes + spared - spare.bytes()}};
      for (const BenchRow& row : measured) {
        rows.push_back(row_json(row, command));
        rows.back()["written"] = of_all;
      }
    } catch (const Interrupted& interrupted) {
      if (interrupted.signal != Deadline::kSignal) throw;
      leave_out(fmt::format("{} were over", format_duration(within)));
    } catch (const Error& error) {
      const Error named(error.code(), command,
                        fmt::format("{}: {}", error.thing(), error.rule()), error.fix());
      leave_out(fmt::format("{}: {}", error.thing(), error.rule()));
      if (!all.failure) all.failure = named;
    }
  }
  return all;
}

std::optional<std::uint64_t> bytes_written() {
  std::ifstream file("/proc/self/io");
  std::string name;
  std::uint64_t value = 0;
  while (file >> name >> value) {
    if (name == "write_bytes:") return value;
  }
  return std::nullopt;
}

}  // namespace ringway::cli
