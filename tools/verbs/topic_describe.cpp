#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "client/administration.hpp"
#include "client/topic_memory.hpp"
#include "shm/uuid.hpp"
#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/partition_facts.hpp"
#include "tools/shown_settings.hpp"
#include "tools/terminal.hpp"
#include "tools/topic_error.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

/// pwrite is what the supervisor falls back to.
Cell log_writer(const nlohmann::json& details) {
  const std::string name = details.value("log_writer", "");
  if (name.empty()) return Cell::none();
  return {name == "io_uring" ? name : name + ", as the kernel refuses io_uring", name};
}

Report settings_report(const TopicSettings& settings) {
  Report report;
  for (ShownSetting& setting : shown_settings(settings)) {
    report.add(std::move(setting.heading), std::move(setting.name), std::move(setting.cell));
  }
  return report;
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
