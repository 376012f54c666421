#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "tools/doctor/checks.hpp"
#include "unit/doctor_fixture.hpp"

namespace cli_doctor_host_test {

using namespace ringway;
using namespace ringway::cli::doctor;

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
    all_hidden("not to be seen from here");
  }
  SECTION("a hybrid") {
    cgroup = "8:pids:/\n4:memory:/a\n1:cpuacct,cpu:/\n0::/system.slice/ringwayd.service\n";
    all_hidden("not to be seen from here");
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
}

TEST_CASE("doctor: a kernel that does not prove who connects is no finding", "[cli]") {
  Host host;
  host.status["without"] = {"peerpidfd"};
  host.files["/proc/7/status"] = "Seccomp:\t2\n";
  host.call_filter = "read write";
  CHECK_THAT(only(check_kernel(host)).what, Catch::Contains("challenge"));
  for (const auto& check : {check_kernel, check_membarrier, check_io_uring, check_seccomp}) {
    CHECK(severity(check(host)) == Severity::ok);
  }
}

TEST_CASE("doctor: io_uring that this host forbids is used behind a restart", "[cli]") {
  Host host;
  std::string& disabled = host.files["/proc/sys/kernel/io_uring_disabled"];
  disabled = "2\n";
  CHECK(only(check_io_uring(host)).fix == "sysctl -w kernel.io_uring_disabled=0");
  host.status["without"] = {"io_uring"};
  CHECK(only(check_io_uring(host)).fix ==
        "sysctl -w kernel.io_uring_disabled=0 && systemctl restart ringwayd");
  host.status.erase("without");
  disabled = "1\n";
  CHECK(severity(check_io_uring(host)) == Severity::ok);
}

TEST_CASE("doctor: what keeps a feature from ringwayd is named, and what gives it back", "[cli]") {
  Host host;
  host.status["without"] = {"io_uring", "membarrier"};
  host.files["/proc/7/environ"] = "A=1";
  const auto fixes = [&](const std::string& io_uring, const std::string& membarrier) {
    CHECK_THAT(only(check_io_uring(host)).fix, Catch::Contains(io_uring));
    CHECK_THAT(only(check_membarrier(host)).fix, Catch::Contains(membarrier));
  };
  SECTION("no filter, no setting") {
    fixes("linux-image-amd64", "linux-image-amd64");
  }
  SECTION("its unit's filter, which is told what to allow, and nothing else") {
    host.files["/proc/7/status"] = "Seccomp:\t2\n";
    host.call_filter = "io_uring_enter read membarrier2";
    fixes("[Service] SystemCallFilter=io_uring_setup io_uring_register",
          "[Service] SystemCallFilter=membarrier");
    host.call_filter = "~io_uring_setup membarrier";
    fixes("[Service] SystemCallFilter=io_uring_setup", "[Service] SystemCallFilter=membarrier");
    CHECK_THAT(only(check_io_uring(host)).fix, !Catch::Contains("io_uring_enter"));
  }
  SECTION("a filter that is not its unit's, in which such a line would allow nothing else") {
    host.files["/proc/7/status"] = "Seccomp:\t2\n";
    for (const char* of_unit : {"", "~reboot", "io_uring_setup io_uring_enter io_uring_register "
                                               "membarrier"}) {
      host.call_filter = of_unit;
      fixes("allow io_uring_setup, ", "allow membarrier in the seccomp profile");
      CHECK_THAT(only(check_membarrier(host)).fix, !Catch::Contains("SystemCallFilter"));
    }
  }
  SECTION("a filter of the unit that the process was started without") {
    host.call_filter = "read";
    fixes("linux-image-amd64", "linux-image-amd64");
  }
  SECTION("its environment") {
    using namespace std::string_literals;
    host.files["/proc/7/environ"] = "A=1\0RINGWAY_WITHOUT=tsc,membarrier\0"s;
    fixes("linux-image-amd64", "[Service] UnsetEnvironment=RINGWAY_WITHOUT");
    host.unit = {};
    fixes("linux-image-amd64", "unset RINGWAY_WITHOUT && kill -USR1 7 && ringwayd");
  }
  SECTION("an environment that is not for this user") {
    host.files.erase("/proc/7/environ");
    fixes("sudo ringway doctor", "sudo ringway doctor");
  }
  SECTION("another pid namespace") {
    host.supervisor = 0;
    fixes("where ringwayd runs", "where ringwayd runs");
  }
}

