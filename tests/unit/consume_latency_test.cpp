#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <future>
#include <limits>
#include <memory>
#include <random>

#include "daemon/consume_latency.hpp"
#include "daemon/memory_store.hpp"
#include "daemon/supervisor.hpp"
#include "process/raw_client.hpp"
#include "shm/region.hpp"
#include "support/seed.hpp"
#include "support/temporary_directory.hpp"

namespace consume_latency_test {

using namespace ringway;
using namespace ringway::daemon;
using layout::kLatencyBuckets;
using layout::latency_bucket;

namespace {

void count(layout::Slot& slot, std::uint64_t ns) {
  layout::latency_count(slot, latency_bucket(ns)).fetch_add(1);
  slot.latency_sum_ns.fetch_add(ns);
}

/// A supervisor of which nobody asks anything, in this thread. Its store sees it tick: it has no
/// process, and is asked every time whether it has one by now.
struct TickingSupervisor {
  class Store final : public DescriptorStore {
   public:
    explicit Store(int& asked) : asked_(asked) {}
    void put(const std::string& name, const nlohmann::json& meta, int fd) override {
      store_.put(name, meta, fd);
    }
    void drop(const std::string& name) override { store_.drop(name); }
    std::vector<KeptDescriptor> list() override { return store_.list(); }
    void end() override { store_.end(); }
    int death_fd() const noexcept override {
      ++asked_;
      return -1;
    }
    std::string_view kind() const noexcept override { return "process"; }

   private:
    MemoryStore store_;
    int& asked_;
  };

  Config config() const {
    Config config;
    config.runtime_dir = directory / "run";
    config.state_dir = directory / "state";
    config.complete();
    return config;
  }
  /// What clients of this thread do meanwhile, which wait for it.
  template <class Work>
  void serve(Work&& work) {
    auto done = std::async(std::launch::async, std::forward<Work>(work));
    using namespace std::chrono_literals;
    while (done.wait_for(0s) != std::future_status::ready) io.run_one_for(1ms);
    done.get();
  }
  void tick() {
    for (const int before = asked; asked == before;) io.run_one();
  }
  ConsumeLatency latency() {
    std::optional<metrics::Inventory> found;
    supervisor.ask_for_inventory([&](metrics::Inventory all) { found = std::move(all); });
    while (!found) io.run_one();
    return found->topics.at(0).latency;
  }

