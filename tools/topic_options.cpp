#include "tools/topic_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>

#include "ringway/error.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli {
namespace {

SyncPolicy parse_sync(const std::string& text) {
  if (text == "every_batch") return SyncPolicy::every_batch;
  if (text == "interval") return SyncPolicy::interval;
  if (text == "never") return SyncPolicy::never;
  throw Error(ErrorCode::usage, "--sync '" + text + "'", "no such policy",
              "write every_batch, interval or never");
}

WhenFull parse_when_full(const std::string& text) {
  if (text == "block") return WhenFull::block;
  if (text == "overwrite") return WhenFull::overwrite;
  throw Error(ErrorCode::usage, "--when-full '" + text + "'", "no such behaviour",
              "write block or overwrite");
}

WhenStopped parse_when_stopped(const std::string& text) {
  if (text == "wait") return WhenStopped::wait;
  if (text == "fence") return WhenStopped::fence;
  if (text == "kill") return WhenStopped::kill;
  throw Error(ErrorCode::usage, "--when-stopped '" + text + "'", "no such behaviour",
              "write wait, fence or kill");
}

WhenPinned parse_when_pinned(const std::string& text) {
  if (text == "wait") return WhenPinned::wait;
  if (text == "copy") return WhenPinned::copy;
  if (text == "kill") return WhenPinned::kill;
  throw Error(ErrorCode::usage, "--when-pinned '" + text + "'", "no such behaviour",
              "write wait, copy or kill");
}

WhenDiskFails parse_when_disk_fails(const std::string& text) {
  if (text == "wait") return WhenDiskFails::wait;
  if (text == "memory") return WhenDiskFails::memory;
  throw Error(ErrorCode::usage, "--when-disk-fails '" + text + "'", "no such behaviour",
              "write wait or memory");
}

std::uint64_t parse_milliseconds(const char* flag, const std::string& text) {
  const auto length = parse_duration(flag, text);
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(length);
  if (whole != length) {
    throw Error(ErrorCode::usage, std::string(flag) + " '" + text + "'",
                "is no whole number of milliseconds", "write one, e.g. 5ms");
  }
  return static_cast<std::uint64_t>(whole.count());
}

/// The supervisor says what is too much.
std::uint32_t parse_milliseconds32(const char* flag, const std::string& text) {
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(parse_milliseconds(flag, text), UINT32_MAX));
}

}  // namespace

TopicChoices choices_of(const TopicOptions& options) {
  TopicChoices choices;
  choices.partitions = options.partitions;
  if (!options.ring.empty()) choices.ring_bytes = parse_size("--ring", options.ring);
  if (!options.segment.empty()) choices.segment_bytes = parse_size("--segment", options.segment);
  if (!options.sync.empty()) choices.sync = parse_sync(options.sync);
  if (!options.sync_interval.empty()) {
    choices.sync_interval_ms = parse_milliseconds32("--sync-interval", options.sync_interval);
  }
  if (!options.sync_bytes.empty()) {
    choices.sync_bytes = parse_size("--sync-bytes", options.sync_bytes);
  }
  if (choices.sync && *choices.sync != SyncPolicy::interval) {
    const bool waits = choices.sync_interval_ms.has_value();
    if (waits || choices.sync_bytes) {
      throw Error(ErrorCode::usage, waits ? "--sync-interval" : "--sync-bytes",
                  fmt::format("counts for --sync interval, not for {}", options.sync),
                  "leave it out, or choose --sync interval");
    }
  }
  if (!options.when_stopped.empty())
    choices.when_stopped = parse_when_stopped(options.when_stopped);
  if (!options.stopped_after.empty()) {
    choices.stopped_after_ms = parse_milliseconds32("--stopped-after", options.stopped_after);
  }
  if (!options.pin_budget.empty()) {
    choices.pin_budget_ms = parse_milliseconds32("--pin-budget", options.pin_budget);
  }
  if (!options.retired_max.empty()) {
    choices.retired_bytes_max = parse_size("--retired-max", options.retired_max);
  }
  if (!options.when_pinned.empty()) choices.when_pinned = parse_when_pinned(options.when_pinned);
  if (!options.when_disk_fails.empty()) {
    choices.when_disk_fails = parse_when_disk_fails(options.when_disk_fails);
  }
  if (options.no_persist) choices.persist = false;
  if (!options.when_full.empty()) choices.when_full = parse_when_full(options.when_full);
  if (!options.retention_bytes.empty()) {
    choices.retention_bytes = parse_size("--retention-bytes", options.retention_bytes);
  }
  if (!options.retention_age.empty()) {
    choices.retention_age_ms = parse_milliseconds("--retention-age", options.retention_age);
  }
  choices.readers = options.readers;
  choices.writers = options.writers;
  choices.admins = options.admins;
  return choices;
}

