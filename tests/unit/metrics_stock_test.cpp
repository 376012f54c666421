#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <vector>

#include "daemon/metrics/stock_keeper.hpp"

namespace ringway::daemon::metrics::metrics_stock_test {
namespace {

Inventory numbered(std::uint64_t epoch) {
  Inventory inventory;
  inventory.epoch = epoch;
  return inventory;
}

TEST_CASE("stock: an answer that came too late is not taken for that of the next question",
          "[metrics]") {
  std::vector<std::function<void(Inventory)>> asked;
  StockKeeper keeper(
      [&](std::function<void(Inventory)> take) { asked.push_back(std::move(take)); },
      std::chrono::milliseconds(1));
  CHECK_FALSE(keeper.stock());
  REQUIRE(asked.size() == 1);
  asked[0](numbered(1));
  CHECK_FALSE(keeper.stock());  // the second question has no answer yet
  REQUIRE(asked.size() == 2);
}

TEST_CASE("stock: an answer is taken once it is there", "[metrics]") {
  StockKeeper keeper([](std::function<void(Inventory)> take) { take(numbered(2)); });
  const auto taken = keeper.stock();
  REQUIRE(taken);
  CHECK(taken->epoch == 2);
}

}  // namespace
}  // namespace ringway::daemon::metrics::metrics_stock_test
