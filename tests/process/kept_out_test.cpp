// A start that cannot serve a topic leaves its living ring to the next one, with all that its
// clients have in it (G3).

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "client/administration.hpp"
#include "control/keeper_connection.hpp"
#include "ringway/ringway.hpp"
#include "support/daemon_process.hpp"
#include "support/records.hpp"

using namespace ringway;
using ringway::test::Child;
using ringway::test::DaemonProcess;
using ringway::test::publish;
using ringway::test::take;

namespace {

const TopicChoices kSmallRing{.partitions = 1, .ring_bytes = 64 * 1024, .pin_budget_ms = 0};

/// The first topic of a bus, whose log nobody can use while this lives.
class Spoiled {
 public:
  explicit Spoiled(const DaemonProcess& daemon) {
    const std::filesystem::path topics = std::filesystem::path(daemon.state_dir()) / "topics";
    REQUIRE(std::distance(std::filesystem::directory_iterator(topics), {}) == 1);
    log_ = std::filesystem::directory_iterator(topics)->path() / "0";
  }
  void spoil() const {
    std::filesystem::rename(log_, aside());
    std::ofstream(log_) << "no directory";
  }
  void mend() const {
    std::filesystem::remove(log_);
    std::filesystem::rename(aside(), log_);
  }

 private:
  std::filesystem::path aside() const { return log_.string() + ".aside"; }
  std::filesystem::path log_;
};

}  // namespace

TEST_CASE("kept out: the ring of a topic that one start could not serve is the next one's",
          "[kept_out]") {
  const bool has_more = GENERATE(true, false);
  CAPTURE(has_more);
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmallRing);
  const Spoiled log(daemon);
  bus.create_topic("other", kSmallRing);
  Producer producer = bus.producer("t");
  Consumer consumer = bus.consumer("t", {.from = start()});
  std::optional<Producer> elsewhere;
  if (has_more) elsewhere = bus.producer("other");
  Child victim([&](Child& self) {
    Bus own = daemon.connect();
    Producer producer_of_victim = own.producer("t");
    Claim claim = producer_of_victim.claim(100);
    self.reached();
    self.stay();
  });
  publish(producer, "before");
  REQUIRE(victim.await());

  daemon.kill();
  log.spoil();
  daemon.start();
  Bus late = daemon.connect();
  CHECK_THROWS_WITH(late.producer("t"), Catch::Contains("is not served"));
  publish(producer, "kept out");
  std::vector<Producer> more;
  if (has_more) {
    // Slots that the topic's handles have must not be given to these.
    for (int i = 0; i < 8; ++i) more.push_back(bus.producer("other"));
    for (Producer& one : more) publish(one, "x");
  }
  victim.kill();

  daemon.kill();
  log.mend();
  daemon.start();
  if (has_more) CHECK(Administration(bus).status()["sessions"][0]["handles"] == 3 + more.size());
  CHECK(take(consumer, 2) == std::vector<std::string>{"before", "kept out"});
  // More than the ring holds: nobody's claim, and nobody's pin, is left in it.
  const std::string large(1000, 'x');
  for (int i = 0; i < 200; ++i) {
    publish(producer, large);
    CHECK(take(consumer, 1)[0] == large);
  }
  Consumer replay = daemon.connect().consumer("t", {.from = start()});
  CHECK(take(replay, 202).front() == "before");
  CHECK(replay.position(0) == 203);  // the dead one's claim is a hole
}

TEST_CASE("kept out: an orderly stop leaves the ring to a start that can serve its topic",
          "[kept_out]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmallRing);
  const Spoiled log(daemon);
  bus.create_topic("other", kSmallRing);
  Producer producer = bus.producer("t");
  daemon.kill();
  log.spoil();
  daemon.start();
  publish(producer, "kept out");
  CHECK(daemon.stop() == 1);  // not everything is durable
  log.mend();
  daemon.start();
  Bus late = daemon.connect();
  Consumer consumer = late.consumer("t", {.from = start()});
  CHECK(take(consumer, 1) == std::vector<std::string>{"kept out"});
  publish(producer, "goes on");
  CHECK(take(consumer, 1) == std::vector<std::string>{"goes on"});
  Producer other = late.producer("other");
  publish(other, "goes on, too");
  CHECK(daemon.stop() == 0);
}

TEST_CASE("kept out: behind an orderly stop the other topics go on where they ended",
          "[kept_out]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmallRing);
  const Spoiled log(daemon);
  bus.create_topic("other", kSmallRing);
  daemon.kill();
  log.spoil();
  daemon.start();
  {
    Bus late = daemon.connect();
    Producer other = late.producer("other");
    publish(other, "before");
  }
  CHECK(daemon.stop() == 1);
  daemon.kill_keeper();  // as when the host is booted anew
  log.mend();
  daemon.start();
  Bus late = daemon.connect();
  Consumer consumer = late.consumer("other", {.from = start()});
  Producer other = late.producer("other");
  publish(other, "goes on");
  CHECK(take(consumer, 2) == std::vector<std::string>{"before", "goes on"});
  CHECK(consumer.take_gaps().empty());
  CHECK(consumer.position(0) == 2);
}

TEST_CASE("kept out: a new ring that came to nothing is not the keeper's", "[kept_out]") {
  DaemonProcess daemon;
  daemon.connect().create_topic("t", kSmallRing);
  const Spoiled log(daemon);
  daemon.kill();
  daemon.kill_keeper();
  log.spoil();
  daemon.start();
  CHECK_THROWS_WITH(daemon.connect().producer("t"), Catch::Contains("is not served"));
  daemon.kill();
  // Its memory is closed: the next keeper would be given something else by its name, or nothing any
  // more from there on.
  control::KeeperConnection keeper(daemon.runtime_dir());
  keeper.call({{"op", "attach"}, {"state_dir", std::filesystem::canonical(daemon.state_dir())}});
  for (const auto& kept : keeper.pages({{"op", "list"}}))
    CHECK(kept.meta.value("topic", "") != "t");
}

TEST_CASE("kept out: a topic that is deleted meanwhile is let go, and no start tells of its ring",
          "[kept_out]") {
  DaemonProcess daemon;
  Bus bus = daemon.connect();
  bus.create_topic("t", kSmallRing);
  const Spoiled log(daemon);
  Producer producer = bus.producer("t");
  publish(producer, "before");
  daemon.kill();
  log.spoil();
  daemon.start();
  daemon.connect().delete_topic("t");
  control::KeeperConnection keeper(daemon.runtime_dir());
  keeper.call({{"op", "attach"}, {"state_dir", std::filesystem::canonical(daemon.state_dir())}});
  for (const auto& kept : keeper.pages({{"op", "list"}})) {
    CHECK(kept.meta.value("topic", "") != "t");
  }
}
