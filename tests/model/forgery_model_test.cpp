#include <catch2/catch.hpp>

// relacy comes last
#include "model/explore.hpp"
#include "model/ring_model.hpp"

using namespace ringway;
using namespace ringway::ring;
using namespace ringway::ring::model;

namespace {

using Ring = ModelRing<4>;
using View = ModelView<Ring>;

/// A producer fills the second half of its record with the stamp that a record there would have
/// one lap later, as far as it can know it; then it claims up to that place and stops. A consumer
/// and the flusher stand before it.
struct Forgery : rl::test_suite<Forgery, 3> {
  Ring ring;
  ModelSlot slot0{0}, slot1{1};
  Place flushed{0, 0};

  void before() {
    open_ring(View(ring), 0, [this] { return ring.draw(); });
    ring.supervisor = 2;
  }

  void produce() {
    Writer<View, ModelSlot> writer(View(ring), slot0);
    const auto publish = [&](std::uint64_t units) {
      for (unsigned tries = 0; tries < 4; ++tries) {
        const Claimed claim = writer.try_claim(units * kUnit, 1);
        if (claim.status != Status::ok) continue;
        writer.view().store_header(claim.position, data_header(units * kUnit, claim.position));
        for (std::uint64_t i = 1; i < units; ++i) {
          const std::uint64_t at = claim.position + i * kUnit;
          writer.view().write(at, at, current_stamp(writer.view(), at + Ring::kBytes));
        }
        writer.commit(claim);
        return true;
      }
      return false;
    };
    if (!publish(2) || !publish(2) || !publish(1)) return;
    if (rl::rand(2) == 0) (void)writer.try_claim(kUnit, 1);  // never committed
  }

  void check(const Place& at, const layout::RecordHeader& header) {
    const Truth* claim = ring.claim_at(at.position);
    RL_ASSERT(claim != nullptr && claim->state == Truth::State::settled);
    RL_ASSERT(header.producer == at.position);
  }

  void consume() {
    Reader<View, ModelSlot> reader(View(ring), slot1);
    Place place{0, 0};
    for (unsigned tries = 0; tries < 5; ++tries) {
      const std::uint64_t announced = reader.pin(place.position);
      if (announced == 0) {
        const Truth* claim = ring.claim_at(place.position);
        place = {claim->position + claim->bytes, claim->offset + claim->offsets};
        continue;
      }
      RL_ASSERT(walk(reader.view(), place, announced, [this](const Place& at, const auto& header) {
                  check(at, header);
                }) == Found::nothing);
      reader.unpin();
    }
  }

  void supervise() {
    const View view(ring);
    for (unsigned round = 0; round < 4; ++round) {
      Place place = flushed;
      RL_ASSERT(walk(view, place, view.announced().load(std::memory_order::relaxed),
                     [this](const Place& at, const auto& header) { check(at, header); }) ==
                Found::nothing);
      flushed = place;
      Place reusable = flushed;  // rounded down to less than a record, as pages do
      if (reusable.position > 0 && rl::rand(2) == 0) {
        reusable = {reusable.position - kUnit, reusable.offset - 1};
      }
      publish_limit(
          view, reusable, 1,
          [this](std::size_t) { return slot1.pin.load(std::memory_order::acquire); },
          [this] { return ring.draw(); });
    }
  }

  void thread(unsigned index) {
    if (index == 0) produce();
    if (index == 1) consume();
    if (index == 2) supervise();
  }
};

bool is_nonce_store(const Access& access) {
  return access.name == Name::nonce && access.op == Op::store;
}

/// Only the supervisor's: the ring is opened as it should.
bool is_new_nonce(const Access& access) {
  return is_nonce_store(access) && access.before != 0;
}

const RegisteredModel<Forgery> sweep_forgery("forgery");

}  // namespace

TEST_CASE("model: a payload that equals an old stamp is never taken for a record", "[forgery]") {
  CHECK(holds<Forgery>("forged stamps", 200'000, 1, 50'000));
}

TEST_CASE("mutation: nonces that are never drawn again are caught", "[forgery]") {
  Drop change(is_new_nonce);
  CHECK(caught<Forgery>("nonces never drawn again", change, 50'000));
}

TEST_CASE("mutation: a nonce after ANNOUNCE is caught", "[forgery]") {
  Delay change(is_new_nonce, kind(Name::announced, Op::store, std::memory_order::seq_cst));
  CHECK(caught<Forgery>("nonce after ANNOUNCE", change, 100'000));
}

TEST_CASE("mutation: nonces loaded before announced are caught", "[forgery]") {
  Early change(kind(Name::announced, Op::load, std::memory_order::seq_cst),
               kind(Name::nonce, Op::load), 8);
  CHECK(caught<Forgery>("nonces loaded before announced", change, 100'000));
}

TEST_CASE("mutation: ANNOUNCE, stored relaxed and loaded relaxed, is caught", "[forgery]") {
  Weaken change(std::memory_order::relaxed, [](const Access& access) {
    return access.name == Name::announced && access.order == std::memory_order::seq_cst;
  });
  CHECK(caught<Forgery>("ANNOUNCE relaxed", change, 100'000));
}
