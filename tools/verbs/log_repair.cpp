#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>

#include "control/directory_lock.hpp"
#include "control/shell_word.hpp"
#include "log/repair.hpp"
#include "log/segment_name.hpp"
#include "ringway/error.hpp"
#include "shm/clock.hpp"
#include "shm/uuid.hpp"
#include "storage/posix_file_system.hpp"
#include "tools/confirmation.hpp"
#include "tools/log_selection.hpp"
#include "tools/service_state.hpp"
#include "tools/service_unit.hpp"
#include "tools/terminal.hpp"
#include "tools/timestamp.hpp"
#include "tools/topic_error.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

struct RepairOptions {
  LogOptions log;
  bool dry_run = false;
  bool yes = false;
};

struct Partition {
  std::uint32_t number;
  std::string directory;
  log::RepairPlan plan;
};

std::string account_of(uid_t uid) {
  const passwd* const account = getpwuid(uid);
  return account != nullptr ? fmt::format("{} (uid {})", account->pw_name, uid)
                            : fmt::format("uid {}", uid);
}

/// Root works as the account that the state belongs to: that one is to read what is left there, and
/// what it may have put in the way leads nowhere that it may not go. The account, where root did.
std::optional<uid_t> become_owner(const std::string& directory) {
  struct stat owner{};
  if (stat(directory.c_str(), &owner) < 0) throw system_error(errno, directory, "stat");
  if (geteuid() != 0 || owner.st_uid == 0) return {};
  if (setgroups(0, nullptr) < 0 || setresgid(owner.st_gid, owner.st_gid, owner.st_gid) < 0 ||
      setresuid(owner.st_uid, owner.st_uid, owner.st_uid) < 0) {
    throw system_error(errno, directory, "becoming its owner");
  }
  return owner.st_uid;
}

void demand_writable(const std::string& directory, std::optional<uid_t> owner) {
  if (access(directory.c_str(), W_OK) == 0) return;
  if (errno == EROFS) {
    throw Error(ErrorCode::failed, directory, "is read-only",
                "mount it to be written to, or repair a copy of it: --state-dir DIR");
  }
  if (errno != EACCES) throw system_error(errno, directory, "access");
  if (owner) {
    throw Error(ErrorCode::denied, directory,
                fmt::format("its owner {}, as whom root works there, may not write there",
                            account_of(*owner)),
                "give its owner the right to: " + control::typed("chmod u+rwx", {directory}));
  }
  throw Error(ErrorCode::denied, directory,
              fmt::format("{} may not write there", account_of(geteuid())),
              "act as the supervisor's user, or as root");
}

/// What is read there by `owner`, as whom root works: who is told to act as root is root already.
template <class Read>
auto read_as(const std::optional<uid_t>& owner, Read&& read) {
  try {
    return read();
  } catch (const Error& error) {
    if (!owner || error.code() != ErrorCode::denied || error.rule().starts_with("its owner")) throw;
    throw Error(ErrorCode::denied, error.thing(),
                fmt::format("{}, as whom root works there, may not read it", account_of(*owner)),
                "give it to that owner: " +
                    control::typed(fmt::format("chown {}", *owner), {error.thing()}));
  }
}

/// No supervisor writes there meanwhile, and none starts.
control::DirectoryLock sole_use(const std::string& directory) {
  try {
    return control::DirectoryLock(directory);
  } catch (const control::DirectoryInUse& error) {
    if (error.program() == "ringway") {
      throw Error(ErrorCode::busy, error.thing(), error.rule() + ", which repairs a log in it",
                  "let it end; where it waits for somebody, end it: kill -9 that pid, and repair "
                  "then, which does the rest");
    }
    throw Error(ErrorCode::busy, error.thing(), error.rule() + ", and a repair wants it alone",
                "stop it first: " + command_that_stops(error.holder()));
  }
}

/// What is no file is passed over when the log is read: it would be taken for missing, and what
/// fills in would take its name.
void refuse_what_is_no_file(const std::string& directory) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const auto parsed = log::parse_segment_name(entry.path().filename().string());
    if (!parsed || entry.symlink_status().type() == std::filesystem::file_type::regular) continue;
    // What was being made is removed, which does for all but a directory.
    if (parsed->kind == log::SegmentName::Kind::unborn && !is_directory(entry.symlink_status())) {
      continue;
    }
    throw Error(ErrorCode::failed, entry.path(), "is no regular file",
                "put the file itself there, or move it out of the directory");
  }
}

