#include "daemon/keepsakes.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ringway/error.hpp"

namespace daemon_keepsakes_test {

using namespace ringway;
using namespace ringway::daemon;

namespace {

/// What a keeper holds, and how often it was asked to.
struct Held {
  std::map<std::string, nlohmann::json> meta;
  int puts = 0;
  bool dead = false;
  int ends = 0;
};

class Store final : public DescriptorStore {
 public:
  explicit Store(Held& held) : held_(held) {}
  void put(const std::string& name, const nlohmann::json& meta, int /*fd*/) override {
    if (held_.dead) throw Error(ErrorCode::unavailable, "keeper", "has died", "");
    ++held_.puts;
    held_.meta[name] = meta;
  }
  void drop(const std::string& name) override { held_.meta.erase(name); }
  std::vector<KeptDescriptor> list() override {
    std::vector<KeptDescriptor> all;
    for (const auto& [name, meta] : held_.meta) all.push_back({name, meta, {}});
    return all;
  }
  void end() override { ++held_.ends; }
  int death_fd() const noexcept override { return -1; }
  std::string_view kind() const noexcept override { return "process"; }

 private:
  Held& held_;
};

/// A keeper that holds a ring from before, and the one that follows it.
struct Scene {
  Held first{.meta = {{"ring", {{"access", 1}}}}};
  Held second;
  int opened = 0;
  EventLog log{[](const Event&) {}};
  Keepsakes keepsakes{[this] { return std::make_unique<Store>(opened++ == 0 ? first : second); },
                      log};
  std::vector<KeptDescriptor> listed = keepsakes.list();
};

}  // namespace

TEST_CASE("keepsakes: what the keeper has already it is not given, its successor is", "[daemon]") {
  Scene scene;
  scene.keepsakes.keep_on(scene.listed[0], {{"access", 1}}, 5);
  CHECK(scene.first.puts == 0);
  scene.keepsakes.replace();
  CHECK(scene.second.meta.contains("ring"));
}

TEST_CASE("keepsakes: what is said of a descriptor is told anew where it has changed", "[daemon]") {
  Scene scene;
  scene.keepsakes.keep_on(scene.listed[0], {{"access", 2}}, 5);
  CHECK(scene.first.meta["ring"] == nlohmann::json{{"access", 2}});
}

TEST_CASE("keepsakes: a keeper that dies before all is taken over leaves nothing out", "[daemon]") {
  Scene scene;
  scene.first.dead = true;
  scene.keepsakes.put("another", {}, 6);
  scene.keepsakes.keep_on(scene.listed[0], {{"access", 1}}, 5);
  CHECK(scene.second.meta.contains("another"));
  CHECK(scene.second.meta.contains("ring"));
}

TEST_CASE("keepsakes: only a store in which nothing is ends with its supervisor", "[daemon]") {
  const EventLog log([](const Event&) {});
  Held held;
  const auto open = [&] { return std::make_unique<Store>(held); };
  {
    Keepsakes never_asked(open, log);
  }
  CHECK(held.ends == 0);
  {
    Keepsakes empty(open, log);
    CHECK(empty.list().empty());
    empty.put("ring", {}, 5);
    empty.drop("ring");
  }
  CHECK(held.ends == 1);
  {
    Keepsakes told(open, log);
    CHECK(told.list().empty());
    told.end();
  }
  CHECK(held.ends == 2);
  {
    Keepsakes used(open, log);
    CHECK(used.list().empty());
    used.put("ring", {}, 5);
  }
  CHECK(held.ends == 2);
  {
    Keepsakes of_a_predecessor(open, log);
    CHECK(of_a_predecessor.list().size() == 1);
  }
  CHECK(held.ends == 2);
}

}  // namespace daemon_keepsakes_test