TEST_CASE("doctor: membarrier is looked for in this shell, too", "[cli]") {
  Host host;
  host.membarrier = false;
  host.files["/proc/self/environ"] = "RINGWAY_WITHOUT=membarrier";
  CHECK(only(check_membarrier(host)).fix == "unset RINGWAY_WITHOUT");
  host.files["/proc/self/environ"] = "";
  host.files["/proc/self/status"] = "Seccomp:\t2\n";
  host.call_filter = "read";  // not of this shell
  CHECK_THAT(only(check_membarrier(host)).fix, Catch::StartsWith("allow membarrier"));
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
  CHECK(severity(check_numa(host)) == Severity::ok);  // it may use one
  host.files["/proc/7/status"] = "Mems_allowed_list:\t1-2\n";
  CHECK_THAT(only(check_numa(host)).what, Catch::Contains("numa_maps does not say"));
  std::string& maps = host.files["/proc/7/numa_maps"];
  for (const char* policy : {"default", "bind:1-2", "interleave:1-2", "local"}) {
    maps = fmt::format("55d0c0000000 {} file=/usr/bin/ringwayd N0=2\n7f00 bind:1\n", policy);
    INFO(maps);
    const std::string fix = only(check_numa(host)).fix;
    CHECK(fix == "systemctl edit ringwayd && systemctl restart ringwayd"
                 "  # [Service] NUMAPolicy=bind and, below it, NUMAMask=1");
  }
  for (const char* policy : {"bind:1", "prefer:2", "bind=static:1"}) {
    maps = fmt::format("55d0c0000000 {}\n7f00 default\n", policy);
    CHECK(severity(check_numa(host)) == Severity::ok);
  }
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
  CHECK_THAT(only(check_descriptors(host)).what, Catch::Contains("at least 400000 are in use"));
  host.descriptors = 1'000;
  CHECK(only(check_descriptors(host)).what == "ringwayd may have 524288, 1000 are in use");
  CHECK(severity(check_descriptors(host)) == Severity::ok);
  host.descriptors = 300'000;
  CHECK(severity(check_descriptors(host)) == Severity::warning);
  host.files["/proc/sys/vm/max_map_count"] = "2\n";
  CHECK(severity(check_mappings(host)) == Severity::warning);
  host.files["/sys/fs/cgroup/system.slice/ringwayd.service/pids.max"] = "40\n";
  host.files["/sys/fs/cgroup/system.slice/ringwayd.service/pids.current"] = "39\n";
  CHECK(severity(check_tasks(host)) == Severity::warning);
  host.files["/sys/fs/cgroup/system.slice/ringwayd.service/pids.current"] = "4\n";
  CHECK(severity(check_tasks(host)) == Severity::ok);
}

TEST_CASE("doctor: a descriptor store that is nearly full is told before it refuses", "[cli]") {
  Host host;
  host.store = {100, 100};
  CHECK(severity(check_descriptor_store(host)) == Severity::ok);  // a keeper has the rings
  host.status["rings_held_by"] = "service";
  CHECK(only(check_descriptor_store(host)).what == "100 of 100 are in use");
  CHECK(only(check_descriptor_store(host)).fix ==
        "systemctl edit ringwayd && systemctl restart ringwayd  # [Service] "
        "FileDescriptorStoreMax=400");
  host.store = {80, 100};
  CHECK(severity(check_descriptor_store(host)) == Severity::ok);
  host.store.reset();
  CHECK(severity(check_descriptor_store(host)) == Severity::unchecked);
}

TEST_CASE("doctor: limits of groups are those of the version that has the controller", "[cli]") {
  Host host;
  host.files["/proc/7/cgroup"] =
      "8:pids:/a/b\n4:memory:/a\n1:cpuacct,cpu:/\n0::/system.slice/ringwayd.service\n";
  const std::string groups = "/sys/fs/cgroup/";
  for (const char* group : {"pids/a/b", "pids/a", "pids", "memory/a", "memory", "cpu"}) {
    host.files[groups + group + "/notify_on_release"] = "0\n";
  }
  host.files[groups + "pids/a/b/pids.max"] = "max\n";
  host.files[groups + "pids/a/pids.max"] = "40\n";
  host.files[groups + "pids/a/pids.current"] = "39\n";
  CHECK_THAT(only(check_tasks(host)).what, Catch::Equals("39 of 40 in /sys/fs/cgroup/pids/a"));
  host.files[groups + "pids/a/pids.current"] = "3\n";
  CHECK(severity(check_tasks(host)) == Severity::ok);
  host.files.erase(groups + "pids/a/pids.max");
  CHECK_THAT(only(check_tasks(host)).what, Catch::Contains("pids/a/pids.max cannot be read"));

  const std::string none = "9223372036854771712\n";
  for (const char* group : {"memory/a", "memory"}) {
    host.files[groups + group + "/memory.limit_in_bytes"] = none;
    host.files[groups + group + "/memory.usage_in_bytes"] = "4857600\n";
  }
  CHECK(severity(check_memory(host)) == Severity::ok);
  host.files[groups + "memory/a/memory.limit_in_bytes"] = "104857600\n";
  CHECK_THAT(only(check_memory(host)).what, Catch::Contains("memory/a/memory.limit_in_bytes"));

  host.files[groups + "cpu/cpu.cfs_quota_us"] = "-1\n";
  host.files[groups + "cpu/cpu.cfs_period_us"] = "100000\n";
  CHECK(severity(check_cpu_quota(host)) == Severity::ok);
  host.files[groups + "cpu/cpu.cfs_quota_us"] = "50000\n";
  CHECK_THAT(only(check_cpu_quota(host)).what, Catch::StartsWith("50 %"));
}