std::vector<Partition> plan_partitions(const LogSelection& logs, storage::FileSystem& files) {
  std::vector<Partition> partitions;
  for (const std::uint32_t p : logs.partitions) {
    refuse_what_is_no_file(logs.state.partition(logs.topic, p));
  }
  ProgressLine progress;
  for (const std::uint32_t p : logs.partitions) {
    progress.show(fmt::format("partition {} of {}", p, logs.topic.settings.partitions));
    const std::string directory = logs.state.partition(logs.topic, p);
    const auto& ends = logs.topic.clean_ends;
    partitions.push_back({p, directory,
                          log::plan_repair(files, directory, {logs.topic.uuid, p, 0},
                                           p < ends.size() ? ends[p] : std::nullopt)});
  }
  progress.clear();
  return partitions;
}

/// In words for people, and a word for programs.
std::pair<std::string, const char*> deed(const log::Mend& mend) {
  switch (mend.how) {
    case log::Mending::restore_header:
      return {"its header is written again as it was", "restore_header"};
    case log::Mending::take_out:
      return {"the file is cut out", "take_out"};
    case log::Mending::set_aside:
      return {"renamed to " + mend.set_aside_as, "set_aside"};
    case log::Mending::write_off:
      return {fmt::format("blocks marked as lost: {}", mend.marks.size()), "write_off"};
    case log::Mending::fill_in:
      return {"a segment without data says so", "fill_in"};
  }
  return {};
}

std::string render(const LogSelection& logs, const std::vector<Partition>& partitions,
                   const std::vector<std::string>& cut, Format format, Style style) {
  Rows rows{{"PARTITION", "partition", Align::right},
            {"FILE", "file"},
            {"AT BYTE", "file_pos", Align::right},
            {"WHAT IS WRONG", "wrong"},
            {"LOST FROM", "from_offset", Align::right},
            {"TO", "to_offset", Align::right},
            {"BYTES", "bytes", Align::right},
            {cut.empty() ? "WHAT WOULD BE DONE" : "WHAT WAS DONE", "deed"}};
  for (const Partition& partition : partitions) {
    for (const log::Mend& mend : partition.plan) {
      const bool loses = mend.offsets() > 0;
      const auto [words, word] = deed(mend);
      rows.add({Cell::of_number(partition.number), Cell::of_text(mend.file),
                Cell::of_number(mend.file_pos), Cell::of_text(mend.wrong),
                loses ? Cell::of_number(mend.from.offset) : Cell::none(),
                loses ? Cell::of_number(mend.to.offset) : Cell::none(),
                Cell::of_bytes(mend.bytes()), Cell{words, word}});
    }
  }
  Report report;
  report.add("Topic", "topic", Cell::of_text(logs.topic.name));
  report.add("UUID", "uuid", Cell::of_text(shm::to_string(logs.topic.uuid)));
  report.add("Repaired", "repaired",
             rows.empty() ? Cell{"nothing to repair", false} : Cell::of_truth(!cut.empty()));
  Rows directories{{"WHAT WAS CUT IS IN", "cut"}};
  for (const std::string& directory : cut) directories.add({Cell::of_text(directory)});
  if (!rows.empty() || format != Format::table) report.add("FINDINGS", "findings", rows);
  if (!cut.empty() || format != Format::table) report.add("KEPT", "kept", directories);
  return report.render(format, style);
}

/// A name beside the log that sorts by time.
std::string free_cut_directory(const std::string& directory, std::int64_t now_ns) {
  const std::time_t seconds = now_ns / 1'000'000'000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "cut-%Y%m%dT%H%M%SZ", &utc);
  std::string name = text;
  for (int n = 2; std::filesystem::exists(directory + "/" + name); ++n) {
    name = fmt::format("{}-{}", text, n);
  }
  return name;
}

std::string preface(const LogSelection& logs, const Partition& partition, std::int64_t now_ns) {
  std::string time;
  append_rfc3339(time, now_ns);
  return fmt::format(
      "Cut by 'ringway log repair' {} at {} by uid {},\n"
      "out of topic '{}' ({}), partition {}, in {}.\n\n"
      "To undo it, with no supervisor running: remove the segments without data named below; move\n"
      "files back (mv FILE ..); put pieces back with\n"
      "dd if=FILE.at-BYTE of=../FILE bs=4096 seek=$((BYTE / 4096)) conv=notrunc\n",
      RINGWAY_VERSION, time, getuid(), logs.topic.name, shm::to_string(logs.topic.uuid),
      partition.number, partition.directory);
}

