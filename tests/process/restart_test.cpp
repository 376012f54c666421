// Supervisors come and go under traffic: killed, stopped in order, of another version. Records are
// checked one by one by the processes that read them.

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <random>
#include <thread>

#include "layout/version.hpp"
#include "support/command_line.hpp"
#include "tools/bench/traffic.hpp"
#include "tools/stage/disk_place.hpp"
#include "tools/stage/private_bus.hpp"

namespace ringway::cli {
namespace {

using namespace std::chrono_literals;

bool is_long() {
  const char* asked = std::getenv("RINGWAY_TEST_LONG");
  return asked != nullptr && std::string_view(asked) == "1";
}

/// Two producers, each with a consumer and topics of its own, that know of nothing but records.
class Traffic {
 public:
  Traffic() : bus_(RINGWAYD, choose_disk_place().path) {
    bus_.start();
    for (std::uint32_t i = 0; i < 2; ++i) {
      const TrafficShape shape{
          .topics = 2, .partitions = 3, .records_per_s = 50'000, .first = 2 * i};
      TopicChoices choices;
      choices.ring_bytes = 1024 * 1024;
      create_topics(bus_.socket(), shape, choices);
      lines_.push_back({shape, spawn("producer", play_traffic_producer, shape),
                        spawn("consumer", play_traffic_consumer, shape)});
    }
  }

  PrivateBus& bus() { return bus_; }

  void restart(bool orderly, const std::filesystem::path& next = RINGWAYD) {
    for (Line& line : lines_) tell(line, {Order::Kind::mark});
    if (orderly) {
      bus_.stop();
    } else {
      bus_.kill();
    }
    bus_.use(next);
    bus_.start();
    std::this_thread::sleep_for(50ms);
    for (Line& line : lines_) {
      tell(line, {Order::Kind::report});
      producers_paused_ = std::max(producers_paused_, line.producer->channel().await<Pause>());
      consumers_paused_ = std::max(consumers_paused_, line.consumer->channel().await<Pause>());
    }
  }

  /// Ends the traffic. Everything published was read, and all of it is read again from the log.
  void finish() {
    for (Line& line : lines_) {
      line.producer->channel().send(Order{Order::Kind::finish});
      const auto published = line.producer->channel().await<std::uint64_t>();
      CHECK(published > 0);
      line.consumer->channel().send(Order{Order::Kind::finish, published});
      CHECK(line.consumer->channel().await<std::uint64_t>() == published);
      Child* const replaying = spawn("replaying", play_traffic_consumer, line.shape);
      replaying->channel().send(Order{Order::Kind::finish, published});
      CHECK(replaying->channel().await<std::uint64_t>() == published);
    }
    for (Child& child : children_) child.join();
    bus_.stop();
  }

  void print_pauses(int restarts) const {
    const auto ms = [](Pause pause) { return static_cast<double>(pause.count()) / 1e6; };
    std::printf("%d restarts: longest pause of producers %.1f ms, of consumers %.1f ms\n", restarts,
                ms(producers_paused_), ms(consumers_paused_));
  }

 private:
  struct Line {
    TrafficShape shape;
    Child* producer;
    Child* consumer;
  };

  template <class Role>
  Child* spawn(const char* name, Role role, const TrafficShape& shape) {
    children_.emplace_back(
        name, [this, role, shape](Channel& parent) { role(parent, bus_.socket(), shape); });
    children_.back().channel().await<bool>();
    return &children_.back();
  }
  static void tell(Line& line, const Order& order) {
    line.producer->channel().send(order);
    line.consumer->channel().send(order);
  }

  PrivateBus bus_;
  std::list<Child> children_;
  std::vector<Line> lines_;
  Pause producers_paused_{}, consumers_paused_{};
};

TEST_CASE("restart: supervisors that come and go under traffic lose, double and reorder nothing",
          "[restart]") {
  constexpr int kRestarts = 100;
  Traffic traffic;
  std::mt19937 random(7);
  for (int i = 0; i < kRestarts; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 100));
    traffic.restart(i % 3 == 2);
  }
  traffic.finish();
  traffic.print_pauses(kRestarts);
}

TEST_CASE("upgrade: a supervisor of the next layout minor version takes over, and gives back",
          "[restart]") {
  Traffic traffic;
  const auto layout_says = [&](int minor) {
    const std::string wanted = "\"layout\": \"" + std::to_string(layout::kLayoutVersion.major) +
                               "." + std::to_string(minor) + "\"";
    const auto [text, status] = test::said("inspect bench/0 --output json", traffic.bus().socket());
    CHECK(status == 0);
    CHECK_THAT(text, Catch::Contains(wanted));
  };
  layout_says(layout::kLayoutVersion.minor);
  const int rounds = is_long() ? 10 : 1;
  for (int round = 0; round < rounds; ++round) {
    traffic.restart(false, NEXT_RINGWAYD);  // adopts what this version made
    layout_says(layout::kLayoutVersion.minor + 1);
    traffic.restart(false);  // and this version what that one had
    layout_says(layout::kLayoutVersion.minor);
    traffic.restart(true, NEXT_RINGWAYD);  // makes its own
    layout_says(layout::kLayoutVersion.minor + 1);
    traffic.restart(false);  // those, too, are adopted
    layout_says(layout::kLayoutVersion.minor);
  }
  traffic.finish();
  traffic.print_pauses(4 * rounds);
}

}  // namespace
}  // namespace ringway::cli