TEST_CASE("doctor: a limit of a group is raised where it was found", "[cli]") {
  Host host;
  const auto expect = [&](const std::string& group, const std::string& quota,
                          const std::string& tasks) {
    host.files["/proc/7/cgroup"] = "0::" + group + "/ringwayd.service\n";
    for (const std::string& own : {group, group + "/ringwayd.service"}) {
      host.files["/sys/fs/cgroup" + own + "/cgroup.controllers"] = "cpu pids\n";
    }
    const std::string here = "/sys/fs/cgroup" + group;
    host.files[here + "/cpu.max"] = "50000 100000\n";
    host.files[here + "/pids.max"] = "1000\n";
    host.files[here + "/pids.current"] = "990\n";
    host.files[here + "/ringwayd.service/cpu.max"] = "max 100000\n";
    host.files[here + "/ringwayd.service/pids.max"] = "max\n";
    CHECK(only(check_cpu_quota(host)).fix == quota);
    CHECK(only(check_tasks(host)).fix == tasks);
  };
  expect("/ringway.slice", "systemctl edit ringway.slice  # [Slice] CPUQuota=",
         "systemctl edit ringway.slice  # [Slice] TasksMax=2000");
  const std::string user = "/user.slice/user-7.slice";
  expect(user, "systemctl edit user-7.slice  # [Slice] CPUQuota=",
         "systemctl edit user-7.slice  # [Slice] TasksMax=2000");
  expect(user + "/user@7.service", "systemctl edit user@7  # [Service] CPUQuota=",
         "systemctl edit user@7  # [Service] TasksMax=2000");
  expect(user + "/user@7.service/app.slice",
         "systemctl --user edit app.slice  # [Slice] CPUQuota=",
         "systemctl --user edit app.slice  # [Slice] TasksMax=2000");
  expect("/system.slice/a.scope", "systemctl set-property a.scope CPUQuota=",
         "systemctl set-property a.scope TasksMax=2000");
  host.files["/sys/fs/cgroup/system.slice/a.scope/ringwayd.service/cpu.max"] = "1 100000\n";
  CHECK_THAT(only(check_cpu_quota(host)).fix,
             Catch::StartsWith("systemctl edit ringwayd && systemctl restart ringwayd  # "));
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
  CHECK(only(check_governor(host)).fix ==
        "echo performance | tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor");
  std::erase_if(host.files, [](const auto& file) { return file.first.ends_with("_governor"); });
  CHECK_THAT(only(check_governor(host)).what, Catch::Contains("virtual machine"));
  host.files["/sys/fs/cgroup/cpu.max"] = "50000 100000\n";  // a container sees its own as the root
  CHECK_THAT(only(check_cpu_quota(host)).what, Catch::StartsWith("50 %"));
  CHECK_THAT(only(check_cpu_quota(host)).fix, Catch::Contains("container"));
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
  CHECK_THAT(only(check_disk_room(host)).fix, Catch::StartsWith("du -xhd 3 /var/lib/ringway "));
  host.sync.times = {std::chrono::milliseconds(30), std::chrono::milliseconds(40)};
  CHECK_THAT(only(check_sync_time(host)).fix, Catch::StartsWith("findmnt -T /var/lib/ringway "));
  host.topics = {{.name = "a", .ring_bytes = 1 << 20, .on_disk = true},
                 {.name = "b", .ring_bytes = 1 << 16, .on_disk = true, .trimmable_bytes = 1 << 20},
                 {.name = "c", .ring_bytes = 1 << 16}};
  CHECK_THAT(only(check_disk_room(host)).fix,
             Catch::StartsWith("ringway topic trim b --before end  # deletes 1 MiB "));
  CHECK_THAT(only(check_sync_time(host)).fix,
             Catch::StartsWith("ringway topic alter b --ring 256KiB "));
  host.sync = {.times = {std::chrono::microseconds(1)}, .in_memory = true};
  CHECK_THAT(only(check_sync_time(host)).what, Catch::Contains("tmpfs"));
}

}  // namespace cli_doctor_host_test
