// The shipped ring code on plain memory, by real threads at full speed: producers that batch, abort
// and die in mid-claim, consumers that look at records in place, a supervisor that repairs and
// moves the limit. Meant for the sanitizers above all.

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <optional>
#include <random>
#include <thread>

#include "ring/reader.hpp"
#include "ring/writer.hpp"
#include "stress/plain_bus.hpp"

namespace ringway::stress {
namespace {

using Writer = ring::Writer<ring::PartitionView, layout::Slot>;
using Reader = ring::Reader<ring::PartitionView, layout::Slot>;

constexpr std::uint32_t kWriters = 2;
constexpr std::uint32_t kWordsMax = 40;

/// The words of a record follow from who wrote it and which of his it is.
struct Content {
  std::uint32_t writer;
  std::uint64_t sequence;

  std::uint32_t words() const noexcept {
    return 1 + static_cast<std::uint32_t>(word(0) % kWordsMax);
  }
  std::uint64_t word(std::uint32_t index) const noexcept {
    return ring::mix(sequence * kWriters + writer + (std::uint64_t{index} << 48));
  }
};

std::uint64_t size_of(const Content& content) noexcept {
  return layout::record_bytes(8 + 8 * content.words(), 0, 0);
}

void fill(const ring::PartitionView& view, std::uint64_t position, const Content& content) {
  layout::RecordHeader header{};
  header.kind = static_cast<std::uint8_t>(layout::RecordKind::data);
  header.producer = content.writer;
  header.payload_bytes = 8 + 8 * content.words();
  view.store_header(position, header);
  std::byte* body = view.at(position) + sizeof header;
  std::memcpy(body, &content.sequence, 8);
  for (std::uint32_t i = 0; i < content.words(); ++i) {
    const std::uint64_t word = content.word(i);
    std::memcpy(body + 8 + 8 * i, &word, 8);
  }
}

struct Run {
  PlainBus bus;
  SteadyPlace steady;
  std::atomic<bool> stop = false;  // producers: finish
  std::atomic<std::uint32_t> writing = kWriters;
  std::atomic<bool> settled = false;  // everything claimed is settled
  std::atomic<std::uint32_t> reading = PlainBus::kReaders;
  std::atomic<std::uint64_t> passed = 0;            // by the supervisor
  std::array<std::uint64_t, kWriters> published{};  // read after the threads were joined
  std::atomic<std::uint64_t> deaths = 0;
  std::atomic<std::uint64_t> repairs = 0;
  std::atomic<std::uint64_t> evictions = 0;

