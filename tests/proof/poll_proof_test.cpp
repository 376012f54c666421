// A consumer is killed between any two instructions of pin, look, walk, advance and unpin. While
// its pin stands nothing under it is overwritten; once it is known to be dead nobody waits for it.

#include <catch2/catch.hpp>

#include "client/partition_cursor.hpp"
#include "proof/performance.hpp"
#include "proof/states.hpp"

namespace ringway::proof {
namespace {

using layout::TopicMode;

/// A log of which retention has taken everything that the ring does not have.
class EmptiedLog final : public LogSource {
 public:
  explicit EmptiedLog(log::LogPoint first) : first_(first) {}
  LogChunk read(log::LogPoint) noexcept override {
    return {LogChunk::Kind::gap, first_, {}, Status::not_found};
  }
  LogChunk read_offset(std::uint64_t) noexcept override { return read({}); }
  TimePlace find_time(std::int64_t) noexcept override { return {}; }
  void expect(LogEnd) noexcept override {}
  void rest() noexcept override {}

 private:
  log::LogPoint first_;
};

/// Eight records that nobody has read; the supervisor has seen five of them.
void some_came(Cast& cast) {
  in_the_middle(cast);
  for (int i = 0; i < 8; ++i) {
    if (i == 5) cast.follow();
    cast.publish(200);
  }
}

void some_came_across_the_end(Cast& cast) {
  before_the_wrap(cast);
  for (int i = 0; i < 8; ++i) {
    if (i == 1) cast.follow();
    cast.publish(200);
  }
}

/// ... and the ring is full.
void all_of_it_came(Cast& cast) {
  in_the_middle(cast);
  cast.fill_up();
  cast.follow();
}

/// The ring's own reader: three records a time, in place.
Act reads() {
  return [](Cast& cast, Seat seat) -> Puppet::Part {
    return [view = cast.view(), slot = &cast.stage().slot(seat), place = cast.place()]() mutable {
      Reader reader(view, *slot);
      for (int poll = 0; poll < 3; ++poll) {
        const std::uint64_t announced = reader.pin(place.position);
        layout::RecordHeader header;
        for (int i = 0; i < 3 && place.position < announced &&
                        ring::peek(view, place.position, header) == ring::Found::record;
             ++i) {
          place.pass(header);
        }
        reader.unpin();
      }
    };
  };
}

struct Polling {
  std::shared_ptr<PartitionCursor> cursor;
  RecordList records{3};
  std::vector<Gap> gaps;
};

/// A Consumer's cursor on the partition: polls, keeps its position, polls again.
Act polls(TopicMode mode, std::optional<std::uint64_t> from = {}) {
  return [=](Cast& cast, Seat seat) -> Puppet::Part {
    auto polling = std::make_shared<Polling>();
    polling->cursor = std::make_shared<PartitionCursor>(
        0, cast.view(), cast.stage().slot(seat), mode,
        std::make_unique<EmptiedLog>(log::LogPoint{cast.place().position, cast.place().offset}));
    polling->cursor->go_to({Status::ok, from.value_or(cast.place().offset), {}});
    polling->gaps.reserve(3);
    return [polling, told = &cast.stage().told()] {
      for (int poll = 0; poll < 3; ++poll) {
        polling->records.clear();
        PartitionCursor::Harvest harvest{polling->records, 3, polling->gaps};
        static_cast<void>(polling->cursor->collect(harvest));
        told->collected = polling->cursor->offset();
        polling->cursor->keep_committed();
        polling->cursor->release();
      }
    };
  };
}

Scene scene(std::string state, Act act, std::function<void(Cast&)> beginning,
            ring::Mapping mapping = ring::Mapping::mirrored) {
  return {.state = std::move(state),
          .victim = std::move(act),
          .beginning = std::move(beginning),
          .mapping = mapping,
          .role = Scene::Role::reader};
}

}  // namespace

TEST_CASE("poll: killed at every instruction, its pin protects, then holds up nobody", "[proof]") {
  perform(
      "poll, pin, advance, unpin",
      {scene("the ring's reader, in the middle of a lap", reads(), some_came),
       scene("the ring's reader, of a full ring", reads(), all_of_it_came),
       scene("a cursor of a persisted topic", polls(TopicMode::persisted), some_came),
       scene("a cursor across the end, mapped once", polls(TopicMode::persisted),
             some_came_across_the_end, ring::Mapping::single),
       scene("a cursor of a full ring", polls(TopicMode::persisted), all_of_it_came),
       scene("a cursor whose place has left the ring", polls(TopicMode::persisted, 0), some_came),
       scene("a cursor that producers wait for", polls(TopicMode::memory_block), some_came),
       scene("a cursor at the end", polls(TopicMode::persisted), in_the_middle)});
}

}  // namespace ringway::proof
