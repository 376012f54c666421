#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "client/administration.hpp"
#include "tools/bus_access.hpp"
#include "tools/command_line.hpp"
#include "tools/pause.hpp"
#include "tools/quantity.hpp"
#include "tools/redrawn_block.hpp"
#include "tools/service_state.hpp"
#include "tools/stop_signal.hpp"
#include "tools/terminal.hpp"
#include "tools/timestamp.hpp"
#include "tools/verbs/verbs.hpp"
#include "tools/watch_interval.hpp"

namespace ringway::cli {
namespace {

using Said = nlohmann::json;

// A supervisor of another version may leave fields out, or say more: JSON passes on all of it, and
// people see what is known here.

std::uint64_t number(const Said& said, const char* object, const char* name) {
  const Said inner = said.value(object, Said::object());
  return inner.value(name, std::uint64_t{0});
}

/// Whose life the rings hang on.
std::string holder(const Said& said) {
  const auto kind = said.value("rings_held_by", "unknown");
  if (kind == "keeper") return fmt::format("keeper, pid {}", said.value("keeper", std::int64_t{0}));
  return kind == "service" ? "service manager" : kind == "process" ? "supervisor" : kind;
}

std::string render(const Said& said) {
  Report report;
  report.add("State", "state", Cell::of_text(said.value("state", "unknown")));
  report.add("Version", "version", Cell::of_text(said.value("version", "unknown")));
  report.add("Supervisor", "pid",
             Cell::of_text(fmt::format(
                 "pid {}, up {}", said.value("pid", 0),
                 format_duration(std::chrono::seconds(said.value("uptime_s", std::int64_t{0}))))));
  report.add("Rings held by", "rings_held_by", Cell::of_text(holder(said)));
  report.add("Directories", "state_dir",
             Cell::of_text(fmt::format("{} (state), {} (sockets)", said.value("state_dir", "-"),
                                       said.value("runtime_dir", "-"))));
  report.add("Topics", "topics", Cell::of_number(said.value("topics", std::uint64_t{0})));
  report.add("Memory for rings", "memory",
             Cell::of_text(fmt::format("{} of {}", format_size(number(said, "memory", "used")),
                                       format_size(number(said, "memory", "limit")))));
  report.add("Disk", "disk",
             Cell::of_text(fmt::format("{} free of {}", format_size(number(said, "disk", "free")),
                                       format_size(number(said, "disk", "total")))));
  const std::uint64_t producers = number(said, "killed", "producers");
  const std::uint64_t consumers = number(said, "killed", "consumers");
  if (producers + consumers != 0) {
    report.add("Killed by policy", "killed",
               Cell::of_text(fmt::format("{}, {}", counted(producers, "producer"),
                                         counted(consumers, "consumer"))));
  }
  std::string without;
  for (const Said& feature : said.value("without", Said::array())) {
    if (feature.is_string()) without += (without.empty() ? "" : ", ") + feature.get<std::string>();
  }
  if (!without.empty()) report.add("Kernel lacks", "without", Cell::of_text(without));
  Rows clients{{"PID", "pid", Align::right},
               {"USER", "user"},
               {"CLIENT", "client"},
               {"VERSION", "version"},
               {"HANDLES", "handles", Align::right},
               {"CONNECTED", "connected"}};
  for (const Said& session : said.value("sessions", Said::array())) {
    clients.add({Cell::of_number(session.value("pid", std::uint64_t{0})),
                 Cell::of_text(session.value("user", "")),
                 Cell::of_text(session.value("client", "")),
                 Cell::of_text(session.value("version", "unknown")),
                 Cell::of_number(session.value("handles", std::uint64_t{0})),
                 Cell::of_truth(session.value("connected", false))});
  }
  if (!clients.empty()) report.add("CLIENTS", "sessions", std::move(clients));
  Rows exclusive{{"TOPIC", "topic"}, {"PRODUCED EXCLUSIVELY BY", "exclusive_pid"}};
  for (const Said& topic : said.value("exclusive", Said::array())) {
    exclusive.add({Cell::of_text(topic.value("topic", "")),
                   Cell::of_text(fmt::format("pid {}", topic.value("exclusive_pid", 0)))});
  }
  if (!exclusive.empty()) report.add("EXCLUSIVE", "exclusive", std::move(exclusive));
  Rows copying{{"TOPIC", "topic"}, {"GIVEN COPIES", "pid"}};
  for (const Said& consumer : said.value("copying", Said::array())) {
    copying.add({Cell::of_text(consumer.value("topic", "")),
                 Cell::of_text(fmt::format("pid {}", consumer.value("pid", 0)))});
  }
  if (!copying.empty()) report.add("COPYING", "copying", std::move(copying));
  Rows trouble{{"WHAT NEEDS ATTENTION", "degraded"}};
  for (const Said& what : said.value("degraded", Said::array())) {
    trouble.add({Cell::of_text(what.is_string() ? what.get<std::string>() : what.dump())});
  }
  if (!trouble.empty()) report.add("DEGRADED", "degraded", std::move(trouble));
  std::string more;
  const Said left_out = said.value("left_out", Said::object());
  for (const auto& [list, noun] : std::initializer_list<std::pair<const char*, const char*>>{
           {"sessions", "client"},
           {"exclusive", "exclusive producer"},
           {"copying", "copying consumer"},
           {"degraded", "trouble"}}) {
    const auto count = left_out.value(list, std::uint64_t{0});
    if (count != 0) more += (more.empty() ? "" : ", ") + counted(count, noun);
  }
  if (!more.empty()) report.add("Not shown", "left_out", Cell::of_text(more));
  return report.render(Format::table, style_of(STDOUT_FILENO));
}

std::string line_of(const Said& said, int indent) {
  return said.dump(indent, ' ', false, Said::error_handler_t::replace) + "\n";
}

bool passes(const Error& error) {
  return error.code() == ErrorCode::unavailable || error.code() == ErrorCode::timeout;
}

/// Why nobody answers, where more is to be seen than that.
Error explained(const Error& error, const Common& common) {
  const Remedy remedy = remedy_of(service_state(common));
  if (remedy.cause.empty()) return error;
  return Error(error.code(), error.thing(), fmt::format("{}: {}", error.rule(), remedy.cause),
               remedy.fix);
}

Said ask(const Common& common) {
  try {
    Bus bus = connect(common, "");
    return Administration(bus).status();
  } catch (const Error& error) {
    if (!passes(error)) throw;
    throw explained(error, common);
  }
}

Exit status(const Common& common) {
  const Said said = ask(common);
  const std::string text = common.format == Format::table
                               ? render(said)
                               : line_of(said, common.format == Format::json ? 2 : -1);
  static_cast<void>(write_all(STDOUT_FILENO, text));
  return said.value("state", "unknown") == "serving" ? Exit::ok : Exit::degraded;
}

struct StatusOptions {
  bool watch = false;
  std::string interval;
};

/// What is said while nobody answers; the next look may find somebody.
Said unreachable(const Error& error, Format format) {
  const Said line = Said::parse(error_line(error, Format::jsonl));
  return {{"state", "unreachable"},
          {"error", format == Format::table ? Said(error.what()) : line["error"]}};
}

/// One look; never throws for a supervisor that is away, stopped or being replaced.
Said look(std::optional<Bus>& bus, const Common& common) {
  try {
    if (!bus) bus = connect(hastened(common));
    return Administration(*bus).status();
  } catch (const Error& error) {
    if (!passes(error)) throw;
    return unreachable(error, common.format);
  }
}

std::int64_t now_ns() {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
}

std::string block_of(const Said& said) {
  std::string heading;
  append_rfc3339(heading, now_ns());
  heading += "\n";
  if (!said.contains("error")) return heading + render(said);
  return fmt::format("{}State: unreachable, waits for a supervisor\n{}\n", heading,
                     said["error"].get<std::string>());
}

Exit watch(const StatusOptions& options, const Common& common) {
  const auto interval = parse_interval(options.interval);
  InterruptiblePause pause;
  const StopSignal stop(pause);
  RedrawnBlock block;
  std::optional<Bus> bus;
  do {
    Said said = look(bus, common);
    std::string text;
    if (common.format == Format::table) {
      text = block_of(said) + (block.redraws() ? "" : "\n");
    } else {
      said["at_ns"] = now_ns();
      text = line_of(said, -1);
    }
    const Written written = common.format == Format::table ? block.show(text)
                                                           : write_all(STDOUT_FILENO, text);
    if (written == Written::closed) break;
  } while (!stop.requested() && pause.wait(interval));
  return Exit::ok;
}

}  // namespace

void add_status(CommandLine& line) {
  const auto options = std::make_shared<StatusOptions>();
  CLI::App& verb = line.verb(
      {.name = "status",
       .why = "Say how the bus is. Exit status 0: it serves; 5: it serves, but something needs "
              "attention; 1: nobody serves; 6: no answer in time. With --watch again and again, "
              "also while the supervisor is away, until Ctrl-C, and then 0.",
       .examples = "  ringway status\n"
                   "  ringway status --output json | jq .state\n"
                   "  ringway status --watch --interval 5s --output jsonl",
       .patience = "10s; for each look of --watch 500ms"},
      [options](const Common& common) {
        return options->watch ? watch(*options, common) : status(common);
      });
  CLI::Option* const watched = verb.add_flag(
      "--watch", options->watch,
      "Once an interval: redrawn on a terminal, else a block, or a line of JSON with at_ns");
  verb.add_option("--interval", options->interval, "Time from one look to the next (default 1s)")
      ->type_name("DUR")
      ->needs(watched);
}

}  // namespace ringway::cli
