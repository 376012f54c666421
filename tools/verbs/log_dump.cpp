#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "client/record_view.hpp"
#include "log/verify.hpp"
#include "storage/posix_file_system.hpp"
#include "tools/gap_note.hpp"
#include "tools/log_selection.hpp"
#include "tools/note.hpp"
#include "tools/record_printer.hpp"
#include "tools/stop_signal.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

constexpr std::size_t kDumpFlushBytes = 256 * 1024;

struct DumpOptions {
  LogOptions log;
  std::string format;
  bool meta_only = false;
};

Exit dump(const DumpOptions& options, const Common& common) {
  const LogSelection logs = select_logs(options.log, common);
  RecordPrinter printer(logs.topic.name, common.format, options.format,
                        options.meta_only ? Detail::meta_only : Detail::all);
  const std::vector<log::LogPoint> durable = known_durable(logs, common);
  storage::PosixFileSystem file_system;
  const StopSignal stop;
  std::string out;
  bool going = true;
  bool damaged = false;
  const auto flush = [&] {
    going = write_all(STDOUT_FILENO, out) == Written::all && !stop.requested();
    out.clear();
    return going;
  };
  for (const std::uint32_t p : logs.partitions) {
    if (!going) break;
    const auto print = [&](const log::Record& record) {
      printer.append(out, view_of(record.header, record.body.data(), record.at.offset, p));
      return out.size() < kDumpFlushBytes || flush();
    };
    const log::LogReport found =
        log::verify_log(file_system, logs.state.partition(logs.topic, p), print, durable[p]);
    for (const log::NamedHole& hole : found.holes) {
      damaged = true;
      note(gap_note(logs.topic.name,
                    {p, hole.hole.from.offset, hole.hole.to.offset, Status::corrupt}, 0));
    }
    for (const log::DamagedFile& file : found.recovered.damaged) {
      damaged = true;
      note(fmt::format("{} partition {}: {}: {}", logs.topic.name, p, file.name, file.rule));
    }
  }
  if (going || stop.requested()) {
    printer.end(out);
    flush();
  }
  return damaged ? Exit::error : Exit::ok;
}

}  // namespace

void add_log_dump(CommandLine& line) {
  const auto options = std::make_shared<DumpOptions>();
  CLI::App& verb = line.verb(
      {.noun = "log",
       .name = "dump",
       .why = "Print the records of a topic's segments from disk, partition by partition, with or "
              "without a supervisor. What is damaged is told on standard error, and makes the exit "
              "status 1.",
       .examples = "  ringway log dump orders -f '%p %o %k %v\\n'\n"
                   "  ringway log dump orders -p 0 --state-dir /backup/ringway --output jsonl",
       .patience = "500ms; for its keeper 10s"},
      [options](const Common& common) { return dump(*options, common); });
  add_log_options(verb, options->log);
  verb.add_option("-f,--format", options->format,
                  "What to print of each record, as in consume (default '%v\\n')")
      ->type_name("FORMAT");
  verb.add_flag("--meta-only", options->meta_only, "Leave out the value, as in consume");
}

}  // namespace ringway::cli
