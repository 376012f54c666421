// A consumer of the storm: verifies every byte it is given and writes down what it saw:
//
//   consumer ID PID TOPIC KIND CURSOR        KIND: start, end or cursor; CURSOR: its name, or -
//   s PARTITION POSITION                     where it begins
//   c PARTITION OFFSET COUNT PRODUCER SEQUENCE   COUNT records in a row of one producer
//   x PARTITION OFFSET WHY                   a record whose bytes are not as they were made
//   g PARTITION FROM TO REASON               a gap that it was told of
//   m PARTITION DURABLE WRITTEN COMMITTED T  watermarks, as read one after the other
//   k PARTITION POSITION T                   the named cursor stands there for certain
//   e PARTITION POSITION                     has reached the end
//
// SIGTERM: leaves at once, in an orderly way. SIGUSR1: leaves when the end is reached; with
// `--until end` that is so from the beginning on. The end is what the file `--ends` says, a line
// "PARTITION OFFSET" each; where there is none, what was committed when it looks.

#include <signal.h>

#include <atomic>
#include <fstream>
#include <random>
#include <vector>

#include "storm/content.hpp"
#include "storm/joining.hpp"
#include "storm/line_log.hpp"
#include "storm/role.hpp"

using namespace ringway;
using namespace ringway::storm;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t kWatermarksEveryNs = 100'000'000;

std::atomic<bool> leaving = false;
std::atomic<bool> finishing = false;

ConsumerOptions options_of(const Arguments& arguments) {
  ConsumerOptions options;
  const std::string& from = arguments.text("--from");
  options.from = from == "end" ? end() : start();
  if (from == "cursor") options.cursor = arguments.text("--cursor");
  constexpr WaitStrategy kStrategies[] = {WaitStrategy::adaptive, WaitStrategy::throughput};
  options.wait = kStrategies[arguments.number("--id") % std::size(kStrategies)];
  return options;
}

class StormConsumer {
 public:
  StormConsumer(const Arguments& arguments, Bus& bus, LineLog& log)
      : named_(arguments.text("--from") == "cursor"),
        bytes_per_second_(static_cast<double>(arguments.number("--pace"))),
        ends_path_(arguments.text("--ends")),
        log_(log),
        random_(arguments.number("--seed")),
        consumer_(once_possible(
            [&] { return bus.consumer(arguments.text("--topic"), options_of(arguments)); })) {
    for (const std::uint32_t p : consumer_.assigned()) log_.add("s", p, consumer_.position(p));
    log_.write();
  }

