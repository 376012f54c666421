// The board's list of what the log lacks: the supervisor enters a gap, has it grow, lets watermarks
// pass it, and comes to the same place again some gaps later; clients read at any moment.

#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <optional>

#include "client/log_gaps.hpp"
#include "daemon/gap_list.hpp"
// relacy comes last
#include "model/explore.hpp"
#include "model/ring_model.hpp"

using namespace ringway;
using namespace ringway::ring;
using namespace ringway::ring::model;

namespace {

constexpr std::uint32_t kPlaces = 3;
constexpr std::uint64_t kGaps = 5;

// Of each four offsets the first is durable, the second is written and was not synced when the
// device refused, the others left memory: first one of them, then both.
constexpr std::uint64_t kEach = 4;

bool reaches(std::uint64_t offset, Level level) {
  return offset % kEach < (level == Level::written ? 2 : 1);
}

struct Entry {
  explicit Entry(unsigned place)
      : written(Name::log_gap, 3 * place),
        durable(Name::log_gap, 3 * place + 1),
        to(Name::log_gap, 3 * place + 2) {}
  Word<std::uint64_t> written, durable, to;
};

struct Board {
  Word<std::uint32_t> log_gaps{Name::log_gaps};
  std::array<Entry, kPlaces> log_gap{Entry(0), Entry(1), Entry(2)};
};

struct Gaps : rl::test_suite<Gaps, 2> {
  Schedule schedule;
  Board board;
  Word<std::uint64_t> written{Name::watermark, 0};
  Word<std::uint64_t> durable{Name::watermark, 1};

  /// As LogFlush does.
  void supervise() {
    for (std::uint64_t gap = 0; gap < kGaps; ++gap) {
      const std::uint64_t first = gap * kEach;
      pass(first + 2, first + 1);
      daemon::extend_log_gaps(board, first + 2, first + 1, first + 3);
      daemon::extend_log_gaps(board, first + 2, first + 1, first + 4);
    }
    pass(kGaps * kEach + 1, kGaps * kEach + 1);
  }
  void pass(std::uint64_t written_end, std::uint64_t durable_end) {
    written.store(written_end, std::memory_order::release);
    durable.store(durable_end, std::memory_order::release);
  }

  void look() {
    for (int i = 0; i < 2; ++i) {
      const std::uint64_t offset = rl::rand(kGaps * kEach);
      wait(offset, rl::rand(2) == 0 ? Level::written : Level::durable);
      find(offset);
    }
  }

  /// As ProducerState::wait().
  void wait(std::uint64_t offset, Level level) {
    const auto& watermark = level == Level::written ? written : durable;
    const bool passed = offset < watermark.load(std::memory_order::acquire);
    const bool lost = lost_to_log(board, offset, level);
    if (passed && !lost) RL_ASSERT(reaches(offset, level));
  }

  /// No entry is believed that is not whole, and the one that is found is the next.
  void find(std::uint64_t offset) {
    const auto gap = log_gap_before(board, offset);
    if (!gap) return;
    const std::uint64_t first = (gap->to - 1) / kEach * kEach;
    RL_ASSERT(gap->written == first + 2 && gap->durable == first + 1);
    RL_ASSERT(gap->to == first + 3 || gap->to == first + 4);
    RL_ASSERT(offset < gap->to);
    RL_ASSERT(gap->oldest_known || offset >= first);
  }

  void thread(unsigned index) {
    if (index == 0) supervise();
    if (index == 1) look();
  }
};

When of_entry(Op op) {
  return kind(Name::log_gap, op);
}
When of_list(Op op) {
  return [op](const Access& access) {
    return (access.name == Name::log_gaps || access.name == Name::log_gap) && access.op == op;
  };
}

}  // namespace

TEST_CASE("model: nobody is told ok of what the log lacks, or believes half a gap", "[gaps]") {
  CHECK(holds<Gaps>("list of gaps", 100'000, 2, 20'000));
}

TEST_CASE("mutation: GAP, released relaxed, is caught", "[gaps]") {
  Weaken change(std::memory_order::relaxed, kind(Name::log_gaps, Op::store));
  CHECK(caught<Gaps>("GAP, released relaxed", change, 100'000));
}

TEST_CASE("mutation: GAP, acquired relaxed, is caught", "[gaps]") {
  Weaken change(std::memory_order::relaxed, kind(Name::log_gaps, Op::load));
  CHECK(caught<Gaps>("GAP, acquired relaxed", change, 100'000));
}

TEST_CASE("mutation: a gap that is counted before it is whole is caught", "[gaps]") {
  Delay change(of_entry(Op::store), kind(Name::log_gaps, Op::store));
  CHECK(caught<Gaps>("entry after GAP", change, 100'000));
}

TEST_CASE("mutation: TORN, released relaxed, is caught", "[gaps]") {
  Weaken change(std::memory_order::relaxed, of_entry(Op::store));
  CHECK(caught<Gaps>("TORN, released relaxed", change, 100'000));
}

TEST_CASE("mutation: TORN, acquired relaxed, is caught", "[gaps]") {
  Weaken change(std::memory_order::relaxed, of_entry(Op::load));
  CHECK(caught<Gaps>("TORN, acquired relaxed", change, 100'000));
}

TEST_CASE("mutation: a list that is not counted once more is caught", "[gaps]") {
  Repeat change([first = 0u](const Access& access) mutable {
    if (access.name != Name::log_gaps || access.op != Op::load) return false;
    if (first == 0) first = access.where.line();
    return access.where.line() > first;
  });
  CHECK(caught<Gaps>("not counted once more", change, 100'000));
}

TEST_CASE("mutation: a list that is looked at before the watermark is caught", "[gaps]") {
  // What the list says is fixed when the watermark is looked at.
  Early change(kind(Name::watermark, Op::load), of_list(Op::load), ~0u);
  CHECK(caught<Gaps>("the list before the watermark", change, 100'000));
}

TEST_CASE("mutation: a watermark, released relaxed, is caught", "[gaps]") {
  Weaken change(std::memory_order::relaxed, kind(Name::watermark, Op::store));
  CHECK(caught<Gaps>("WRITTEN and DURABLE, released relaxed", change, 100'000));
}

TEST_CASE("mutation: a watermark, acquired relaxed, is caught", "[gaps]") {
  Weaken change(std::memory_order::relaxed, kind(Name::watermark, Op::load));
  CHECK(caught<Gaps>("WRITTEN and DURABLE, acquired relaxed", change, 100'000));
}

TEST_CASE("mutation: a gap that stands there after a watermark has passed it is caught", "[gaps]") {
  Delay change(of_list(Op::store), kind(Name::watermark, Op::store));
  CHECK(caught<Gaps>("a gap behind the watermark", change, 100'000));
}
