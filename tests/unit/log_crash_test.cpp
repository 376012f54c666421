// Random histories of one partition on a modelled disk: batches and syncs in any order, faults,
// power cuts and kills at any step, then recovery. The seed of a failure is printed; give it to
// RINGWAY_TEST_SEED (with RINGWAY_TEST_HISTORIES=1) to see it again.

#include <catch2/catch.hpp>
#include <cstdlib>
#include <functional>
#include <optional>

#include "log/verify.hpp"
#include "support/log_driver.hpp"
#include "support/model_disk.hpp"

namespace ringway::test::log_crash_test {
namespace {

enum class Crash { power_cut, kill };
/// Whether old segments go now and then, to be written over as the next ones.
enum class Recycling { none, some };

class History {
 public:
  explicit History(std::uint64_t seed, Recycling recycling = Recycling::none)
      : recycling_(recycling),
        random_(seed),
        disk_(seed ^ 1),
        source_(32 * 1024, start_of(below(4))) {
    settings_.block_bytes = std::uint64_t{4096} << below(3);
    settings_.segment_bytes = 16 * 1024 + below(64 * 1024);
    settings_.record_bytes_max = 8 * 1024;
    start_ = {source_.tail(), {}, log::kNoTime, {}};
  }

  void run() {
    for (int life = 0; life < 6; ++life) {
      live();
      die_and_recover();
    }
    open();
    driver_->drain();
    REQUIRE(driver_->log().durable() == source_.tail());
    driver_.reset();
    check_all(source_.tail());
  }
  std::uint64_t recycled() const { return recycled_; }
  std::uint64_t unsettled() const { return unsettled_; }

 private:
  static log::LogPoint start_of(std::uint64_t choice) {
    return choice == 0 ? log::LogPoint{0, 0} : log::LogPoint{choice * 4096, choice * 1000};
  }
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  void open() {
    driver_.emplace(disk_, disk_, source_, settings_, start_);
    written_ = start_.predecessor_end;
    durable_ = start_.durable;
  }

  void live() {
    open();
    const std::uint64_t steps = 5 + below(120);
    for (std::uint64_t step = 0; step < steps; ++step) {
      switch (below(9)) {
        case 0:
        case 1:
        case 2:
          add_records();
          break;
        case 3:
          driver_->note_up_to(source_.tail());
          break;
        case 4:
          driver_->note_up_to(source_.tail());
          static_cast<void>(below(2) == 0 ? driver_->submit() : driver_->submit_synced());
          break;
        case 5:
        case 6:
          driver_->reap_one();
          break;
        case 7:
          driver_->sync();
          break;
      }
      if (recycling_ == Recycling::some && below(12) == 0) retire();
      if (below(40) == 0) inject();
      if (driver_->written().position > written_.position) written_ = driver_->written();
      if (driver_->durable().position > durable_.position) durable_ = driver_->durable();
    }
    disk_.heal();
  }

  void add_records() {
    for (std::uint64_t i = 0; i <= below(12); ++i) {
      const std::uint64_t bytes = below(10) == 0 ? below(8000) : below(200);
      if (!source_.room(bytes, durable_.position)) return;
      if (below(10) == 0) {
        source_.skip(layout::round_up_to_unit(bytes + 32), below(2));
      } else {
        source_.add(std::string(bytes, static_cast<char>('a' + below(26))),
                    static_cast<std::int64_t>(5000 + source_.tail().offset - below(50)));
      }
    }
  }

  void retire() {
    const auto segments = driver_->log().segments();
    if (segments.size() < 2) return;
    const std::size_t count = 1 + below(segments.size() - 1);
    gone_below_ = std::max(gone_below_, segments[count].first.offset);
    ++recycled_;
    static_cast<void>(driver_->log().retire(count, true));
  }

  void inject() {
    static constexpr Call kCalls[] = {Call::batch_write, Call::batch_sync,     Call::reserve,
                                      Call::open,        Call::write,          Call::sync,
                                      Call::rename,      Call::sync_directory, Call::truncate};
    disk_.fail(kCalls[below(std::size(kCalls))], 1 + static_cast<int>(below(3)),
               below(2) == 0 ? EIO : ENOSPC);
  }

