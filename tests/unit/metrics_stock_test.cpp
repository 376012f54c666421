#include <catch2/catch.hpp>
#include <chrono>
#include <functional>

#include "daemon/metrics/stock_keeper.hpp"

namespace ringway::daemon::metrics {
namespace {

Inventory numbered(std::uint64_t epoch) {
  Inventory inventory;
  inventory.epoch = epoch;
  return inventory;
}

TEST_CASE("stock: an answer that came too late is not taken for that of the next question",
          "[metrics]") {
  std::function<void(Inventory)> late;
  StockKeeper keeper(
      [&](std::function<void(Inventory)> take) {
        if (late) return take(numbered(2));
        late = std::move(take);
      },
      std::chrono::milliseconds(1));
  CHECK_FALSE(keeper.stock());
  late(numbered(1));
  const auto taken = keeper.stock();
  REQUIRE(taken);
  CHECK(taken->epoch == 2);
  CHECK(keeper.stock() == taken);  // fresh
}

}  // namespace
}  // namespace ringway::daemon::metrics
