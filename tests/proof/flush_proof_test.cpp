// The flusher is killed at every boundary: before and after each system call and each store to
// shared memory, and between instructions by seed. Its files and the ring stay as they are; the
// next supervisor adopts both.

#include <catch2/catch.hpp>
#include <filesystem>

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

/// A supervisor's data side, in one thread: it has adopted the stage's ring, and the log in a
/// directory.
class Flushing {
 public:
  Flushing(const Stage& stage, const std::string& directory)
      : topic_(std::make_shared<daemon::ServedTopic>(
            daemon::ServedTopic::Options{stage.identity(), stage.settings(), 2, directory},
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
      daemon::LogFlush::complete(done.token, done.result);
    }
  }
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
  daemon::EventLog events_{[](auto, auto) {}};
  std::shared_ptr<daemon::ServedTopic> topic_;
  log::Recovered found_;
  std::optional<daemon::TopicDuty> duty_;
  daemon::SteadyTime now_ = std::chrono::steady_clock::now();
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

/// Everything published, once, in order, with its offset.
void check_log(const Cast& cast, const std::string& directory) {
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
    walk.seek_offset(segment.first.offset);
    log::Record record;
    while (walk.next(record) == log::ReadStatus::ok) {
      const Content content = Content::parse(
          {reinterpret_cast<const char*>(record.body.data()), record.header.payload_bytes});
      if (content.sequence != sequence + 1) throw Violation("the log loses, doubles or reorders");
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
void adopt(const Cast& before) {
  Cast cast = before;
  const auto& board = cast.view().board();
  const std::uint64_t committed = board.committed_offset, written = board.written_offset,
                      durable = board.durable_offset;
  if (committed < written || written < durable) throw Violation("levels out of order");
  const ringway::test::TemporaryDirectory copy(cast.stage().directory());
  std::filesystem::copy(cast.stage().directory() + "/log", copy / "log",
                        std::filesystem::copy_options::recursive);
  Flushing heir(cast.stage(), copy / "log");
  if (written != cast.stage().base_offset() && heir.found().end.offset < written)
    throw Violation("the log lacks what was written");
  if (!heir.found().damaged.empty()) throw Violation("a segment is damaged");
  publish(cast, 5, 100);
  heir.drain();
  if (board.committed_offset < committed || board.written_offset < written) {
    throw Violation("a level was taken back");
  }
  check_log(cast, copy / "log");
}

Act flushes(int rounds) {
  return [rounds](Cast& cast, Seat) -> Puppet::Part {
    auto flushing = std::make_shared<Flushing>(cast.stage(), cast.stage().directory() + "/log");
    return [flushing, rounds] {
      for (int i = 0; i < rounds; ++i) flushing->round();
    };
  };
}

Scene scene(std::string state, int rounds, std::function<void(Cast&)> beginning) {
  return {.state = std::move(state),
          .victim = flushes(rounds),
          .beginning = std::move(beginning),
          .role = Scene::Role::supervisor,
          .aftermath = adopt,
          .grain = Scene::Grain::boundaries,
          .log = Stage::Log::kept};
}

void flush(Cast& cast) {
  Flushing(cast.stage(), cast.stage().directory() + "/log").drain();
}

}  // namespace

TEST_CASE("flush: killed at every boundary, its heir loses, doubles and takes back nothing",
          "[proof]") {
  perform("flusher: write, table, slot, sync, roll",
          {scene("the first batch of a log", 3, [](Cast& cast) { publish(cast, 10, 300); }),
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

}  // namespace ringway::proof
