// The boundary table: the supervisor writes an entry four laps after it wrote it last, clients read
// it at any moment.

#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <optional>

#include "client/boundary_table.hpp"
#include "daemon/commit_follower.hpp"
// relacy comes last
#include "model/explore.hpp"
#include "model/ring_model.hpp"

using namespace ringway;
using namespace ringway::ring;
using namespace ringway::ring::model;

namespace {

constexpr std::uint64_t kRingUnits = 2;
constexpr std::uint64_t kTableUnits = 4 * kRingUnits;
constexpr std::uint64_t kSegmentsOfUnit = layout::kRingSegments / kRingUnits;

/// A record begins at every unit, and has two offsets.
Place at_unit(std::uint64_t unit) {
  return {unit * kUnit, 1000 + 2 * unit};
}

struct Entry {
  explicit Entry(std::uint64_t unit)
      : position(Name::boundary, static_cast<unsigned>(unit % kTableUnits), at_unit(unit).position),
        offset(Name::boundary_offset, static_cast<unsigned>(unit % kTableUnits),
               at_unit(unit).offset) {}
  Word<std::uint64_t> position, offset;
};

/// Ring segments are a sixteenth of the ring here too: several have the same first boundary, and
/// share its entry.
struct Table {
  Entry& operator[](std::uint64_t segment) const {
    return entries[(segment + kSegmentsOfUnit - 1) / kSegmentsOfUnit % kTableUnits];
  }
  mutable std::array<Entry, kTableUnits> entries;
};

/// What it begins with: units up to this one are settled, and the table is full.
constexpr std::uint64_t kSettled = kTableUnits + kRingUnits;

struct Board {
  Table boundary{{Entry(8), Entry(9), Entry(2), Entry(3), Entry(4), Entry(5), Entry(6), Entry(7)}};
  Word<std::uint64_t> committed_position{Name::committed, 0, kSettled* kUnit};
  Word<std::uint64_t> base_offset;  // of a ring that has not gone round
  Word<std::uint64_t> announced{Name::announced, 0, (kSettled + 1) * kUnit};
};

class BoardView {
 public:
  explicit BoardView(Board& board) noexcept : board_(&board) {}
  Board& board() const noexcept { return *board_; }
  std::uint64_t ring_bytes() const noexcept { return kRingUnits * kUnit; }
  Word<std::uint64_t>& announced() const noexcept { return board_->announced; }

 private:
  Board* board_;
};

struct Boundaries : rl::test_suite<Boundaries, 2> {
  Schedule schedule;
  Board board;

  /// As publish_limit() and CommitFollower do, with a claim of a unit at a time. It may announce
  /// all of them at once: relacy's threads see the last few stores of a word only, and one that
  /// still sees what was announced four laps ago would be missed.
  void supervise() {
    constexpr std::uint64_t kUnits = kTableUnits + 2;
    const bool at_once = rl::rand(2) == 0;
    if (at_once) announce(kSettled + kUnits);
    for (std::uint64_t unit = kSettled; unit < kSettled + kUnits; ++unit) {
      if (!at_once) announce(unit + 1);
      daemon::store_boundary(board.boundary[unit * kSegmentsOfUnit], at_unit(unit));
      board.committed_position.store((unit + 1) * kUnit, std::memory_order::release);
    }
  }
  void announce(std::uint64_t unit) {
    board.announced.store(unit * kUnit, std::memory_order::seq_cst);
  }

  void look() {
    for (int i = 0; i < 2; ++i) {
      static_cast<void>(latest_boundary(BoardView(board), [](const Place& place) {
        RL_ASSERT(place == at_unit(place.position / kUnit));
        return false;
      }));
    }
  }

  void thread(unsigned index) {
    if (index == 0) supervise();
    if (index == 1) look();
  }
};

}  // namespace

TEST_CASE("model: a client finds true boundaries only, whatever is written meanwhile",
          "[boundary]") {
  CHECK(holds<Boundaries>("boundary table", 100'000, 2, 20'000));
}

TEST_CASE("mutation: a boundary's offset, released relaxed, is caught", "[boundary]") {
  Weaken change(std::memory_order::relaxed, kind(Name::boundary_offset, Op::store));
  CHECK(caught<Boundaries>("offset, released relaxed", change, 100'000));
}

TEST_CASE("mutation: a boundary's offset, acquired relaxed, is caught", "[boundary]") {
  Weaken change(std::memory_order::relaxed, kind(Name::boundary_offset, Op::load));
  CHECK(caught<Boundaries>("offset, acquired relaxed", change, 100'000));
}

TEST_CASE("mutation: a boundary's position, released relaxed, is caught", "[boundary]") {
  Weaken change(std::memory_order::relaxed, kind(Name::boundary, Op::store));
  CHECK(caught<Boundaries>("position, released relaxed", change, 100'000));
}

TEST_CASE("mutation: a boundary's position, acquired relaxed, is caught", "[boundary]") {
  Weaken change(std::memory_order::relaxed,
                kind(Name::boundary, Op::load, std::memory_order::acquire));
  CHECK(caught<Boundaries>("position, acquired relaxed", change, 100'000));
}

TEST_CASE("mutation: a boundary's offset after its position is caught", "[boundary]") {
  Delay change(kind(Name::boundary_offset, Op::store), [](const Access& access) {
    return kind(Name::boundary, Op::store)(access) && access.value != daemon::kBoundaryMark;
  });
  CHECK(caught<Boundaries>("offset after position", change, 100'000));
}

TEST_CASE("mutation: neither a second look nor a later one at the window is caught", "[boundary]") {
  // Each holds without the other.
  struct Neither final : Mutation {
    Repeat position{kind(Name::boundary, Op::load, std::memory_order::relaxed)};
    Early window{kind(Name::committed, Op::load), kind(Name::announced, Op::load), ~0u};

    void begin() override {
      position.begin();
      window.begin();
    }
    void before(const Access& access) override { window.before(access); }
    std::optional<std::uint64_t> remembered(const Access& access) override {
      const auto value = window.remembered(access);
      return value ? value : position.remembered(access);
    }
    void loaded(const Access& access, std::uint64_t value) override {
      position.loaded(access, value);
    }
  } change;
  CHECK(caught<Boundaries>("no second look, early window", change, 100'000));
}
