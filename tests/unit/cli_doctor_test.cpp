#include <catch2/catch.hpp>
#include <map>
#include <vector>

#include "tools/doctor/checks.hpp"
#include "tools/doctor/diagnosis.hpp"
#include "tools/doctor/proc_text.hpp"
#include "tools/pid_namespace.hpp"

namespace cli_doctor_test {

using namespace ringway;
using namespace ringway::cli::doctor;
using cli::Exit;

namespace {

constexpr const char* kLimits =
    "Limit                     Soft Limit           Hard Limit           Units     \n"
    "Max open files            1024                 524288               files     \n"
    "Max locked memory         8388608              unlimited            bytes     \n";

/// A host on which all is well.
struct Host : Facts {
  std::map<std::string, std::string> files{
      {"/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n"},
      {"/proc/sys/kernel/io_uring_disabled", "0\n"},
      {"/proc/7/status", "Seccomp:\t0\nMems_allowed_list:\t0\n"},
      {"/proc/7/limits", kLimits},
      {"/proc/7/maps", "a\nb\n"},
      {"/proc/7/cgroup", "0::/system.slice/ringwayd.service\n"},
      {"/proc/sys/vm/max_map_count", "65530\n"},
      {"/proc/sys/vm/overcommit_memory", "0\n"},
      {"/proc/meminfo",
       "MemTotal: 9000000 kB\nMemAvailable:    8000000 kB\nCommitLimit: 1024 kB\n"
       "Committed_AS: 24 kB\n"},
      {"/sys/kernel/mm/transparent_hugepage/shmem_enabled", "always [within_size] advise never\n"},
      {"/sys/devices/system/node/online", "0\n"},
      {"/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"},
      {"/proc/cpuinfo", "flags\t\t: fpu constant_tsc nonstop_tsc sse\n"},
      {"/sys/devices/system/cpu/online", "0-1,3\n"},
      {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"},
      {"/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n"},
      {"/sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "performance\n"},
      {"/sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n"},
      {"/sys/fs/cgroup/system.slice/cgroup.controllers", "cpu memory pids\n"},
      {"/sys/fs/cgroup/system.slice/cpu.max", "max 100000\n"},
      {"/sys/fs/cgroup/system.slice/memory.max", "max\n"},
      {"/sys/fs/cgroup/system.slice/memory.current", "4096\n"},
      {"/sys/fs/cgroup/system.slice/pids.max", "max\n"},
      {"/sys/fs/cgroup/system.slice/ringwayd.service/cgroup.controllers", "memory pids\n"},
      {"/sys/fs/cgroup/system.slice/ringwayd.service/memory.max", "max\n"},
      {"/sys/fs/cgroup/system.slice/ringwayd.service/memory.current", "4096\n"},
      {"/sys/fs/cgroup/system.slice/ringwayd.service/pids.max", "max\n"},
  };

  Host() {
    read = [this](const std::string& path) -> std::optional<std::string> {
      const auto found = files.find(path);
      if (found == files.end()) return {};
      return found->second;
    };
    answers = true;
    supervisor = 7;
    status = {{"pid", 7},          {"version", "0.1.0"},
              {"topics", 3},       {"sessions", nlohmann::json::array()},
              {"memory", {{"used", 1 << 20}, {"limit", 1 << 30}}}};
    version = "0.1.0";
    layout = "1.3";
    runtime_dir = "/run/ringway";
    state_dir = "/var/lib/ringway";
    unit = {"ringwayd.service", false};
    membarrier = true;
    sees_all = true;
    user = "somebody";
    sync.times = {std::chrono::microseconds(100), std::chrono::microseconds(200)};
    disk = DiskRoom{1ULL << 40, 1ULL << 41};
    keep_free = 1ULL << 36;
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
};

/// The one finding of a check, which says why and how where it is not well.
Finding only(const Findings& findings) {
  REQUIRE(findings.size() == 1);
  const Finding& finding = findings.front();
  CHECK((finding.severity < Severity::note) == finding.why.empty());
  CHECK(finding.why.empty() == finding.fix.empty());
  if (finding.severity == Severity::unchecked) CHECK(!finding.what.empty());
  return finding;
}

Severity severity(const Findings& findings) {
  return only(findings).severity;
}

}  // namespace

TEST_CASE("doctor: on a host where all is well each check says so", "[cli]") {
  const Host host;
  const Findings all = run_checks(host);
  CHECK(all.size() == 21);
  for (const Finding& finding : all) {
    INFO(finding.check << ": " << finding.what);
    CHECK(finding.severity == Severity::ok);
  }
  CHECK(verdict(all) == Exit::ok);
}

TEST_CASE("doctor: what cannot be read is said, never skipped and never judged", "[cli]") {
  Host host;
  host.files.clear();
  host.sees_all = false;
  host.disk.reset();
  host.sync = {.why_not = "nobody says where"};
  const Findings all = run_checks(host);
  CHECK(all.size() == 21);
  std::size_t unchecked = 0;
  for (const Finding& finding : all) {
    INFO(finding.check << ": " << finding.what);
    CHECK(finding.severity <= Severity::unchecked);
    if (finding.severity == Severity::unchecked) ++unchecked;
  }
  CHECK(unchecked == 16);
}

TEST_CASE("doctor: limits that cannot be seen are never taken for none", "[cli]") {
  Host host;
  const auto all_hidden = [&](const char* where) {
    for (const auto& check : {check_memory, check_tasks, check_cpu_quota}) {
      const Finding finding = only(check(host));
      INFO(finding.check << ": " << finding.what);
      CHECK(finding.severity == Severity::unchecked);
      CHECK_THAT(finding.what, Catch::Contains(where));
    }
  };
  std::string& cgroup = host.files["/proc/7/cgroup"];
  SECTION("version 1") {
    cgroup = "9:name=systemd:/\n8:pids:/\n4:memory:/a\n1:cpu,cpuacct:/\n";
    all_hidden("version 1");
  }
  SECTION("a hybrid") {
    cgroup = "8:pids:/\n4:memory:/a\n1:cpuacct,cpu:/\n0::/system.slice/ringwayd.service\n";
    all_hidden("version 1");
  }
  SECTION("a hybrid without a controller that limits") {
    cgroup = "8:freezer:/\n1:cpuset:/\n0::/system.slice/ringwayd.service\n";
    CHECK(severity(check_memory(host)) == Severity::ok);
    CHECK(severity(check_tasks(host)) == Severity::ok);
    CHECK(severity(check_cpu_quota(host)) == Severity::ok);
  }
  SECTION("/sys is not mounted") {
    std::erase_if(host.files, [](const auto& file) { return file.first.starts_with("/sys/"); });
    all_hidden("not to be seen from here");
    for (const auto& check : {check_huge_pages, check_numa, check_clock, check_governor}) {
      CHECK_THAT(only(check(host)).what, Catch::Contains("cannot be read"));
    }
  }
  SECTION("a group beyond what is mounted") {
    cgroup = "0::/../other/ringwayd.service\n";
    all_hidden("not to be seen from here");
  }
  SECTION("/proc/PID is not for this user") {
    host.files.erase("/proc/7/cgroup");
    all_hidden("/proc/7/cgroup cannot be read");
  }
  SECTION("one file") {
    host.files.erase("/sys/fs/cgroup/system.slice/memory.max");
    CHECK_THAT(only(check_memory(host)).what, Catch::Contains("system.slice/memory.max cannot"));
  }
  SECTION("its use") {
    host.files["/sys/fs/cgroup/system.slice/memory.max"] = "9999999999\n";
    host.files.erase("/sys/fs/cgroup/system.slice/memory.current");
    CHECK_THAT(only(check_memory(host)).what, Catch::Contains("memory.current cannot"));
  }
  SECTION("what is seen is too little all the same") {
    cgroup = "4:memory:/a\n";
    host.files["/proc/meminfo"] = "MemAvailable: 1000 kB\n";
    CHECK(severity(check_memory(host)) == Severity::warning);
  }
}

TEST_CASE("doctor: without /proc nothing of it is well", "[cli]") {
  Host host;
  std::erase_if(host.files, [](const auto& file) { return file.first.starts_with("/proc/"); });
  host.sees_all = false;
  for (const auto& check :
       {check_orphaned_memory, check_kernel, check_io_uring, check_seccomp, check_memory,
        check_locked_memory, check_descriptors, check_mappings, check_tasks, check_clock,
        check_cpu_quota}) {
    CHECK(severity(check(host)) == Severity::unchecked);
  }
  host.files["/sys/devices/system/node/online"] = "0-1\n";
  CHECK(severity(check_numa(host)) == Severity::unchecked);
}

TEST_CASE("doctor: what is not shown is not taken for well", "[cli]") {
  Host host;
  host.status["left_out"] = {{"sessions", 3}};
  CHECK_THAT(only(check_versions(host)).what, Catch::Contains("3 clients"));
  host.unseen_socket = "/run/ringway/keeper.sock";
  CHECK_THAT(only(check_stale_sockets(host)).what, Catch::Contains("keeper.sock"));
}

TEST_CASE("doctor: nobody serves, or not all is well", "[cli]") {
  Host host;
  host.status["degraded"] = {"topic 'a': disk_full", "topic 'b': disk_error"};
  CHECK(check_service(host).size() == 2);
  CHECK(check_service(host)[1].severity == Severity::warning);
  CHECK_THAT(check_service(host)[0].fix, Catch::StartsWith("ringway topic alter a --retention-"));
  CHECK_THAT(check_service(host)[1].fix, Catch::StartsWith("ringway topic alter b --when-disk-"));
  // Names are chosen by who may create topics, and fixes are typed by root.
  for (const char* trouble :
       {"topic 'x by pid $(id);' partition 0: pinned", "topic 'by pid 1' partition 0: pinned by pid 1",
        "topic 'orders' z' partition 0: disk_full", "/srv/ by pid $(id) /topics is amiss"}) {
    host.status["degraded"] = {trouble};
    const std::string fix = check_service(host).back().fix;
    INFO(trouble << ": " << fix);
    CHECK(fix.find("$(") == fix.npos);
    CHECK(fix.find("kill") == fix.npos);
    CHECK(fix.find("alter") == fix.npos);
  }
  host.status["degraded"] = {"topic 'a b' partition 1: stopped_claim by pid 9"};
  CHECK_THAT(only(check_service(host)).fix, Catch::StartsWith("kill -CONT 9 "));
  host.answers = false;
  host.silence = "nobody listens";
  CHECK(severity(check_service(host)) == Severity::error);
  CHECK(severity(check_versions(host)) == Severity::unchecked);
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

TEST_CASE("doctor: the pids of a process, here and in its own namespace", "[cli]") {
  CHECK(cli::pids_in("Name:\ta\nNSpid:\t13205\t177\nSeccomp:\t0\n") ==
        std::vector<pid_t>{13205, 177});
  CHECK(cli::pids_in("Name:\ta\n").empty());
  CHECK(cli::pids_of(getpid()).back() == getpid());
}

TEST_CASE("doctor: a bus in the directory of a user's session ends with it", "[cli]") {
  Host host;
  host.runtime_dir = "/run/user/1000/ringway";
  CHECK_THAT(only(check_logout(host)).fix, Catch::Contains("enable-linger somebody"));
  host.files["/var/lib/systemd/linger/somebody"] = "";
  CHECK(severity(check_logout(host)) == Severity::ok);
}

TEST_CASE("doctor: kernels that are too old, or lack something", "[cli]") {
  Host host;
  for (const auto& [release, expected] :
       std::map<std::string, Severity>{{"6.0.9", Severity::error},
                                       {"5.15.0-91-generic", Severity::error},
                                       {"6.10.1", Severity::ok},
                                       {"7.0.0", Severity::ok},
                                       {"strange", Severity::unchecked}}) {
    host.files["/proc/sys/kernel/osrelease"] = release;
    INFO(release);
    CHECK(severity(check_kernel(host)) == expected);
  }
  host.membarrier = false;
  CHECK(severity(check_membarrier(host)) == Severity::warning);
}

TEST_CASE("doctor: io_uring that is forbidden, or that the supervisor lacks", "[cli]") {
  Host host;
  host.files["/proc/sys/kernel/io_uring_disabled"] = "2\n";
  CHECK_THAT(only(check_io_uring(host)).fix, Catch::Contains("sysctl"));
  host.files["/proc/sys/kernel/io_uring_disabled"] = "1\n";
  CHECK(severity(check_io_uring(host)) == Severity::ok);
  host.files["/proc/sys/kernel/io_uring_disabled"] = "0\n";
  host.status["without"] = {"io_uring"};
  CHECK_THAT(only(check_io_uring(host)).fix, Catch::Contains("systemctl edit"));
  host.files["/proc/7/status"] = "Seccomp:\t2\n";
  CHECK(severity(check_seccomp(host)) == Severity::warning);
  host.status.erase("without");
  CHECK(severity(check_seccomp(host)) == Severity::ok);
}

TEST_CASE("doctor: rings that were promised more memory than there is", "[cli]") {
  Host host;
  SECTION("in RAM") {
    host.files["/proc/meminfo"] = "MemAvailable: 1000 kB\n";
    CHECK_THAT(only(check_memory(host)).what, Catch::Contains("RAM"));
  }
  SECTION("in a cgroup above it") {
    host.files["/sys/fs/cgroup/system.slice/memory.max"] = "104857600\n";
    host.files["/sys/fs/cgroup/system.slice/memory.current"] = "4857600\n";
    CHECK_THAT(only(check_memory(host)).what, Catch::Contains("system.slice/memory.max"));
  }
  SECTION("under strict accounting") {
    host.files["/proc/sys/vm/overcommit_memory"] = "2\n";
    CHECK_THAT(only(check_memory(host)).what, Catch::Contains("overcommit"));
  }
  SECTION("in a cgroup without a limit") {
    host.files["/sys/fs/cgroup/system.slice/memory.max"] = "max\n";
    host.files["/sys/fs/cgroup/system.slice/memory.current"] = "4857600\n";
    CHECK(severity(check_memory(host)) == Severity::ok);
  }
}

TEST_CASE("doctor: huge pages and nodes", "[cli]") {
  Host host;
  host.files["/sys/kernel/mm/transparent_hugepage/shmem_enabled"] = "always advise [never] deny";
  CHECK(severity(check_huge_pages(host)) == Severity::note);
  host.files["/sys/devices/system/node/online"] = "0-1\n";
  CHECK(severity(check_numa(host)) == Severity::ok);  // it keeps to one
  host.files["/proc/7/status"] = "Mems_allowed_list:\t0-1\n";
  CHECK(severity(check_numa(host)) == Severity::note);
}

TEST_CASE("doctor: limits of the process", "[cli]") {
  Host host;
  host.files["/proc/7/limits"] =
      "Max open files            256                 1024               files     \n"
      "Max locked memory         65536               65536              bytes     \n";
  CHECK(severity(check_locked_memory(host)) == Severity::warning);
  CHECK_THAT(only(check_descriptors(host)).fix, Catch::Contains("LimitNOFILE"));
  host.files["/proc/7/limits"] = kLimits;
  host.status["topics"] = 100'000;
  CHECK(severity(check_descriptors(host)) == Severity::warning);
  host.files["/proc/sys/vm/max_map_count"] = "2\n";
  CHECK(severity(check_mappings(host)) == Severity::warning);
  host.files["/sys/fs/cgroup/system.slice/ringwayd.service/pids.max"] = "40\n";
  host.files["/sys/fs/cgroup/system.slice/ringwayd.service/pids.current"] = "39\n";
  CHECK(severity(check_tasks(host)) == Severity::warning);
  host.files["/sys/fs/cgroup/system.slice/ringwayd.service/pids.current"] = "4\n";
  CHECK(severity(check_tasks(host)) == Severity::ok);
}

TEST_CASE("doctor: clocks, governors and quotas that cost time", "[cli]") {
  Host host;
  const std::string clock = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
  host.files[clock] = "hpet\n";
  CHECK(severity(check_clock(host)) == Severity::warning);
  host.files[clock] = "kvm-clock\n";
  CHECK(severity(check_clock(host)) == Severity::note);
  host.files[clock] = "tsc\n";
  host.files["/proc/cpuinfo"] = "flags\t\t: fpu tsc\n";
  CHECK(severity(check_clock(host)) == Severity::note);
  host.files["/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor"] = "powersave\n";
  CHECK(severity(check_governor(host)) == Severity::ok);  // it is offline
  host.files["/sys/devices/system/cpu/cpu3/cpufreq/scaling_governor"] = "powersave\n";
  CHECK(only(check_governor(host)).what == "powersave (cpu 3)");
  std::erase_if(host.files, [](const auto& file) { return file.first.ends_with("_governor"); });
  CHECK_THAT(only(check_governor(host)).what, Catch::Contains("virtual machine"));
  host.files["/sys/fs/cgroup/cpu.max"] = "50000 100000\n";  // a container sees its own as the root
  CHECK_THAT(only(check_cpu_quota(host)).what, Catch::StartsWith("50 %"));
  host.files["/sys/fs/cgroup/cpu.max"] = "200000 100000\n";
  CHECK(severity(check_cpu_quota(host)) == Severity::ok);
}

TEST_CASE("doctor: disks that are full, slow, or none", "[cli]") {
  Host host;
  host.disk = DiskRoom{1ULL << 30, 1ULL << 40};
  CHECK_THAT(only(check_disk_room(host)).why, Catch::Contains("64 GiB"));
  host.keep_free = 1ULL << 29;
  CHECK_THAT(only(check_disk_room(host)).what, Catch::Contains("512 MiB stay free"));
  host.keep_free.reset();  // nobody says: the default is named as that
  CHECK_THAT(only(check_disk_room(host)).why, Catch::Contains("5 %"));
  host.disk->free = 1ULL << 39;
  CHECK(severity(check_disk_room(host)) == Severity::unchecked);
  host.disk = DiskRoom{1000, 1ULL << 40};
  CHECK(severity(check_disk_room(host)) == Severity::error);
  host.sync.times = {std::chrono::milliseconds(30), std::chrono::milliseconds(40)};
  CHECK(severity(check_sync_time(host)) == Severity::warning);
  host.sync = {.times = {std::chrono::microseconds(1)}, .in_memory = true};
  CHECK_THAT(only(check_sync_time(host)).what, Catch::Contains("tmpfs"));
}

TEST_CASE("doctor: the verdict is the worst finding, notes aside", "[cli]") {
  const Finding note{Severity::note, "a", "b", "c", "d"};
  const Finding warning{Severity::warning, "a", "b", "c", "d"};
  const Finding error{Severity::error, "a", "b", "c", "d"};
  CHECK(verdict({note}) == Exit::ok);
  CHECK(verdict({note, warning}) == Exit::degraded);
  CHECK(verdict({error, warning}) == Exit::error);
  CHECK(render({warning}, cli::Format::table, cli::Style::plain) ==
        "warning   a                b\n"
        "          why: c\n"
        "          fix: d\n"
        "\n0 errors, 1 warning, 0 notes, 0 not checked\n");
  const auto json = cli::Json::parse(render({error}, cli::Format::json, cli::Style::plain));
  CHECK(json["errors"] == 1);
  CHECK(json["findings"][0]["fix"] == "d");
}

TEST_CASE("doctor: what strangers call themselves drives no terminal and forges no line", "[cli]") {
  const Finding finding{Severity::warning, "versions", "x\033[2J\n  fix: rm", "a\rb", "c\x7f"};
  CHECK(render({finding}, cli::Format::table, cli::Style::plain) ==
        "warning   versions         x?[2J?  fix: rm\n"
        "          why: a?b\n"
        "          fix: c?\n"
        "\n0 errors, 1 warning, 0 notes, 0 not checked\n");
}

TEST_CASE("doctor: texts of the kernel", "[cli]") {
  CHECK(counted_in("0") == 1);
  CHECK(counted_in("0-3,8") == 5);
  CHECK(counted_in("") == 0);
  CHECK(numbers_in("1-2,5") == std::vector<std::uint64_t>{1, 2, 5});
  CHECK(limit_in(kLimits, "Max locked memory")->hard == kUnlimited);
  CHECK(limit_in(kLimits, "Max open files")->soft == 1024);
  CHECK_FALSE(limit_in(kLimits, "Max processes"));
  CHECK(cgroups_in("0::/a/b\n") ==
        std::vector<std::string>{"/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup"});
  CHECK(cgroups_in("0::/\n") == std::vector<std::string>{"/sys/fs/cgroup"});
  CHECK(cgroups_in("4:memory:/x\n").empty());
}

}  // namespace cli_doctor_test
