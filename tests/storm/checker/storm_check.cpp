// Judges a storm by the plain lines that its roles and its director left behind in a directory.
// Knows nothing of the bus but what stands here; every rule is one that the guarantees make.
//
//   storm_check DIRECTORY     exit status 0: nothing wrong; 1: findings; 2: lines that cannot be
//   read
//
// DIRECTORY/storm.log, by the director:
//
//   loss FROM TO        between these two times (ns) nobody but clients had the rings
//   refused TOPIC FROM TO   between these two times its disk may have refused it, and it went on in
//                       memory only; what it had been given before was written
//   last ID             this consumer read everything at last, from the log alone: what it gave is
//                       what is there
//   must-end ID         this consumer was asked to go on up to the end
//
// DIRECTORY/producer-*.log and consumer-*.log: storm_producer.cpp and storm_consumer.cpp say what
// their lines mean.

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <utility>

#include "findings.hpp"
#include "ledger.hpp"
#include "log_lines.hpp"
#include "reader_stream.hpp"

namespace storm_check {
namespace {

namespace fs = std::filesystem;

class Check {
 public:
  explicit Check(fs::path directory) : directory_(std::move(directory)) {}

  int run() {
    each_line(directory_ / "storm.log", [&](Line line) { take_director(line); });
    for (const fs::path& path : files("producer-")) read_producer(path);
    const std::vector<Reader> readers = find_readers();
    for (const Reader& reader : readers) {
      if (last_.contains(reader.id)) read_last(reader);
    }
    for (const Reader& reader : readers) read_consumer(reader);
    for (const std::uint64_t id : must_end_) {
      if (!ended_.contains(id)) {
        findings_.add("hung", "consumer " + std::to_string(id) + " did not reach the end");
      }
    }
    std::uint64_t told = 0;
    std::uint64_t at_last = 0;
    for (auto& [name, ledger] : ledgers_) {
      ledger->judge(losses_);
      told += ledger->records_told();
      at_last += ledger->records_at_last();
    }
    std::printf("records told %lu, there at last %lu, seen by consumers %lu times\n", told, at_last,
                seen_);
    std::size_t losses = 0;
    std::size_t refusals = 0;
    for (const Loss& loss : losses_) {
      if (loss.of_all_memory()) {
        std::printf("loss %zu: %lu records\n", losses++, loss.records);
      } else {
        std::printf("refusal %zu: %lu records\n", refusals++, loss.records);
      }
    }
    findings_.print();
    return findings_.none() ? 0 : 1;
  }

 private:
  struct Reader {
    std::uint64_t id = 0;
    std::string topic;
    std::string kind;
    std::string cursor;
    fs::path path;
  };

