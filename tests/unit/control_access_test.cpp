#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "control/access.hpp"
#include "ringway/error.hpp"

namespace control_access_test {

using namespace ringway;
using namespace ringway::control;

namespace {

constexpr uid_t kSupervisor = 900;

Credentials user(uid_t uid, gid_t gid = 5000, std::vector<gid_t> groups = {}) {
  return {1234, uid, gid, std::move(groups)};
}

const Accounts kTable{[](const std::string& name) -> std::optional<uid_t> {
                        return name == "anna" ? std::optional<uid_t>(1001) : std::nullopt;
                      },
                      [](const std::string& name) -> std::optional<gid_t> {
                        return name == "staff" ? std::optional<gid_t>(50) : std::nullopt;
                      }};

const TopicAccess kTopic{
    .owner = 1000, .readers = {{1001}, {50}}, .writers = {{1002}, {}}, .admins = {{}, {60}}};

}  // namespace

TEST_CASE("access: each right goes to whom it was given, and to nobody else", "[control]") {
  struct Row {
    Credentials peer;
    bool read, write, administer;
  };
  for (const Row& row :
       {Row{user(0), true, true, true}, Row{user(kSupervisor), true, true, true},
        Row{user(1000), true, true, true}, Row{user(1001), true, false, false},
        Row{user(1002), false, true, false}, Row{user(7, 50), true, false, false},
        Row{user(7, 8, {9, 50}), true, false, false}, Row{user(7, 8, {60}), true, true, true},
        Row{user(50, 1001, {1000, 0}), false, false, false}}) {
    CAPTURE(row.peer.uid, row.peer.gid);
    CHECK(allowed(Right::read, row.peer, kTopic, kSupervisor) == row.read);
    CHECK(allowed(Right::write, row.peer, kTopic, kSupervisor) == row.write);
    CHECK(allowed(Right::administer, row.peer, kTopic, kSupervisor) == row.administer);
  }
}

TEST_CASE("access: names, groups and numbers are resolved, unknown ones named", "[control]") {
  const AccessList list = resolve({"anna", "@staff", "1234", "@77"}, kTable);
  CHECK(list.users == std::vector<uid_t>{1001, 1234});
  CHECK(list.groups == std::vector<gid_t>{50, 77});
  try {
    resolve({"anna", "@nobody-here"}, kTable);
    FAIL("an unknown group was taken");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::not_found);
    CHECK(error.thing() == "group 'nobody-here'");
  }
  CHECK_THROWS_AS(resolve({""}, kTable), Error);
  CHECK(resolve({"root", "@root"}, Accounts::system()).users == std::vector<uid_t>{0});
}

TEST_CASE("access: survives JSON, and broken JSON is refused", "[control]") {
  const TopicAccess back = topic_access_from_json(to_json(kTopic));
  CHECK(back.owner == kTopic.owner);
  CHECK(back.readers.users == kTopic.readers.users);
  CHECK(back.admins.groups == kTopic.admins.groups);
  auto json = to_json(kTopic);
  json["readers"]["users"] = {-1};
  CHECK_THROWS_AS(topic_access_from_json(json), Error);
  json.erase("readers");
  CHECK_THROWS_AS(topic_access_from_json(json), Error);
}

}  // namespace control_access_test
