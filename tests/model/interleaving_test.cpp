#include <catch2/catch.hpp>
#include <iostream>

#include "model/repair_search.hpp"

using namespace ringway;
using namespace ringway::ring::interleaving;

namespace {

std::string search(const char* what, Search& search) {
  const std::string violation = search.violation();
  std::cout << what << ": " << search.states() << " states"
            << (search.complete() && violation.empty() ? ", all there are" : "") << ": "
            << (violation.empty() ? "holds" : violation) << std::endl;
  return violation;
}

}  // namespace

TEST_CASE("interleaving: two producers with one claim each, killed anywhere", "[model]") {
  Search two(2, 1, {kSmall, kLarge, kBatch}, 10'000'000);
  CHECK(search("2 producers, 1 claim", two) == "");
  CHECK(two.complete());
}

TEST_CASE("interleaving: two producers with two claims each, killed anywhere", "[model]") {
  Search two(2, 2, {kSmall, kLarge, kBatch}, 10'000'000);
  CHECK(search("2 producers, 2 claims", two) == "");
  CHECK(two.complete());
}

TEST_CASE("interleaving: three producers with claims of two lengths, killed anywhere", "[model]") {
  Search three(3, 1, {kSmall, kLarge}, 100'000'000);
  CHECK(search("3 producers, lengths", three) == "");
  CHECK(three.complete());
}

TEST_CASE("interleaving: three producers with claims of one length, killed anywhere", "[model]") {
  Search three(3, 1, {kLarge, kBatch}, 100'000'000);
  CHECK(search("3 producers, offsets", three) == "");
  CHECK(three.complete());
}

TEST_CASE("mutation: without OWN an interleaving leaves a hole", "[model]") {
  Search two(2, 1, {kSmall, kLarge, kBatch}, 10'000'000);
  two.dropped = [](const Operation& operation) {
    return operation.kind == Operation::store && is_slot(operation.cell) &&
           !is_rest(operation.cell) &&
           layout::intent_state(operation.value) == layout::Intent::owned;
  };
  CHECK(search("mutation: no OWN", two) != "");
}

TEST_CASE("mutation: without a blank word an interleaving changes an intent", "[model]") {
  Search two(2, 1, {kSmall, kLarge, kBatch}, 10'000'000);
  two.dropped = [](const Operation& operation) {
    return operation.kind == Operation::store && is_slot(operation.cell) &&
           !is_rest(operation.cell) && operation.value == 0;
  };
  CHECK(search("mutation: no blank word", two) != "");
}
