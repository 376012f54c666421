#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "ringway/error.hpp"
#include "support/temporary_directory.hpp"
#include "tools/bundle/archive.hpp"
#include "tools/bundle/collection.hpp"
#include "tools/bundle/unit_commands.hpp"
#include "tools/capture.hpp"
#include "tools/service_unit.hpp"

namespace cli_bundle_test {

using namespace ringway;
using namespace ringway::cli;
using namespace ringway::cli::bundle;
using namespace std::chrono_literals;

TEST_CASE("bundle: a tar archive is what tar(1) takes for one", "[cli]") {
  test::TemporaryDirectory directory;
  Archive archive(1'700'000'000);
  archive.add("a/empty", "");
  archive.add("a/block", std::string(512, 'b'));
  archive.add("a/odd", std::string(1000, 'o') + '\0');
  const std::string file = directory.path() + "/x.tar";
  write_new_file(file, archive.take());
  const Captured list = capture({"tar", "-tvf", file}, 10s, 4096);
  CHECK(list.status == 0);
  CHECK(list.err.empty());
  CHECK_THAT(list.out, Catch::Contains("-rw-------") && Catch::Contains("1001") &&
                           Catch::Contains("a/empty"));
  CHECK(capture({"tar", "-xOf", file, "a/odd"}, 10s, 4096).out == std::string(1000, 'o') + '\0');
}

TEST_CASE("bundle: the unit of a process, and whose service manager is asked", "[cli]") {
  const Unit system = unit_in("0::/system.slice/ringwayd.service\n");
  CHECK(system.name == "ringwayd.service");
  CHECK_FALSE(system.of_user);
  const Unit own = unit_in(
      "4:memory:/x\n0::/user.slice/user-7.slice/user@7.service/app.slice/ringwayd.service\n");
  CHECK(own.name == "ringwayd.service");
  CHECK(own.of_user);
  CHECK(unit_in("0::/user.slice/user-7.slice/session-1.scope\n").name.empty());
  CHECK(unit_in("").name.empty());
  using Catch::VectorContains;
  CHECK_THAT(state_command(own), VectorContains(std::string("--user")));
  CHECK_THAT(state_command(system), !VectorContains(std::string("--user")));
  CHECK_THAT(journal_command(own), VectorContains(std::string("--user-unit=ringwayd.service")));
  CHECK_THAT(journal_command(system), VectorContains(std::string("--unit=ringwayd.service")));
  CHECK_FALSE(is_ringwayd(getpid()));
}

TEST_CASE("bundle: of a unit no environment and no command line is shown", "[cli]") {
  for (const std::string& word : state_command({"x.service", false})) {
    if (!word.starts_with("--property=")) continue;
    const std::string shown = "," + word.substr(word.find('=') + 1) + ",";
    for (const char* secret : {",Environment", ",ExecStart,", ",ExecStop,", ",ExecReload,"}) {
      CHECK_THAT(shown, !Catch::Contains(secret));
    }
    return;
  }
  FAIL("systemctl show without a list shows all");
}

TEST_CASE("bundle: it is made for its owner alone, and overwrites nothing", "[cli]") {
  test::TemporaryDirectory directory;
  const std::string file = directory.path() + "/x.tar";
  write_new_file(file, "one");
  struct stat status {};
  REQUIRE(stat(file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  try {
    write_new_file(file, "two");
    FAIL("it was not refused");
  } catch (const Error& refused) {
    CHECK(refused.code() == ErrorCode::exists);
  }
  CHECK(capture({"cat", file}, 10s, 4096).out == "one");
}

TEST_CASE("bundle: commands are ended in time, cut, and told of when they are not there", "[cli]") {
  const Captured late = capture({"sleep", "100"}, 50ms, 4096);
  CHECK(late.late);
  CHECK_FALSE(late.status);
  const Captured much = capture({"head", "-c", "100000", "/dev/zero"}, 10s, 1000);
  CHECK(much.out.size() == 1000);
  CHECK(much.cut);
  const Captured none = capture({"no-such-command-here"}, 1s, 1000);
  CHECK_FALSE(none.status);
  CHECK_THAT(none.err, Catch::Contains("No such file"));
  const Captured both = capture({"sh", "-c", "echo out; echo err >&2; exit 3"}, 10s, 1000);
  CHECK(both.status == 3);
  CHECK(both.out == "out\n");
  CHECK(both.err == "err\n");
}

TEST_CASE("bundle: what a child computes is captured as a command is", "[cli]") {
  const Captured told = capture([] { return std::string(2000, 'x'); }, 10s, 1000);
  CHECK((told.status == 0 && told.out.size() == 1000 && told.cut));
  const Captured failed =
      capture([]() -> std::string { throw std::runtime_error("no"); }, 10s, 1000);
  CHECK((failed.status == 1 && failed.out.empty() && failed.err == "no"));
  const Captured late = capture(
      [] {
        for (;;) pause();
        return std::string();
      },
      50ms, 1000);
  CHECK((late.late && !late.status));
}

TEST_CASE("bundle: parts that take too long are said, and those that had no time", "[cli]") {
  Collection collection(50ms, Collection::Clock::now() + 1h);
  collection.add_command("slow.txt", "waits", {"sh", "-c", "echo begun; exec sleep 100"});
  Collection over(10s, Collection::Clock::now() - 1s);
  over.add_command("unstarted.txt", "what", {"false"});
  over.add_file("host/version", "/proc/version");
  const auto manifest_of = [](Collection& of) {
    const std::string archive = of.take(0, cli::Json::object());
    const std::size_t begin = archive.find('{');
    return cli::Json::parse(archive.substr(begin, archive.find('\0', begin) - begin));
  };
  const auto slow = manifest_of(collection);
  CHECK(slow["files"][0]["bytes"] == 6);
  CHECK(slow["files"][0]["note"] == "not answered within 50 ms");
  const auto none = manifest_of(over);
  CHECK(none["files"].empty());
  CHECK(none["left_out"].size() == 2);
  CHECK(none["left_out"][0]["what"] == "unstarted.txt");
}

TEST_CASE("bundle: the manifest lists what is within and what is not", "[cli]") {
  test::TemporaryDirectory directory;
  Collection collection(10s, Collection::Clock::now() + 1h);
  collection.add_command("told.txt", "what was told", {"sh", "-c", "echo a; echo b >&2; exit 5"});
  collection.add_file("host/none", "/no/such/file");
  collection.leave_out("records", "never");
  const std::string file = directory.path() + "/x.tar";
  write_new_file(file, collection.take(0, {{"version", "1"}}));
  const auto manifest = cli::Json::parse(
      capture({"tar", "-xOf", file, "ringway-debug/manifest.json"}, 10s, 10000).out);
  CHECK(manifest["version"] == "1");
  REQUIRE(manifest["files"].size() == 2);
  CHECK(manifest["files"][0]["exit"] == 5);
  CHECK(manifest["files"][0]["bytes"] == 2);
  CHECK(manifest["files"][1]["file"] == "told.txt.err");
  CHECK(manifest["left_out"].size() == 2);
  CHECK(manifest["left_out"][0]["what"] == "/no/such/file");
}

}  // namespace cli_bundle_test