  std::vector<fs::path> files(const std::string& prefix) const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(directory_)) {
      if (entry.path().filename().string().starts_with(prefix)) found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  Ledger& ledger(const std::string& topic, std::uint64_t partition) {
    const std::string name = topic + "/" + std::to_string(partition);
    auto& found = ledgers_[name];
    if (!found) found = std::make_unique<Ledger>(name, not_ended_[topic], findings_);
    return *found;
  }

  void take_director(Line line) {
    const std::string_view kind = line.word();
    if (kind == "loss") {
      const auto from = line.number<std::int64_t>();
      losses_.push_back({from, line.number<std::int64_t>(), {}});
    } else if (kind == "refused") {
      const std::string topic(line.word());
      const auto from = line.number<std::int64_t>();
      losses_.push_back({from, line.number<std::int64_t>(), topic});
    } else if (kind == "last") {
      last_.insert(line.number());
    } else if (kind == "must-end") {
      must_end_.insert(line.number());
    } else {
      throw std::invalid_argument("no such kind of line");
    }
  }

  void read_producer(const fs::path& path) {
    std::uint32_t id = 0;
    std::string topic;
    each_line(path, [&](Line line) {
      const std::string_view kind = line.word();
      if (kind == "producer") {
        id = line.number<std::uint32_t>();
        line.word();
        topic = line.word();
        not_ended_[topic].insert(id);
      } else if (kind == "p") {
        const auto partition = line.number();
        const Run run{line.number(), line.number(), id, line.number()};
        const auto t0 = line.number<std::int64_t>();
        ledger(topic, partition).told(run, t0, line.number<std::int64_t>());
      } else if (kind == "w") {
        const std::string_view level = line.word();
        const auto partition = line.number();
        ledger(topic, partition).told_level(level_of(level), line.number());
      } else if (kind == "a") {
        const auto partition = line.number();
        const auto offset = line.number();
        ledger(topic, partition).aborted(offset, line.number());
      } else if (kind == "e") {
        not_ended_[topic].erase(id);
      } else if (kind != "n") {
        throw std::invalid_argument("no such kind of line");
      }
    });
  }

  static Level level_of(std::string_view letter) {
    if (letter == "c") return Level::committed;
    if (letter == "w") return Level::written;
    if (letter == "d") return Level::durable;
    throw std::invalid_argument("no such level");
  }

  /// In the order in which they were started.
  std::vector<Reader> find_readers() const {
    std::vector<Reader> readers;
    for (const fs::path& path : files("consumer-")) {
      bool first = true;
      each_line(path, [&](Line line) {
        if (!std::exchange(first, false)) return;
        if (line.word() != "consumer") throw std::invalid_argument("no head");
        Reader reader;
        reader.id = line.number();
        line.word();
        reader.topic = line.word();
        reader.kind = line.word();
        reader.cursor = line.word();
        reader.path = path;
        readers.push_back(reader);
      });
    }
    std::sort(readers.begin(), readers.end(),
              [](const Reader& a, const Reader& b) { return a.id < b.id; });
    return readers;
  }

  static Run run_of(Line& line) {
    const auto offset = line.number();
    const auto count = line.number();
    const auto producer = line.number<std::uint32_t>();
    return {offset, count, producer, line.number()};
  }

  void read_last(const Reader& reader) {
    each_line(reader.path, [&](Line line) {
      const std::string_view kind = line.word();
      if (kind != "c" && kind != "m") return;
      Ledger& here = ledger(reader.topic, line.number());
      if (kind == "c") {
        here.at_last(run_of(line));
      } else {
        const auto durable = line.number();
        const auto written = line.number();
        last_levels_[&here] = {durable, written, line.number()};
      }
    });
    for (const auto& [here, levels] : last_levels_) {
      here->watermarks_at_last(levels[0], levels[1], levels[2]);
    }
    last_levels_.clear();
  }

  void read_consumer(const Reader& reader) {
    const std::string name = "consumer " + std::to_string(reader.id);
    std::map<std::uint64_t, ReaderStream> streams;
    const auto stream = [&](std::uint64_t partition) -> ReaderStream& {
      return streams.try_emplace(partition, name, ledger(reader.topic, partition), findings_)
          .first->second;
    };
    const auto chain = [&](std::uint64_t partition) -> CursorChain* {
      if (reader.kind != "cursor") return nullptr;
      return &chains_[reader.topic + "/" + std::to_string(partition) + "/" + reader.cursor];
    };
    each_line(reader.path, [&](Line line) {
      const std::string_view kind = line.word();
      if (kind == "consumer") return;
      const auto partition = line.number();
      if (kind == "s") {
        begin(stream(partition), chain(partition), reader.kind, line.number());
      } else if (kind == "c") {
        const Run run = run_of(line);
        seen_ += run.count;
        stream(partition).saw(run);
        if (CursorChain* const held = chain(partition)) {
          held->behind_seen = std::max(held->behind_seen, run.offset + run.count);
        }
      } else if (kind == "x") {
        const auto offset = line.number();
        findings_.add("forged", name + " at " + ledger(reader.topic, partition).at(offset) + ": " +
                                    std::string(line.word()));
      } else if (kind == "g") {
        const auto from = line.number();
        const auto to = line.number();
        const std::string place = ledger(reader.topic, partition).at(from);
        const bool may_be = std::any_of(losses_.begin(), losses_.end(),
                                        [&](const Loss& loss) { return loss.concerns(place); });
        stream(partition).gap(from, to, std::string(line.word()), may_be);
      } else if (kind == "m") {
        const auto durable = line.number();
        const auto written = line.number();
        stream(partition).watermarks(durable, written, line.number());
      } else if (kind == "k") {
        CursorChain* const held = chain(partition);
        if (held == nullptr) throw std::invalid_argument("it has no cursor");
        held->kept = line.number();
        held->kept_ns = line.number<std::int64_t>();
      } else if (kind == "e") {
        stream(partition).ended(line.number(), must_end_.contains(reader.id));
        ended_.insert(reader.id);
      } else {
        throw std::invalid_argument("no such kind of line");
      }
    });
  }

  void begin(ReaderStream& stream, CursorChain* chain, const std::string& kind,
             std::uint64_t position) const {
    if (kind == "start") {
      stream.begin_at_first();
    } else if (chain != nullptr) {
      stream.begin_behind(*chain, position, losses_);
    } else {
      stream.begin_at(position);
    }
  }

  const fs::path directory_;
  Findings findings_;
  std::vector<Loss> losses_;
  std::set<std::uint64_t> last_;
  std::set<std::uint64_t> must_end_;
  std::set<std::uint64_t> ended_;
  std::map<std::string, std::set<std::uint32_t>> not_ended_;  // producers, by topic
  std::map<std::string, std::unique_ptr<Ledger>> ledgers_;
  std::map<Ledger*, std::array<std::uint64_t, 3>> last_levels_;
  std::map<std::string, CursorChain> chains_;
  std::uint64_t seen_ = 0;
};

}  // namespace
}  // namespace storm_check

int main(int count, char** words) {
  if (count != 2) {
    std::fprintf(stderr, "usage: storm_check DIRECTORY\n");
    return 2;
  }
  try {
    return storm_check::Check(words[1]).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
