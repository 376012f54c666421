// The flusher is killed at every boundary: before and after each system call and each store to
// shared memory, and between instructions by seed. Its files and the ring stay as they are; the
// next supervisor adopts both.

#include <signal.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <optional>

#include "client/log_gaps.hpp"
#include "daemon/ring_opening.hpp"
#include "daemon/topic_duty.hpp"
#include "log/recovery.hpp"
#include "log/segment_reader.hpp"
#include "proof/content.hpp"
#include "proof/performance.hpp"
#include "storage/posix_file_system.hpp"
#include "storage/pwrite_engine.hpp"
#include "support/temporary_directory.hpp"

namespace ringway::proof {
namespace {

using namespace std::chrono_literals;

TopicSettings settings_of(const Stage& stage, WhenDiskFails when_disk_fails) {
  TopicSettings settings = stage.settings();
  settings.when_disk_fails = when_disk_fails;
  return settings;
}

/// While it lives the kernel lets this process write to no file.
class Refusal {
 public:
  Refusal() {
    sigset_t too_large;
    ::sigemptyset(&too_large);
    ::sigaddset(&too_large, SIGXFSZ);
    ::sigprocmask(SIG_BLOCK, &too_large, nullptr);  // for good: it stays pending
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit none{0, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &none);
  }
  ~Refusal() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  Refusal(const Refusal&) = delete;
  Refusal& operator=(const Refusal&) = delete;

 private:
  rlimit before_{};
};

/// A supervisor's data side, in one thread: it has adopted the stage's ring, and the log in a
/// directory.
class Flushing {
 public:
  Flushing(const Stage& stage, const std::string& directory,
           WhenDiskFails when_disk_fails = WhenDiskFails::wait)
      : topic_(std::make_shared<daemon::ServedTopic>(
            daemon::ServedTopic::Options{stage.identity(), settings_of(stage, when_disk_fails), 2,
                                         directory},
            daemon::TopicMemory::adopt(stage.identity(), stage.settings(),
                                       shm::duplicate(stage.topic().memory().ring_fd()),
                                       shm::duplicate(stage.topic().memory().board_fd()),
                                       shm::duplicate(stage.topic().memory().bell_fd())))),
        found_(daemon::recover_log(*topic_, 0, files_, log::RecoverMode::adopt)) {
    daemon::reopen_partition(*topic_, 0, found_, events_);
    duty_.emplace(topic_, files_, engine_, events_);
    duty_->attach({kOther, layout::Role::producer, 4711, &stage.slot(kOther), {}});
  }

  void round() {
    now_ += 6ms;  // a batch is due each time
    duty_->round(now_, daemon::SteadyTime::max());
    storage::Completion done;
    while (engine_.reap({&done, 1}, 0ns) == 1) {
      const bool sync = (done.token & 1) != 0;  // as LogFlush marks them
      daemon::LogFlush::complete(done.token, sync && syncs_fail_ ? -EIO : done.result);
    }
  }
  void rounds(int count) {
    for (int i = 0; i < count; ++i) round();
  }
  /// So long that a device that refused is tried again.
  void pass_time() { now_ += 300ms; }
  /// What is written all the same is known to nobody to have reached the device.
  void fail_syncs(bool fail) noexcept { syncs_fail_ = fail; }
  const log::Recovered& found() const noexcept { return found_; }
  const layout::BoardPartition& board() const { return topic_->view(0).board(); }

  /// Rounds until everything claimed is durable.
  void drain() {
    const auto view = topic_->view(0);
    for (int i = 0; i < 100; ++i) {
      round();
      const layout::Tail tail = view.codec().unpack(view.tail().load());
      if (board().committed_position == tail.position &&
          board().durable_offset == board().committed_offset) {
        return;
      }
    }
    throw Violation("what was published does not become durable");
  }

