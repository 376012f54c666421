#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "client/administration.hpp"
#include "client/topic_memory.hpp"
#include "control/topic_settings.hpp"
#include "shm/uuid.hpp"
#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/partition_facts.hpp"
#include "tools/quantity.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs/verbs.hpp"

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

Report settings_report(const TopicSettings& settings) {
  using std::chrono::milliseconds;
  Report report;
  report.add("Partitions", "partitions", Cell::of_number(settings.partitions));
  report.add("Ring", "ring_bytes", Cell::of_bytes(settings.ring_bytes));
  report.add("Segment", "segment_bytes", Cell::of_bytes(settings.segment_bytes));
  report.add("Sync", "sync", Cell::of_text(std::string(control::to_string(settings.sync))));
  report.add("Sync interval", "sync_interval_ms",
             {format_duration(milliseconds(settings.sync_interval_ms)), settings.sync_interval_ms});
  report.add("Sync after", "sync_bytes", Cell::of_bytes(settings.sync_bytes));
  report.add("Persist", "persist", Cell::of_truth(settings.persist));
  report.add("When full", "when_full",
             Cell::of_text(std::string(control::to_string(settings.when_full))));
  report.add("Retention bytes", "retention_bytes",
             limit(settings.retention_bytes, format_size(settings.retention_bytes)));
  report.add(
      "Retention age", "retention_age_ms",
      limit(settings.retention_age_ms, format_duration(milliseconds(settings.retention_age_ms))));
  report.add("When stopped", "when_stopped",
             Cell::of_text(std::string(control::to_string(settings.when_stopped))));
  report.add("Stopped after", "stopped_after_ms",
             {format_duration(milliseconds(settings.stopped_after_ms)), settings.stopped_after_ms});
  report.add("Pin budget", "pin_budget_ms",
             limit(settings.pin_budget_ms, format_duration(milliseconds(settings.pin_budget_ms))));
  const std::uint64_t rings = settings.ring_bytes * settings.partitions;
  report.add("Retired max", "retired_bytes_max",
             {settings.retired_bytes_max == 0
                  ? fmt::format("{} (four times its rings)", format_size(4 * rings))
                  : format_size(settings.retired_bytes_max),
              settings.retired_bytes_max});
  report.add("When pinned", "when_pinned",
             Cell::of_text(std::string(control::to_string(settings.when_pinned))));
  report.add("When disk fails", "when_disk_fails",
             Cell::of_text(std::string(control::to_string(settings.when_disk_fails))));
  report.add("Readers", "readers", accounts(settings.readers));
  report.add("Writers", "writers", accounts(settings.writers));
  report.add("Admins", "admins", accounts(settings.admins));
  return report;
}

/// pwrite is what the supervisor falls back to.
Cell log_writer(const nlohmann::json& details) {
  const std::string name = details.value("log_writer", "");
  if (name.empty()) return Cell::none();
  return {name == "io_uring" ? name : name + ", as the kernel refuses io_uring", name};
}

Exit describe(const std::string& topic, const Common& common) {
  Bus bus = connect(common);
  Administration administration(bus);
  control::TopicDescription description;
  std::shared_ptr<TopicMemory> memory;
  try {
    description = administration.describe(topic);
    memory = administration.memory(topic);
  } catch (const Error& error) {
    throw advised(error, topic);
  }
  const auto state =
      static_cast<layout::TopicState>(memory->board().state.load(std::memory_order::acquire));
  Rows partitions(partition_columns());
  for (std::uint32_t p = 0; p < memory->partitions(); ++p) {
    partitions.add(partition_cells(partition_facts(memory->view(p), state, p)));
  }
  Report report;
  report.add("Topic", "topic", Cell::of_text(topic));
  report.add("UUID", "uuid", Cell::of_text(shm::to_string(description.uuid)));
  const auto pid = description.details.value("exclusive_pid", std::uint64_t{0});
  report.add("Exclusive producer", "exclusive_pid",
             pid == 0 ? Cell::none() : Cell{fmt::format("pid {}", pid), pid});
  report.add("Log written by", "log_writer", log_writer(description.details));
  report.add("PARTITIONS", "partitions", std::move(partitions));
  report.add("SETTINGS", "settings", settings_report(description.settings));
  static_cast<void>(
      write_all(STDOUT_FILENO, report.render(common.format, style_of(STDOUT_FILENO))));
  return Exit::ok;
}

}  // namespace

void add_topic_describe(CommandLine& line) {
  const auto topic = std::make_shared<std::string>();
  CLI::App& verb =
      line.verb({.noun = "topic",
                 .name = "describe",
                 .why = "Show how far each partition of a topic is, and its settings. Needs the "
                        "right to read it.",
                 .examples = "  ringway topic describe orders --output json"},
                [topic](const Common& common) { return describe(*topic, common); });
  verb.add_option("TOPIC", *topic, "Topic to describe")->required();
}

}  // namespace ringway::cli