  void die_and_recover() {
    const Crash crash = below(2) == 0 ? Crash::power_cut : Crash::kill;
    driver_.reset();
    if (crash == Crash::power_cut) {
      disk_.power_cut();
    } else {
      disk_.kill();
    }
    const log::LogIdentity identity = LogDriver::identity();
    const auto mode =
        crash == Crash::power_cut ? log::RecoverMode::repair : log::RecoverMode::adopt;
    const log::Recovered recovered = log::recover(disk_, kDirectory, mode, &identity);
    CAPTURE(recovered.end.offset, durable_.offset, written_.offset, source_.tail().offset);
    REQUIRE(recovered.damaged.empty());
    REQUIRE(recovered.foreign.empty());
    const log::LogPoint end = recovered.end;
    const log::LogPoint kept = crash == Crash::kill ? written_ : durable_;
    // A mark at the place where a ring began says nothing: there was a jump before it.
    if (kept != source_.first()) {
      REQUIRE(end.position >= kept.position);
      REQUIRE(end.offset >= kept.offset);
    }
    REQUIRE(end.position <= source_.tail().position);
    check_all(end);

    // Recovery is repeatable.
    const log::Recovered again = log::recover(disk_, kDirectory, mode, &identity);
    REQUIRE(again.end == recovered.end);
    REQUIRE(!again.torn);
    start_ = again.go_on();
    // As the board says: the ring may have been reused up to there.
    if (start_.durable.position < durable_.position) start_.durable = durable_;
    unsettled_ += start_.durable != end ? 1 : 0;
    // Nothing of this ring was written yet: its first record follows a jump.
    if (end.offset < source_.first().offset) start_ = again.jump(source_.first());
    if (crash == Crash::power_cut) {
      const log::LogPoint at{log::page_ceil(source_.tail().position) + 4096 * below(3),
                             source_.tail().offset + 1 + below(100)};
      start_ = again.jump(at);
      source_.begin_again(at, end);
    }
  }

  /// Every record below `end` is there, once, in order and whole; nothing else is.
  void check_all(log::LogPoint end) {
    auto expected = source_.records.begin();
    std::uint64_t retired = 0;
    const log::LogReport report =
        log::verify_log(disk_, kDirectory, [&](const log::Record& record) {
          CAPTURE(record.at.offset, record.at.position, gone_below_);
          while (expected != source_.records.end() && expected->first < record.at.offset &&
                 expected->first < gone_below_) {
            ++expected;
            ++retired;
          }
          REQUIRE(expected != source_.records.end());
          REQUIRE(record.at.offset == expected->first);
          REQUIRE(record.at == expected->second.at);
          REQUIRE(record.header.timestamp_ns == expected->second.time);
          REQUIRE(std::string(reinterpret_cast<const char*>(record.body.data()),
                              record.body.size()) == expected->second.value);
          ++expected;
          return true;
        });
    REQUIRE(report.holes.empty());
    const auto stop = source_.records.lower_bound(end.offset);
    for (; report.records == 0 && expected != stop && expected->first < gone_below_; ++expected) {
      ++retired;
    }
    REQUIRE((expected == stop || expected == source_.records.end()));
    REQUIRE(static_cast<std::uint64_t>(std::distance(source_.records.begin(), stop)) ==
            retired + report.records);
  }

  Recycling recycling_;
  std::mt19937_64 random_;
  ModelDisk disk_;
  RecordSource source_;
  std::uint64_t gone_below_ = 0;  // what lies before may have been retired
  std::uint64_t recycled_ = 0;
  std::uint64_t unsettled_ = 0;  // adoptions that left the last sync to the log
  log::LogSettings settings_;
  log::LogStart start_;
  std::optional<LogDriver> driver_;
  log::LogPoint written_;
  log::LogPoint durable_;
};

}  // namespace

namespace {

/// Runs histories of consecutive seeds.
void run_histories(const std::function<void(std::uint64_t seed)>& run) {
  const auto number = [](const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
  };
  const std::uint64_t first = number("RINGWAY_TEST_SEED", 1);
  const std::uint64_t count = number("RINGWAY_TEST_HISTORIES", 400);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    CAPTURE(seed);
    run(seed);
  }
}

}  // namespace

TEST_CASE("log: nothing durable is lost and nothing torn is read after any crash", "[log]") {
  std::uint64_t unsettled = 0;
  run_histories([&](std::uint64_t seed) {
    History history(seed);
    history.run();
    unsettled += history.unsettled();
  });
  CHECK(unsettled > 0);
}

TEST_CASE("log: recycled files full of old blocks are recovered right after any crash", "[log]") {
  std::uint64_t recycled = 0;
  run_histories([&](std::uint64_t seed) {
    History history(seed, Recycling::some);
    history.run();
    recycled += history.recycled();
  });
  CHECK(recycled > 0);
}

}  // namespace ringway::test::log_crash_test