/// Returns the directory that has what was cut.
std::string repair_partition(const LogSelection& logs, const Partition& partition,
                             storage::FileSystem& files) {
  const std::int64_t now_ns = shm::realtime_ns();
  const std::string name = free_cut_directory(partition.directory, now_ns);
  const std::string path = partition.directory + "/" + name;
  try {
    log::repair_log(files, partition.directory, partition.plan, name,
                    preface(logs, partition, now_ns));
  } catch (const Error& error) {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);  // if nothing is in it
    const bool has_begun = std::filesystem::exists(path, ignored);
    throw Error(error.code(), error.thing(), error.rule(),
                "repair again once that is mended; " +
                    (has_begun ? "what was cut so far is in " + path
                               : fmt::format("nothing of partition {} was changed",
                                             partition.number)));
  }
  return path;
}

Exit repair(const RepairOptions& options, const Common& common) {
  std::optional<uid_t> owner;
  const LogSelection logs = read_as(owner, [&] {
    return select_logs(options.log, common, [&](const std::string& directory) {
      owner = become_owner(directory);
      demand_writable(directory, owner);
    });
  });
  const control::DirectoryLock lock = sole_use(logs.state.path());
  storage::PosixFileSystem files;
  std::vector<Partition> partitions = read_as(owner, [&] { return plan_partitions(logs, files); });
  const bool sound = std::ranges::all_of(
      partitions, [](const Partition& partition) { return partition.plan.empty(); });
  std::vector<std::string> cut;
  const auto show = [&](int descriptor, Format format) {
    const std::string text = render(logs, partitions, cut, format, style_of(descriptor));
    static_cast<void>(write_all(descriptor, text));
  };
  if (!sound && !options.dry_run) {
    const std::string thing = topic_thing(logs.topic.name);
    if (!options.yes && isatty(STDIN_FILENO)) show(STDERR_FILENO, Format::table);
    if (!options.yes && !confirmed(fmt::format("Do that to the log of {}?", thing), thing,
                                   "repairing its log cuts out what is damaged")) {
      return Exit::error;
    }
    for (auto partition = partitions.begin(); partition != partitions.end(); ++partition) {
      if (partition->plan.empty()) continue;
      try {
        cut.push_back(repair_partition(logs, *partition, files));
      } catch (const Error&) {
        partitions.erase(partition, partitions.end());
        if (!cut.empty()) show(STDOUT_FILENO, common.format);
        throw;
      }
    }
  }
  show(STDOUT_FILENO, common.format);
  return sound || !options.dry_run ? Exit::ok : Exit::degraded;
}

}  // namespace

void add_log_repair(CommandLine& line) {
  const auto options = std::make_shared<RepairOptions>();
  CLI::App& verb = line.verb(
      {.noun = "log",
       .name = "repair",
       .why =
           "Make a topic's damaged log sound again while no supervisor serves it, and keep what "
           "is cut. Every block that verifies stays, with the offsets it had; blocks that do not "
           "are marked as lost in the table of their segment, a header that can be made out is "
           "written again, a file that cannot be followed is moved out, and where a segment is "
           "missing one without data takes its place. Consumers are told of each gap as lost on "
           "disk, as before; 'log verify' then counts it as known, and only what is new as "
           "damage. A torn tail is left to the next supervisor, which may have it in its ring. "
           "What is cut goes into PARTITION/cut-TIME, with a text that says what, when, why and "
           "how to put it back; retention and trim leave that alone, and deleting the topic takes "
           "it. "
           "No tool reads records out of it: of a block that does not verify nobody knows which "
           "bytes are right. Asks on a terminal, and needs --yes elsewhere. Who is interrupted "
           "repairs again.",
       .examples = "  ringway log repair orders --state-dir /backup/ringway --dry-run\n"
                   "  ringway log repair orders -p 0 --state-dir /backup/ringway --yes",
       .patience = "500ms; for its keeper 10s"},
      [options](const Common& common) { return repair(*options, common); });
  add_log_options(verb, options->log);
  verb.add_flag("--dry-run", options->dry_run,
                "Say what would be done, and do nothing; exit status 5 when there is something");
  verb.add_flag("--yes", options->yes, "Do not ask");
}

}  // namespace ringway::cli