  /// Whoever stands still for ever has everybody's place told.
  void await_end() {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (writing != 0 || !settled || reading != 0) {
      if (std::chrono::steady_clock::now() > patience) {
        std::cerr << writing << " producers and " << reading << " consumers have not ended, all is "
                  << (settled ? "settled" : "not settled") << "; " << deaths << " deaths, "
                  << repairs << " repairs; the supervisor has passed " << passed
                  << ", the steady consumer " << steady.get().position << '\n';
        bus.tell(std::cerr);
        std::abort();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
};

/// A producer: single records, batches, aborts, and deaths at each stage of a claim.
class Producing {
 public:
  Producing(Run& run, std::uint32_t id) : run_(run), id_(id), random_(1 + id) { reopen(); }

  void operator()() {
    while (!run_.stop.load(std::memory_order::relaxed)) step();
    run_.published[id_] = next_;
    run_.bus.life[slot_].store(PlainBus::free_slot);
    --run_.writing;
  }

 private:
  std::uint32_t draw(std::uint32_t below) { return static_cast<std::uint32_t>(random_()) % below; }
  bool chance(std::uint32_t one_in) { return draw(one_in) == 0; }

  void reopen() {
    slot_ = run_.bus.take_slot();
    writer_.emplace(run_.bus.view(), run_.bus.writers[slot_]);
  }

  void step() {
    const std::uint32_t records = chance(8) ? 2 + draw(6) : 1;
    const std::uint64_t unused = chance(4) ? layout::kUnitBytes : 0;
    std::uint64_t bytes = unused;
    for (std::uint32_t i = 0; i < records; ++i) bytes += size_of({id_, next_ + i});
    const ring::Claimed claim = writer_->try_claim(bytes, records);
    if (claim.status != Status::ok) {
      std::this_thread::yield();
      return;
    }
    const std::uint32_t fate = draw(256);
    if (fate == 0) return die(claim, layout::Intent::trying);
    if (fate == 1) return die(claim, layout::Intent::owned);
    std::uint64_t position = claim.position;
    for (std::uint32_t i = 0; i < records; ++i) {
      const Content content{id_, next_ + i};
      fill(run_.bus.view(), position, content);
      if (i != 0) writer_->stamp_inner(position);
      position += size_of(content);
    }
    if (fate == 2) return die(claim, layout::Intent::owned);
    if (fate < 8) return writer_->abort(claim, records);
    if (unused != 0) {
      run_.bus.view().store_header(position, layout::skip_header(unused, 0));
      writer_->stamp_inner(position);
    }
    writer_->commit(claim);
    next_ += records;
    if (fate == 8) leave(claim, layout::Intent::owned);
  }

  /// Dies with the claim unsettled: right behind the CAS when the slot still says `trying`.
  void die(const ring::Claimed& claim, layout::Intent state) {
    ++run_.deaths;
    leave(claim, state);
  }

  /// What kill -9 leaves: the slot says what it said, and nobody comes back to it.
  void leave(const ring::Claimed& claim, layout::Intent state) {
    run_.bus.writers[slot_].word.store(layout::pack_intent(claim.first, state),
                                       std::memory_order::release);
    run_.bus.life[slot_].store(PlainBus::dead_slot);
    reopen();
  }

  Run& run_;
  std::uint32_t id_;
  std::mt19937 random_;
  std::uint64_t next_ = 0;  // sequence of the next record
  std::size_t slot_ = 0;
  std::optional<Writer> writer_;
};

/// Repairs the dead, passes what is settled, hands it back to producers.
void supervise(Run& run) {
  PlainBus& bus = run.bus;
  const auto view = bus.view();
  ring::Place place{0, 0};
  std::uint64_t rounds = 0;
  std::array<ring::Claimant<layout::Slot>, PlainBus::kWriterSlots> claimants;
  std::array<ring::Intention, PlainBus::kWriterSlots> scratch;
  for (;;) {
    const bool last = run.writing.load() == 0;
    bool dead = false;
    for (std::size_t i = 0; i < bus.life.size(); ++i) {
      claimants[i] = {&bus.writers[i], bus.life[i].load() == PlainBus::dead_slot};
    }
    for (std::size_t i = 0; i < bus.life.size(); ++i) {
      if (!claimants[i].dead) continue;
      const auto outcome =
          ring::repair<ring::PartitionView, layout::Slot>(view, claimants, i, scratch);
      if (outcome.step == ring::RepairStep::hostile) std::abort();
      if (outcome.step == ring::RepairStep::again || outcome.step == ring::RepairStep::nobody) {
        dead = true;
        continue;
      }
      run.repairs += outcome.step == ring::RepairStep::finished;
      bus.writers[i].word.store(0);
      claimants[i].dead = false;
      bus.life[i].store(PlainBus::free_slot);
    }
    const std::uint64_t announced = view.announced().load(std::memory_order::relaxed);
    // Reused before it was passed: the stamp there would be waited for for ever.
    if (place.position + view.ring_bytes() < announced) std::abort();
    if (ring::walk(view, place, announced, [](auto&&...) {}) == ring::Found::corrupt) std::abort();
    run.passed.store(place.position, std::memory_order::relaxed);
    // Now and then it stands still where it hurts, as if others had its core.
    if (++rounds % 256 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    // The steady one may have come further since the walk. What lies between is not handed back.
    const ring::Place read = run.steady.get();
    ring::publish_limit(
        view, read.position < place.position ? read : place, bus.readers.size(),
        [&](std::size_t i) { return bus.readers[i].pin.load(std::memory_order::acquire); },
        bus.draw());
    if (last && !dead && place.position == bus.tail_position()) break;
    std::this_thread::yield();
  }
  run.settled.store(true);
}

/// The steady one keeps up and is waited for; the lax one pauses and is not.
enum class Pace { steady, lax };

/// Looks at every record in place. What it may not see is counted, for the test to judge.
class Consuming {
 public:
  Consuming(Run& run, std::size_t index, Pace pace)
      : run_(run), pace_(pace), reader_(run.bus.view(), run.bus.readers[index]) {}

  void operator()() {
    for (;;) {
      const bool last = run_.settled.load();
      poll();
      if (last && place_.position == run_.bus.tail_position()) break;
      std::this_thread::yield();
    }
    --run_.reading;
  }

  ring::Place place_{0, 0};
  std::array<std::uint64_t, kWriters> next_{};
  std::uint64_t wrong_ = 0;    // bytes that nobody wrote
  std::uint64_t missing_ = 0;  // records passed over
  std::uint64_t doubled_ = 0;  // or out of order

 private:
  void poll() {
    const std::uint64_t announced = reader_.pin(place_.position);
    if (announced == 0) {
      ++run_.evictions;
      place_ = run_.steady.get();
      return;
    }
    std::uint32_t records = 0;
    const auto view = run_.bus.view();
    layout::RecordHeader header;
    while (records < 64 && place_.position < announced) {
      const ring::Found found = ring::peek(view, place_.position, header);
      wrong_ += found == ring::Found::corrupt;
      if (found != ring::Found::record) break;
      if (pace_ == Pace::lax && polls_ % 64 == 32 && records == 0) pause();  // record in hand
      if (header.kind == static_cast<std::uint8_t>(layout::RecordKind::data)) verify(view, header);
      place_.pass(header);
      ++records;
    }
    reader_.unpin();
    if (pace_ == Pace::steady) run_.steady.set(place_);
    if (pace_ == Pace::lax && ++polls_ % 64 == 0) pause();
  }

  static void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

  void verify(const ring::PartitionView& view, const layout::RecordHeader& header) {
    const std::byte* body = view.at(place_.position) + sizeof header;
    Content content{header.producer, 0};
    std::memcpy(&content.sequence, body, 8);
    if (content.writer >= kWriters || header.payload_bytes != 8 + 8 * content.words()) {
      ++wrong_;
      return;
    }
    for (std::uint32_t i = 0; i < content.words(); ++i) {
      std::uint64_t word;
      std::memcpy(&word, body + 8 + 8 * i, 8);
      wrong_ += word != content.word(i);
    }
    std::uint64_t& next = next_[content.writer];
    doubled_ += content.sequence < next;
    missing_ += content.sequence > next ? content.sequence - next : 0;
    next = content.sequence + 1;
  }

  Run& run_;
  Pace pace_;
  Reader reader_;
  std::uint64_t polls_ = 0;
};

TEST_CASE("ring: threads lose, double and tear nothing while producers die", "[stress]") {
  Run run;
  run.bus.open();
  Consuming steady(run, 0, Pace::steady);
  Consuming lax(run, 1, Pace::lax);
  {
    std::vector<std::jthread> threads;
    threads.emplace_back(supervise, std::ref(run));
    threads.emplace_back(std::ref(steady));
    threads.emplace_back(std::ref(lax));
    for (std::uint32_t id = 0; id < kWriters; ++id) threads.emplace_back(Producing(run, id));
    std::this_thread::sleep_for(std::chrono::seconds(std::getenv("RINGWAY_TEST_LONG") ? 120 : 4));
    run.stop.store(true);
    run.await_end();
  }
  WARN(run.published[0] + run.published[1] << " records, " << run.deaths << " deaths, "
                                           << run.repairs << " repairs, " << run.evictions
                                           << " evictions");
  CHECK(run.published[0] > 0);
  CHECK(run.published[1] > 0);
  CHECK(run.deaths > 0);
  CHECK(run.repairs == run.deaths);
  CHECK(steady.wrong_ == 0);
  CHECK(steady.missing_ == 0);
  CHECK(steady.doubled_ == 0);
  CHECK(steady.next_ == run.published);
  CHECK(lax.wrong_ == 0);
  CHECK(lax.doubled_ == 0);
  CHECK(steady.place_ == lax.place_);
  CHECK(steady.place_.position == run.bus.tail_position());
}

}  // namespace
}  // namespace ringway::stress