Error named_by_flag(const Error& error) {
  constexpr std::string_view kSetting = "topic setting ";
  constexpr std::array<std::pair<std::string_view, const char*>, 19> kFlags{{
      {"partitions", "--partitions"},
      {"ring_bytes", "--ring"},
      {"segment_bytes", "--segment"},
      {"sync", "--sync"},
      {"sync_interval_ms", "--sync-interval"},
      {"sync_bytes", "--sync-bytes"},
      {"persist", "--no-persist"},
      {"when_full", "--when-full"},
      {"retention_bytes", "--retention-bytes"},
      {"retention_age_ms", "--retention-age"},
      {"when_stopped", "--when-stopped"},
      {"stopped_after_ms", "--stopped-after"},
      {"pin_budget_ms", "--pin-budget"},
      {"retired_bytes_max", "--retired-max"},
      {"when_pinned", "--when-pinned"},
      {"when_disk_fails", "--when-disk-fails"},
      {"readers", "--read"},
      {"writers", "--write"},
      {"admins", "--admin"},
  }};
  if (!error.thing().starts_with(kSetting)) return error;
  const auto known =
      std::ranges::find(kFlags, std::string_view(error.thing()).substr(kSetting.size()),
                        &std::pair<std::string_view, const char*>::first);
  if (known == kFlags.end()) return error;
  return Error(error.code(), known->second, error.rule(), error.fix());
}

void add_accounts(CLI::App& verb, const char* flag, std::vector<std::string>& into,
                  const std::string& about) {
  verb.add_option(flag, into, about)->type_name("U,@G")->delimiter(',')->allow_extra_args(false);
}

void add_alterable(CLI::App& verb, TopicOptions& options, LeftOut left_out) {
  const auto add = [&](const char* flag, std::string& into, const char* type, std::string about,
                       const char* by_default) {
    if (left_out == LeftOut::has_default) about += fmt::format(" (default {})", by_default);
    verb.add_option(flag, into, about)->type_name(type);
  };
  add("--ring", options.ring, "SIZE", "Shared memory of each partition, a power of two from 64KiB",
      "16MiB");
  add("--segment", options.segment, "SIZE",
      "What a file of its log holds, from 256KiB; half the ring where that is more", "256MiB");
  add("--sync", options.sync, "every_batch|interval|never",
      "When written records are synced", "interval");
  add("--sync-interval", options.sync_interval, "DUR",
      "How long a record may wait for --sync interval", "5ms");
  add("--sync-bytes", options.sync_bytes, "SIZE",
      "How much of a partition may wait for --sync interval, from 4KiB", "4MiB");
  add("--retention-bytes", options.retention_bytes, "SIZE",
      "Remove the oldest segments of a partition beyond this; 0: keep all that there is room for",
      "0");
  add("--retention-age", options.retention_age, "DUR",
      "Remove segments that are older than this, never the newest; 0s: keep all that there is "
      "room for",
      "0s");
  add("--when-stopped", options.when_stopped, "wait|fence|kill",
      "What is done about a producer that is alive but stands still in mid-claim: wait for it, "
      "fence it (the ring is replaced without its claim) or kill it",
      "wait");
  add("--stopped-after", options.stopped_after, "DUR",
      "How long a claim may stand still before --when-stopped is done", "5s");
  add("--pin-budget", options.pin_budget, "DUR",
      "How long a consumer's records held in place may keep producers of a persisted topic "
      "waiting before they get another ring; 0s: as long as it likes",
      "1s");
  add("--retired-max", options.retired_max, "SIZE",
      "How much of replaced rings consumers may hold in place; 0: four times the topic's rings; "
      "less than its rings: none is left to them",
      "0");
  add("--when-pinned", options.when_pinned, "wait|copy|kill",
      "What is done about a consumer beyond --pin-budget where --retired-max allows no other "
      "ring: wait for it, give it copies instead from its next poll on (copy), or kill it",
      "wait");
  add("--when-disk-fails", options.when_disk_fails, "wait|memory",
      "What a persisted topic does while its disk is full or fails: let producers wait, or go on "
      "in memory, leaving what its ring cannot keep out of the log",
      "wait");
}

}  // namespace ringway::cli
