#include "tools/shown_settings.hpp"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "control/topic_settings.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli {
namespace {

Cell accounts(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
  return {text.empty() ? "-" : text, names};
}

Cell limit(std::uint64_t value, std::string shown) {
  return {value == 0 ? "no limit" : std::move(shown), value};
}

}  // namespace

std::vector<ShownSetting> shown_settings(const TopicSettings& settings) {
  using std::chrono::milliseconds;
  std::vector<ShownSetting> shown;
  const auto add = [&](const char* heading, const char* name, Cell cell) {
    shown.push_back({heading, name, std::move(cell)});
  };
  add("Partitions", "partitions", Cell::of_number(settings.partitions));
  add("Ring", "ring_bytes", Cell::of_bytes(settings.ring_bytes));
  const std::uint64_t half_ring = settings.ring_bytes / 2;  // so that any record fits
  add("Segment", "segment_bytes",
      {settings.segment_bytes < half_ring
           ? fmt::format("{} (holds {}, half the ring)", format_size(settings.segment_bytes),
                         format_size(half_ring))
           : format_size(settings.segment_bytes),
       settings.segment_bytes});
  add("Sync", "sync", Cell::of_text(std::string(control::to_string(settings.sync))));
  add("Sync interval", "sync_interval_ms",
             {format_duration(milliseconds(settings.sync_interval_ms)), settings.sync_interval_ms});
  add("Sync after", "sync_bytes", Cell::of_bytes(settings.sync_bytes));
  add("Persist", "persist", Cell::of_truth(settings.persist));
  add("When full", "when_full",
             Cell::of_text(std::string(control::to_string(settings.when_full))));
  add("Retention bytes", "retention_bytes",
             limit(settings.retention_bytes, format_size(settings.retention_bytes)));
  add(
      "Retention age", "retention_age_ms",
      limit(settings.retention_age_ms, format_duration(milliseconds(settings.retention_age_ms))));
  add("When stopped", "when_stopped",
             Cell::of_text(std::string(control::to_string(settings.when_stopped))));
  add("Stopped after", "stopped_after_ms",
             {format_duration(milliseconds(settings.stopped_after_ms)), settings.stopped_after_ms});
  add("Pin budget", "pin_budget_ms",
             limit(settings.pin_budget_ms, format_duration(milliseconds(settings.pin_budget_ms))));
  const std::uint64_t rings = settings.ring_bytes * settings.partitions;
  add("Retired max", "retired_bytes_max",
             {settings.retired_bytes_max == 0
                  ? fmt::format("{} (four times its rings)", format_size(4 * rings))
                  : format_size(settings.retired_bytes_max),
              settings.retired_bytes_max});
  add("When pinned", "when_pinned",
             Cell::of_text(std::string(control::to_string(settings.when_pinned))));
  add("When disk fails", "when_disk_fails",
             Cell::of_text(std::string(control::to_string(settings.when_disk_fails))));
  add("Readers", "readers", accounts(settings.readers));
  add("Writers", "writers", accounts(settings.writers));
  add("Admins", "admins", accounts(settings.admins));
  return shown;
}

}  // namespace ringway::cli