 private:
  storage::PosixFileSystem files_;
  storage::PwriteEngine engine_;
  daemon::EventLog events_{[](const daemon::Event&) {}};
  std::shared_ptr<daemon::ServedTopic> topic_;
  log::Recovered found_;
  std::optional<daemon::TopicDuty> duty_;
  daemon::SteadyTime now_ = std::chrono::steady_clock::now();
  bool syncs_fail_ = false;
};

/// Records that say which they are: the n-th has the n-th offset.
void publish(Cast& cast, int records, std::uint32_t payload_bytes) {
  Writer writer(cast.view(), cast.stage().slot(kOther));
  auto& published = cast.stage().told().committed[kOther];
  for (int i = 0; i < records; ++i) {
    const std::string text = single(kOther, published + 1, payload_bytes).text();
    const auto claimed = writer.try_claim(claim_bytes(text), 1);
    if (claimed.status != Status::ok) throw Violation("a live producer is refused");
    write_record(cast.view(), claimed.position, text, kOther);
    writer.commit(claimed);
    ++published;
  }
}

using MayLack = std::function<void(const Cast&, std::uint64_t offset)>;

/// Everything published, once, in order, with its offset; but what `may_lack` does not object to.
void check_log(const Cast& cast, const std::string& directory, const MayLack& may_lack) {
  storage::PosixFileSystem files;
  const log::Recovered found = log::recover(files, directory + "/0", log::RecoverMode::inspect);
  if (!found.damaged.empty()) throw Violation("a segment is damaged: " + found.damaged[0].rule);
  std::uint64_t sequence = 0;
  for (const log::SegmentInfo& segment : found.segments) {
    const std::string path = directory + "/0/" + segment.name;
    log::SegmentReader reader(files,
                              storage::File(files, files.open(path, storage::OpenMode::read)));
    reader.limit_to(segment.end);
    log::SegmentWalk walk(reader);
    log::Record record;
    while (walk.next(record) == log::ReadStatus::ok) {
      const Content content = Content::parse(
          {reinterpret_cast<const char*>(record.body.data()), record.header.payload_bytes});
      for (; sequence + 1 < content.sequence; ++sequence) {
        may_lack(cast, cast.stage().base_offset() + sequence);
      }
      if (content.sequence != sequence + 1) throw Violation("the log doubles or reorders");
      if (record.at.offset != cast.stage().base_offset() + sequence) {
        throw Violation("the log has a record under another offset");
      }
      ++sequence;
    }
  }
  if (sequence != cast.stage().told().committed[kOther]) {
    throw Violation("the log lacks a committed record");
  }
}

/// What the flusher's death leaves is adopted, over a copy of its files.
void adopt_with(const Cast& before, WhenDiskFails when_disk_fails, const MayLack& may_lack) {
  Cast cast = before;
  const auto& board = cast.view().board();
  const std::uint64_t committed = board.committed_offset, written = board.written_offset,
                      durable = board.durable_offset;
  if (committed < written || written < durable) throw Violation("levels out of order");
  const ringway::test::TemporaryDirectory copy(cast.stage().directory());
  std::filesystem::copy(cast.stage().directory() + "/log", copy / "log",
                        std::filesystem::copy_options::recursive);
  Flushing heir(cast.stage(), copy / "log", when_disk_fails);
  if (written != cast.stage().base_offset() && heir.found().end.offset < written)
    throw Violation("the log lacks what was written");
  if (!heir.found().damaged.empty()) throw Violation("a segment is damaged");
  publish(cast, 5, 100);
  heir.drain();
  if (board.committed_offset < committed || board.written_offset < written) {
    throw Violation("a level was taken back");
  }
  check_log(cast, copy / "log", may_lack);
}

void adopt(const Cast& before) {
  adopt_with(before, WhenDiskFails::wait,
             [](const Cast&, std::uint64_t) { throw Violation("the log loses a record"); });
}

/// So many records are in the log before the device refuses, and, of 1,000 bytes each, in the ring
/// at any moment of its refusing.
constexpr std::uint64_t kFlushed = 10, kStillThere = 20;

/// The same where the device refused. What the log lacks stands on the board, before a watermark
/// passes it: nobody is told `ok` of it. The board may list more than that: who died between the
/// list and the limit left a gap that the ring still had all of, and the log goes on with that.
void adopt_in_memory(const Cast& before) {
  const std::uint64_t first = before.stage().base_offset();
  const std::uint64_t end = first + before.stage().told().committed[kOther];
  adopt_with(before, WhenDiskFails::memory, [=](const Cast& cast, std::uint64_t offset) {
    if (offset < first + kFlushed) throw Violation("the log lacks what was written");
    if (offset + kStillThere >= end) throw Violation("the log lacks what the ring had");
    for (const Level level : {Level::written, Level::durable}) {
      if (!lost_to_log(cast.view().board(), offset, level)) {
        throw Violation("ok is said of what the log lacks");
      }
    }
  });
}

Act flushes(int rounds) {
  return [rounds](Cast& cast, Seat) -> Puppet::Part {
    auto flushing = std::make_shared<Flushing>(cast.stage(), cast.stage().directory() + "/log");
    return [flushing, rounds] { flushing->rounds(rounds); };
  };
}

/// What it writes first is told to be written, and its sync fails: all of it is written once more.
Act flushes_behind_a_failed_sync() {
  return [](Cast& cast, Seat) -> Puppet::Part {
    auto flushing = std::make_shared<Flushing>(cast.stage(), cast.stage().directory() + "/log");
    flushing->fail_syncs(true);
    flushing->rounds(3);
    const auto& board = flushing->board();
    if (board.written_offset == board.durable_offset) throw Violation("no sync has failed");
    flushing->fail_syncs(false);
    flushing->pass_time();
    return [flushing] { flushing->rounds(3); };
  };
}

/// So many rounds on a device that refuses, then on one that works.
Act flushes_in_memory(int refused, int working) {
  return [=](Cast& cast, Seat) -> Puppet::Part {
    auto flushing = std::make_shared<Flushing>(cast.stage(), cast.stage().directory() + "/log",
                                               WhenDiskFails::memory);
    return [=] {
      if (refused != 0) {
        const Refusal refusal;
        flushing->rounds(refused);
      }
      flushing->pass_time();
      flushing->rounds(working);
    };
  };
}

Scene scene(std::string state, Act victim, std::function<void(Cast&)> beginning,
            std::function<void(const Cast&)> aftermath) {
  return {.state = std::move(state),
          .victim = std::move(victim),
          .beginning = std::move(beginning),
          .role = Scene::Role::supervisor,
          .aftermath = std::move(aftermath),
          .grain = Scene::Grain::boundaries,
          .log = Stage::Log::kept};
}

Scene scene(std::string state, int rounds, std::function<void(Cast&)> beginning) {
  return scene(std::move(state), flushes(rounds), std::move(beginning), adopt);
}
Scene in_memory(std::string state, Act victim, std::function<void(Cast&)> beginning) {
  return scene(std::move(state), std::move(victim), std::move(beginning), adopt_in_memory);
}

void flush(Cast& cast) {
  Flushing(cast.stage(), cast.stage().directory() + "/log").drain();
}

}  // namespace

TEST_CASE("flush: killed at every boundary, its heir loses, doubles and takes back nothing",
          "[proof]") {
  perform("flusher: write, table, slot, sync, roll",
          {scene("the first batch of a log", 3, [](Cast& cast) { publish(cast, 10, 300); }),
           scene(
               "the same, once more, its sync had failed", flushes_behind_a_failed_sync(),
               [](Cast& cast) { publish(cast, 10, 300); }, adopt),
           scene("a batch behind a partial page", 3,
                 [](Cast& cast) {
                   publish(cast, 10, 300);
                   flush(cast);
                   publish(cast, 20, 300);
                 }),
           scene("a segment is full and the next begins", 6, [](Cast& cast) {
             for (int i = 0; i < 5; ++i) {
               publish(cast, 12, 1000);
               flush(cast);
             }
             publish(cast, 20, 1000);
           })});
}

TEST_CASE(
    "flush: killed at every boundary in memory only, its heir says ok of nothing that is gone",
    "[proof]") {
  const auto more_than_half_of_the_ring = [](Cast& cast) {
    publish(cast, kFlushed, 300);
    flush(cast);
    publish(cast, 36, 1000);
  };
  const auto once_round_the_ring = [=](Cast& cast) {
    more_than_half_of_the_ring(cast);
    Flushing flushing(cast.stage(), cast.stage().directory() + "/log", WhenDiskFails::memory);
    const Refusal refusal;
    for (int i = 0; i < 3; ++i) {
      flushing.rounds(4);
      publish(cast, 12, 1000);
    }
  };
  perform("flusher: in memory only, and on behind a gap",
          {in_memory("the device refuses, memory runs full, it works", flushes_in_memory(3, 2),
                     more_than_half_of_the_ring),
           in_memory("it refused the supervisor before, and works", flushes_in_memory(0, 2),
                     once_round_the_ring)});
}

}  // namespace ringway::proof
