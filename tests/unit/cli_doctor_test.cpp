#include <catch2/catch.hpp>
#include <vector>

#include "tools/doctor/checks.hpp"
#include "tools/doctor/diagnosis.hpp"
#include "tools/doctor/proc_text.hpp"
#include "tools/pid_namespace.hpp"
#include "unit/doctor_fixture.hpp"

namespace cli_doctor_test {

using namespace ringway;
using namespace ringway::cli::doctor;
using cli::Exit;

TEST_CASE("doctor: on a host where all is well each check says so", "[cli]") {
  const Host host;
  const Findings all = run_checks(host);
  CHECK(all.size() == 22);
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
  CHECK(all.size() == 22);
  std::size_t unchecked = 0;
  for (const Finding& finding : all) {
    INFO(finding.check << ": " << finding.what);
    CHECK(finding.severity <= Severity::unchecked);
    if (finding.severity == Severity::unchecked) ++unchecked;
  }
  CHECK(unchecked == 16);
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

TEST_CASE("doctor: the pids of a process, here and in its own namespace", "[cli]") {
  CHECK(cli::pids_in("Name:\ta\nNSpid:\t13205\t177\nSeccomp:\t0\n") ==
        std::vector<pid_t>{13205, 177});
  CHECK(cli::pids_in("Name:\ta\n").empty());
  CHECK(cli::pids_of(getpid()).back() == getpid());
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
