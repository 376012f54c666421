#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "tools/doctor/checks.hpp"
#include "unit/doctor_fixture.hpp"

namespace cli_doctor_state_test {

using namespace ringway;
using namespace ringway::cli::doctor;

TEST_CASE("doctor: nobody serves, or not all is well", "[cli]") {
  Host host;
  const auto of_topic = [](const char* topic, const char* what) {
    return nlohmann::json{{"what", what}, {"topic", topic}, {"text", "in words"}};
  };
  host.status["troubles"] = {of_topic("a", "disk_full"), of_topic("b", "disk_error")};
  CHECK(check_service(host).size() == 2);
  CHECK(check_service(host)[1].severity == Severity::warning);
  CHECK_THAT(check_service(host)[0].fix, Catch::StartsWith("du -xhd 3 /var/lib/ringway "));
  CHECK_THAT(check_service(host)[1].fix, Catch::StartsWith("ringway topic alter b --when-disk-"));
  host.topics = {{.name = "a b", .ring_bytes = 64 << 10, .trimmable_bytes = 1 << 20},
                 {.name = "c", .ring_bytes = 1 << 20, .trimmable_bytes = 1 << 21}};
  host.status["troubles"] = {of_topic("a b", "disk_full"), of_topic("a b", "quarantined"),
                             of_topic("d", "quarantined"), of_topic("d", "retention_held")};
  const Findings mended = check_service(host);
  CHECK_THAT(mended[0].fix, Catch::StartsWith("ringway topic trim c --before end "));
  CHECK_THAT(mended[1].fix, Catch::StartsWith("ringway topic alter 'a b' --ring 64KiB "));
  CHECK_THAT(mended[2].fix, Catch::StartsWith("ringway topic describe d"));
  CHECK_THAT(mended[3].fix, Catch::StartsWith("ringway cursor list d "));
  nlohmann::json kept = of_topic("d", "segment_not_removed");
  kept["path"] = "/var/lib/ring way/0.log";
  host.status["troubles"] = nlohmann::json::array({kept});
  CHECK_THAT(only(check_service(host)).fix,
             Catch::StartsWith("lsattr '/var/lib/ring way/0.log'; "));
  host.unit = {"ringwayd@lab.service", false};
  host.status["troubles"] = {
      of_topic("a b", "segment_missing"),
      of_topic("c", "segment_damaged"),
      {{"what", "log_without_topic"}, {"path", "/var/lib/ring way/topics/x"}, {"text", "in words"}},
      {{"what", "disk_short"}, {"text", "in words"}},
      of_topic("c", "topic_not_served")};
  const Findings lost = check_service(host);
  const std::string units = "ringwayd@lab.socket ringwayd@lab.service";
  CHECK_THAT(lost[0].fix,
             Catch::StartsWith("systemctl stop " + units +
                               " && ringway log repair 'a b' --state-dir /var/lib/ringway --yes; "
                               "systemctl start " + units + "  #"));
  CHECK_THAT(lost[1].fix, Catch::Contains("ringway log repair c --state-dir"));
  CHECK_THAT(lost[2].fix, Catch::StartsWith("mv '/var/lib/ring way/topics/x' "
                                            "'/var/lib/ring way/topics/x.aside'  #"));
  CHECK_THAT(lost[3].fix, Catch::StartsWith("ringway topic trim c --before end "));
  CHECK_THAT(lost[4].fix, Catch::StartsWith("systemctl restart ringwayd@lab"));
  nlohmann::json process = of_topic("a b", "stopped_claim");
  process["pid"] = 9;
  host.status["troubles"] = nlohmann::json::array({process});
  CHECK_THAT(only(check_service(host)).fix, Catch::StartsWith("kill -CONT 9 "));
  for (const char* what : {"pinned", "slow_consumer"}) {
    process["what"] = what;
    host.status["troubles"] = nlohmann::json::array({process});
    CHECK_THAT(only(check_service(host)).fix, Catch::StartsWith("kill 9 "));
  }
  host.status.erase("troubles");
  host.supervisor = 0;
  CHECK_THAT(only(check_service(host)).what, Catch::StartsWith("pid 7 of another pid namespace"));
  host.answers = false;
  host.silence = "nobody listens";
  CHECK(severity(check_service(host)) == Severity::error);
  CHECK(severity(check_versions(host)) == Severity::unchecked);
}

TEST_CASE("doctor: a topic whose name looks like an option stands last, behind --", "[cli]") {
  Host host;
  host.topics = {{.name = "-x", .ring_bytes = 64 << 10, .trimmable_bytes = 1 << 20}};
  for (const auto& [what, command] : std::map<std::string, std::string>{
           {"disk_full", "ringway topic trim --before end -- '-x'  #"},
           {"disk_error", "ringway topic alter --when-disk-fails memory -- '-x'  #"},
           {"retention_held", "ringway cursor list -- '-x'  #"},
           {"quarantined", "ringway topic alter --ring 64KiB -- '-x'  #"}}) {
    const nlohmann::json one{{"what", what}, {"topic", "-x"}, {"text", "in words"}};
    host.status["troubles"] = nlohmann::json::array({one});
    CHECK_THAT(only(check_service(host)).fix, Catch::StartsWith(command));
  }
}

TEST_CASE("doctor: what is said in words only names no command of its own", "[cli]") {
  // Names are chosen by who may create topics, and fixes are typed by root.
  Host host;
  const nlohmann::json words = {{"what", "pinned"},
                                {"topic", "x by pid 9; $(id)"},
                                {"text", "topic 'x by pid 9; $(id)' partition 0: pinned by pid 9"}};
  const auto is_generic = [&] {
    const Finding found = only(check_service(host));
    INFO(found.fix);
    CHECK(found.severity == Severity::warning);
    CHECK_THAT(found.fix, Catch::StartsWith("journalctl --unit=ringwayd.service "));
    return found.what;
  };
  SECTION("of a kind that needs a pid") {
    host.status["troubles"] = nlohmann::json::array({words});
    CHECK(is_generic() == words["text"].get<std::string>());
    host.status["troubles"][0]["pid"] = 1;  // of a container, maybe
    is_generic();
    host.status["troubles"][0]["pid"] = "9";
    is_generic();
  }
  SECTION("by a newer supervisor") {
    const nlohmann::json newer{{"what", "brand_new"}, {"topic", "a"}, {"pid", 9}, {"text", "new"}};
    host.status["troubles"] = nlohmann::json::array({newer});
    CHECK(is_generic() == "new");
  }
  SECTION("by an older supervisor, which has no kinds") {
    host.status["degraded"] = {"topic 'a' partition 0: disk_full", "pinned by pid 9"};
    const Findings found = check_service(host);
    REQUIRE(found.size() == 2);
    CHECK(found[0].what == "topic 'a' partition 0: disk_full");
    for (const Finding& one : found) CHECK_THAT(one.fix, Catch::StartsWith("journalctl "));
  }
  SECTION("of no topic where one is needed, or of no directory") {
    for (const char* what : {"disk_error", "segment_damaged", "quarantined", "log_without_topic"}) {
      const nlohmann::json one{{"what", what}, {"path", "x; $(id)"}, {"text", "in words"}};
      host.status["troubles"] = nlohmann::json::array({one});
      is_generic();
    }
  }
}

TEST_CASE("doctor: why nobody serves, and the very command that mends it", "[cli]") {
  Host host;
  host.answers = false;
  host.silence = "nobody listens";
  cli::ServiceState& service = host.service;
  service = {.socket = "/run/ringway-lab/control.sock",
             .unit = cli::unit_at("/run/ringway-lab"),
             .active = "inactive",
             .sub = "dead"};
  const auto fix = [&] { return only(check_service(host)).fix; };
  SECTION("it was not started") {
    CHECK(fix() == "systemctl start ringwayd@lab");
    service.unit = {"ringwayd.service", true};
    CHECK(fix() == "systemctl --user start ringwayd");
  }
  SECTION("it is stopped") {
    service.process = 9;
    service.stopped = true;
    CHECK(fix() == "kill -CONT 9");
  }
  SECTION("who listens is in another pid namespace") {
    service.elsewhere = true;
    CHECK_THAT(fix(), Catch::Contains("container"));
    CHECK_THAT(fix(), !Catch::Contains("systemctl"));
  }
  SECTION("it refuses who is in another pid namespace") {
    service.elsewhere = true;
    host.refusal_fix = "let both sides share a pid namespace";
    CHECK(fix() == host.refusal_fix);
  }
  SECTION("it runs, and its socket's file was removed") {
    service.active = "active";
    service.process = 9;
    CHECK(fix() == "systemctl restart ringwayd@lab");
    service.unnamed = true;
    CHECK(fix() == "systemctl restart ringwayd@lab.socket");
    CHECK_THAT(only(check_service(host)).what, Catch::Contains("control.sock was removed"));
    service.unit = {"ringwayd.service", true};  // which makes its socket itself
    CHECK(fix() == "systemctl --user restart ringwayd");
    service.unit = {};
    CHECK_THAT(fix(), Catch::StartsWith("kill -USR1 9 && ringwayd --socket /run/ringway-lab/"));
  }
  SECTION("it starts") {
    service.active = "activating";
    service.sub = "start";
    CHECK(fix() == "ringway status --watch");
  }
  SECTION("its configuration is refused") {
    service.active = "activating";
    service.sub = "auto-restart";
    service.result = "exit-code";
    service.restarts = 3;
    service.last_line = "/etc/ringway-lab/ringwayd.toml:1: unknown key 'limits.topic'";
    CHECK_THAT(only(check_service(host)).what, Catch::Contains("unknown key 'limits.topic'"));
    const std::string mend =
        "${EDITOR:-vi} /etc/ringway-lab/ringwayd.toml && systemctl restart ringwayd@lab";
    CHECK(fix() == mend);
    service.sub = "start";  // the next attempt
    CHECK(fix() == mend);
  }
  SECTION("another one has its place") {
    service.active = "activating";
    service.sub = "auto-restart";
    service.last_line = "/run/ringway-lab: is in use";
    service.rival = 2147483646;  // in no unit
    CHECK_THAT(fix(), Catch::StartsWith("kill 2147483646  # "));
  }
  SECTION("it ends for another reason") {
    service.active = "failed";
    service.result = "signal";
    CHECK_THAT(fix(), Catch::StartsWith("journalctl --unit=ringwayd@lab.service"));
  }
  SECTION("it runs, and is silent") {
    service.active = "active";
    CHECK(fix() == "systemctl restart ringwayd@lab");
  }
  SECTION("no unit is known") {
    service = {.socket = "/x/control.sock"};
    host.unit = {};
    host.supervisor = 0;
    host.socket = "/x/control.sock";
    host.runtime_dir = "/x";
    CHECK_THAT(fix(), Catch::StartsWith("ringwayd --socket /x/control.sock --runtime-dir /x "
                                        "--state-dir /var/lib/ringway"));
  }
}

TEST_CASE("doctor: versions that differ", "[cli]") {
  Host host;
  SECTION("of supervisor and command") {
    host.status["version"] = "0.0.9";
    CHECK(severity(check_versions(host)) == Severity::warning);
  }
  SECTION("of a client") {
    host.status["sessions"] = {{{"pid", 9}, {"client", "old"}, {"version", "0.0.9"}},
                               {{"pid", 10}, {"client", "same"}, {"version", "0.1.0"}}};
    host.self = 11;  // its own connection goes with it
    host.status["sessions"].push_back({{"pid", 11}, {"version", "0.0.9"}});
    CHECK_THAT(only(check_versions(host)).what, Catch::Contains("pid 9"));
  }
  SECTION("of shared memory") {
    host.boards = {{.topic = "a", .layout = "1.1", .supervisor = 7, .supervisor_state = "alive"}};
    CHECK_THAT(only(check_versions(host)).what, Catch::Contains("1.1"));
  }
}

TEST_CASE("doctor: another user's supervisor is started anew as that user", "[cli]") {
  Host host;
  host.owner = "alice";
  host.unit = {"ringwayd.service", true};
  CHECK(host.restart() == "systemctl --user --machine=alice@ restart ringwayd.service");
  host.unit = {"ringwayd.service", false};  // whoever the service runs as
  CHECK(host.restart() == "systemctl restart ringwayd");
  host.unit = {};
  CHECK(host.restart() ==
        "kill -USR1 7 && runuser -u alice -- ringwayd --runtime-dir /run/ringway --state-dir "
        "/var/lib/ringway");
}

TEST_CASE("doctor: a supervisor is started anew as it was started", "[cli]") {
  Host host;
  host.unit = {};
  host.start = {.directory = "/home/a b",
                .variables = {"HOME=/home", "RINGWAYD_LOG_LEVEL=debug"},
                .options = {"--config=c.toml", "--state-dir=/s"}};
  CHECK(host.restart() ==
        "kill -USR1 7 && env --chdir='/home/a b' 'RINGWAYD_LOG_LEVEL=debug' ringwayd "
        "'--config=c.toml' '--state-dir=/s' --runtime-dir /run/ringway");
  host.owner = "alice";
  host.start->options = {};
  CHECK(host.restart() ==
        "kill -USR1 7 && runuser -u alice -- env 'HOME=/home' 'RINGWAYD_LOG_LEVEL=debug' ringwayd "
        "--runtime-dir /run/ringway --state-dir /var/lib/ringway");
}

TEST_CASE("doctor: what was left behind", "[cli]") {
  Host host;
  host.sockets = {{"/run/ringway/control.sock", true}, {"/run/ringway/keeper.sock", false}};
  CHECK_THAT(only(check_stale_sockets(host)).what, Catch::Contains("keeper.sock"));
}

TEST_CASE("doctor: memory without a supervisor, and who is to be ended for it", "[cli]") {
  using cli::HolderKind;
  Host host;
  const auto held_by = [&](HolderKind kind, std::uint32_t pid, const char* state = "dead") {
    host.boards.push_back({.topic = kind == HolderKind::client ? "a" : "b",
                           .supervisor = 5,
                           .supervisor_state = state,
                           .holder = pid,
                           .kind = kind,
                           .runtime_dir = "/run/r",
                           .state_dir = "/var/s"});
  };
  SECTION("a supervisor that lives, whoever holds it too") {
    held_by(HolderKind::supervisor, 5, "alive");
    held_by(HolderKind::keeper, 20, "alive");
    held_by(HolderKind::client, 21, "stopped");
    CHECK(severity(check_orphaned_memory(host)) == Severity::ok);
  }
  SECTION("the keeper, and no client of it") {
    held_by(HolderKind::client, 21);
    held_by(HolderKind::keeper, 20);
    const Finding orphans = only(check_orphaned_memory(host));
    CHECK_THAT(orphans.what, Catch::Contains("2 rings of supervisor 5"));
    CHECK_THAT(orphans.fix, Catch::Contains("ringwayd --runtime-dir /run/r --state-dir /var/s"));
    CHECK_THAT(orphans.fix, Catch::EndsWith("kill 20"));
  }
  SECTION("nobody where the service manager has it in its store") {
    held_by(HolderKind::client, 21);
    held_by(HolderKind::service_manager, 1);
    const Finding orphans = only(check_orphaned_memory(host));
    CHECK_THAT(orphans.what, Catch::Contains("the service manager's store"));
    CHECK_THAT(orphans.fix, Catch::Contains("systemctl start ringwayd "));
    CHECK_THAT(orphans.fix, !Catch::Contains("kill"));
  }
  SECTION("nobody where clients alone have it") {
    held_by(HolderKind::client, 21);
    const Finding orphans = only(check_orphaned_memory(host));
    CHECK(orphans.severity == Severity::note);
    CHECK_THAT(orphans.fix, !Catch::Contains("kill"));
  }
  SECTION("nobody where its pid is of another namespace") {
    held_by(HolderKind::client, 21);
    held_by(HolderKind::keeper, 20, "unknown");
    const Finding orphans = only(check_orphaned_memory(host));
    CHECK(orphans.severity == Severity::unchecked);
    CHECK_THAT(orphans.what, Catch::Contains("20 21"));
  }
  SECTION("nobody while a successor takes it over") {
    held_by(HolderKind::keeper, 20);
    held_by(HolderKind::supervisor, 22);
    CHECK(severity(check_orphaned_memory(host)) == Severity::ok);
  }
}

TEST_CASE("doctor: a bus in the directory of a user's session ends with it", "[cli]") {
  Host host;
  host.runtime_dir = "/run/user/1000/ringway";
  CHECK_THAT(only(check_logout(host)).fix, Catch::Contains("enable-linger somebody"));
  host.files["/var/lib/systemd/linger/somebody"] = "";
  CHECK(severity(check_logout(host)) == Severity::ok);
}

}  // namespace cli_doctor_state_test