  test::TemporaryDirectory directory{"/dev/shm"};
  int asked = 0;
  EventLog log{[](const Event&) {}};
  boost::asio::io_context io{1};
  Supervisor supervisor{io, {config(), [this] { return std::make_unique<Store>(asked); }}, log};
};

}  // namespace

TEST_CASE("consume latency: what came since the last look is added, once", "[metrics]") {
  layout::Slot slot{};
  count(slot, 500);
  LatencyShare share;
  share.begin(slot);  // what was there is another's
  ConsumeLatency total;
  share.take(slot, total);
  CHECK(total.counts == ConsumeLatency{}.counts);
  CHECK(total.sum_seconds == 0);
  count(slot, 2'000);
  count(slot, 2'500);
  count(slot, 60'000'000'000);
  share.take(slot, total);
  share.take(slot, total);
  CHECK(total.counts[latency_bucket(2'000)] == 2);
  CHECK(total.counts.back() == 1);
  CHECK(total.counts[0] == 0);
  CHECK(total.sum_seconds == Approx(60.0000045).epsilon(1e-12));
}

TEST_CASE("consume latency: counts and sum of a slot may go round", "[metrics]") {
  layout::Slot slot{};
  for (std::size_t i = 0; i < kLatencyBuckets; ++i) {
    layout::latency_count(slot, i) = std::numeric_limits<std::uint32_t>::max();
  }
  slot.latency_sum_ns = std::numeric_limits<std::uint64_t>::max() - 1;
  LatencyShare share;
  share.begin(slot);
  count(slot, 2'000);
  count(slot, 20'000'000);
  ConsumeLatency total;
  share.take(slot, total);
  CHECK(total.counts[latency_bucket(2'000)] == 1);
  CHECK(total.counts[latency_bucket(20'000'000)] == 1);
  CHECK(total.sum_seconds == Approx(0.020002));
}

TEST_CASE("consume latency: of a count that goes back nothing is added, nor taken", "[metrics]") {
  layout::Slot slot{};
  LatencyShare share;
  share.begin(slot);
  count(slot, 2'000);
  ConsumeLatency total;
  share.take(slot, total);
  layout::latency_count(slot, latency_bucket(2'000)) = 0;  // a hole was punched
  slot.latency_sum_ns = 0;
  share.take(slot, total);
  CHECK(total.counts[latency_bucket(2'000)] == 1);
  CHECK(total.sum_seconds == Approx(2e-6));
  count(slot, 2'000);  // and on from there
  share.take(slot, total);
  CHECK(total.counts[latency_bucket(2'000)] == 2);
  CHECK(total.sum_seconds == Approx(4e-6));
}

TEST_CASE("consume latency: the sum is what the counts allow", "[metrics]") {
  layout::Slot slot{};
  LatencyShare share;
  share.begin(slot);
  ConsumeLatency total;
  slot.latency_sum_ns = 7'000'000'000;  // of no sample
  share.take(slot, total);
  CHECK(total.sum_seconds == 0);
  layout::latency_count(slot, latency_bucket(2'000)) = 10;  // that took no time
  share.take(slot, total);
  CHECK(total.sum_seconds == Approx(10 * 1e-6));
  layout::latency_count(slot, latency_bucket(2'000)) = 20;
  slot.latency_sum_ns = 0;  // modulo 2^64 centuries later
  share.take(slot, total);
  CHECK(total.sum_seconds == Approx(10 * 1e-6 + 10 * 3e-6));
}

TEST_CASE("consume latency: whatever a client writes, nothing goes down or over", "[metrics]") {
  const std::uint64_t seed = test::chosen_seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  layout::Slot slot{};
  LatencyShare share;
  share.begin(slot);
  ConsumeLatency total;
  total.counts.fill(ConsumeLatency::kCountMax - (std::uint64_t{1} << 36));
  ConsumeLatency before = total;
  for (int i = 0; i < 2'000; ++i) {
    for (std::size_t bucket = 0; bucket < kLatencyBuckets; ++bucket) {
      layout::latency_count(slot, bucket) = static_cast<std::uint32_t>(random());
    }
    slot.latency_sum_ns = random();
    share.take(slot, total);
    for (std::size_t bucket = 0; bucket < kLatencyBuckets; ++bucket) {
      REQUIRE(total.counts[bucket] >= before.counts[bucket]);
      REQUIRE(total.counts[bucket] <= ConsumeLatency::kCountMax);
    }
    REQUIRE(total.sum_seconds >= before.sum_seconds);
    before = total;
  }
  CHECK(total.counts[0] == ConsumeLatency::kCountMax);
}

TEST_CASE("consume latency: nobody has to look before counts go round", "[metrics]") {
  TickingSupervisor bus;
  std::unique_ptr<test::RawClient> client;
  control::Opened opened;
  bus.serve([&] {
    client = std::make_unique<test::RawClient>(bus.config().socket);
    client->call(control::CreateTopic{.name = "t", .settings = {.ring_bytes = 64 * 1024}});
    opened = client->call(test::open_as(layout::Role::consumer, "t"));
  });
  const shm::Region session(client->descriptors.back().get(), shm::Access::read_write, 0,
                            layout::session_file_bytes(opened.slots));
  auto& slot = session.at<layout::Slot>(sizeof(layout::SessionHeader) +
                                        opened.first_slot * sizeof(layout::Slot));
  constexpr std::uint32_t kMuch = std::uint32_t{1} << 31;
  for (int i = 0; i < 3; ++i) {
    layout::latency_count(slot, latency_bucket(2'000)).fetch_add(kMuch);
    bus.tick();
  }
  CHECK(bus.latency().counts[latency_bucket(2'000)] == 3 * std::uint64_t{kMuch});
}

}  // namespace consume_latency_test