  void run() {
    const std::int64_t begun = now_ns();
    while (!leaving) {
      if (finishing && at_the_end()) return finish();
      const RecordBatch batch = consumer_.poll(1 + random_() % 1'000, 50ms);
      hold();
      for (const Gap& gap : consumer_.take_gaps()) {
        log_.add("g", gap.partition, gap.from, gap.to, to_string(gap.reason));
      }
      for (const RecordView& record : batch) look_at(record);
      end_row();
      judge(batch.status());
      watermarks();
      log_.write();
      if (named_) keep();
      pace(begun);
    }
  }

 private:
  bool one_in(std::uint32_t n) { return random_() % n == 0; }

  /// In place, while time passes: what is looked at afterwards must be as it was.
  void hold() {
    if (!finishing && one_in(2)) {
      std::this_thread::sleep_for(std::chrono::microseconds(random_() % 6'000));
    }
  }

  void look_at(const RecordView& record) {
    bytes_ += record.payload().size();
    const auto [content, wrong] = judged(record);
    if (wrong != nullptr) {
      log_.add("x", record.partition(), record.offset(), wrong);
      return;
    }
    const bool in_a_row = row_.count != 0 && row_.partition == record.partition() &&
                          row_.producer == content->producer &&
                          row_.offset + row_.count == record.offset() &&
                          row_.sequence + row_.count == content->sequence;
    if (in_a_row) {
      ++row_.count;
      return;
    }
    end_row();
    row_ = {record.partition(), record.offset(), 1, content->producer, content->sequence};
  }
  void end_row() {
    if (row_.count == 0) return;
    log_.add("c", row_.partition, row_.offset, row_.count, row_.producer, row_.sequence);
    row_.count = 0;
  }

  /// not_found is a gap, which the checker judges.
  static void judge(Status status) {
    switch (status) {
      case Status::ok:
      case Status::timeout:
      case Status::interrupted:
      case Status::not_found:
      case Status::disconnected:
        return;
      default:
        throw Lost{status};
    }
  }

  void watermarks() {
    const std::int64_t now = now_ns();
    if (now < watermarks_due_ns_) return;
    watermarks_due_ns_ = now + kWatermarksEveryNs;
    for (const std::uint32_t p : consumer_.assigned()) {
      const std::uint64_t durable = consumer_.watermark(p, Level::durable);
      const std::uint64_t written = consumer_.watermark(p, Level::written);
      const std::uint64_t committed = consumer_.watermark(p, Level::committed);
      log_.add("m", p, durable, written, committed, now);
    }
  }

  /// The lines are written before the cursor moves behind their records.
  void keep() {
    if (!one_in(3)) return;
    const Status status = consumer_.commit();
    if (status == Status::disconnected) return;  // it will stand there, but not for certain yet
    if (status != Status::ok) throw Lost{status};
    if (!one_in(4)) return;
    for (const std::uint32_t p : consumer_.assigned())
      log_.add("k", p, consumer_.position(p), now_ns());
    log_.write();
  }

  void pace(std::int64_t begun) {
    if (bytes_per_second_ == 0 || finishing) return;
    const double due_ns = static_cast<double>(bytes_) / bytes_per_second_ * 1e9;
    const auto ahead_ns = static_cast<std::int64_t>(due_ns) - (now_ns() - begun);
    if (ahead_ns <= 0) return;
    consumer_.advance();
    std::this_thread::sleep_for(std::chrono::nanoseconds(ahead_ns));  // a signal does not end it
  }

  bool at_the_end() {
    consumer_.advance();
    if (ends_.empty()) {
      std::ifstream file(ends_path_);
      std::uint32_t partition = 0;
      for (std::uint64_t offset = 0; file >> partition >> offset;) ends_[partition] = offset;
    }
    for (const std::uint32_t p : consumer_.assigned()) {
      const auto told = ends_.find(p);
      const std::uint64_t end = told != ends_.end() ? told->second : consumer_.committed_offset(p);
      if (consumer_.position(p) < end) return false;
    }
    return true;
  }
  void finish() {
    watermarks_due_ns_ = 0;
    watermarks();
    for (const std::uint32_t p : consumer_.assigned()) log_.add("e", p, consumer_.position(p));
    log_.write();
  }

  struct Row {
    std::uint32_t partition = 0;
    std::uint64_t offset = 0;
    std::uint32_t count = 0;
    std::uint32_t producer = 0;
    std::uint64_t sequence = 0;
  };

  const bool named_;
  const double bytes_per_second_;
  const std::string ends_path_;
  std::map<std::uint32_t, std::uint64_t> ends_;
  LineLog& log_;
  std::mt19937_64 random_;
  Consumer consumer_;
  std::uint64_t bytes_ = 0;
  std::int64_t watermarks_due_ns_ = 0;
  Row row_;
};

}  // namespace

int main(int count, char** words) {
  const Arguments arguments(count, words);
  struct sigaction action{};
  action.sa_handler = [](int) { leaving = true; };
  ::sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = [](int) { finishing = true; };
  ::sigaction(SIGUSR1, &action, nullptr);
  finishing = arguments.text("--until") == "end";
  return play([&] {
    LineLog log(arguments.text("--log"));
    log.add("consumer", arguments.text("--id"), ::getpid(), arguments.text("--topic"),
            arguments.text("--from"), arguments.text("--cursor"));
    log.write();
    Bus bus = join(arguments.text("--socket"));
    StormConsumer(arguments, bus, log).run();
  });
}
