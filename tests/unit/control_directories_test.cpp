#include <sys/stat.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "control/directories.hpp"
#include "ringway/error.hpp"
#include "support/refused_calls.hpp"
#include "support/temporary_directory.hpp"

namespace control_directories_test {

using namespace ringway;
using test::RefusedCall;
using test::TemporaryDirectory;

namespace {

namespace fs = std::filesystem;

enum class Outcome { made, refused, something_else };

/// What comes of it in a child in which these calls are refused.
Outcome make_durable(const std::string& path, std::initializer_list<RefusedCall> calls,
                     const std::string& reason = "Input/output error") {
  const pid_t child = ::fork();
  if (child == 0) {
    Outcome outcome = Outcome::made;
    try {
      test::refuse_calls(calls);
      control::create_durable_directories(path, 0700);
    } catch (const Error& error) {
      const bool clear = error.code() == ErrorCode::failed && error.thing().starts_with("/") &&
                         error.rule() == "cannot be synced: " + reason && !error.fix().empty();
      if (!clear) std::fprintf(stderr, "in the child: %s\n", error.what());
      outcome = clear && test::refusals() > 0 ? Outcome::refused : Outcome::something_else;
    }
    ::_exit(static_cast<int>(outcome));
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) <= 2 ? Outcome{WEXITSTATUS(status)}
                                                       : Outcome::something_else;
}

dev_t device_of(const fs::path& path) {
  struct stat status{};
  ::stat(path.c_str(), &status);
  return status.st_dev;
}

/// How many directories above it lie on its file system.
int directories_above(const fs::path& path) {
  int above = 0;
  for (fs::path at = path; at != "/" && device_of(at.parent_path()) == device_of(path); ++above) {
    at = at.parent_path();
  }
  return above;
}

}  // namespace

TEST_CASE("directories: where any way to them may not last they are refused, and go again",
          "[control]") {
  const long number = GENERATE(SYS_openat, SYS_fsync);
  const bool found = GENERATE(false, true);
  CAPTURE(number, found);
  const TemporaryDirectory root(GENERATE("/tmp", "/dev/shm"));
  if (found) {
    fs::create_directory(root / "a");
    std::ofstream(root / "a/of somebody") << "who has not synced it either";
  }
  int k = 1;
  for (;; ++k) {
    const Outcome outcome = make_durable(root / "a/b/c", {{number, k, EIO}});
    if (outcome != Outcome::refused) {
      REQUIRE(outcome == Outcome::made);
      break;
    }
    CHECK(fs::exists(root / "a") == found);
    CHECK_FALSE(fs::exists(root / "a/b"));
  }
  CHECK(k - 1 == directories_above(root / "a/b/c"));
  REQUIRE(fs::is_directory(root / "a/b/c"));
  // Whoever comes next does not take them for durable.
  CHECK(make_durable(root / "a/b/c", {{number, 1, EIO}}) == Outcome::refused);
  CHECK(fs::is_directory(root / "a/b/c"));
}

TEST_CASE("directories: where a file system has no sync of one, that is left to it", "[control]") {
  const TemporaryDirectory root;
  const int error = GENERATE(EINVAL, ENOTSUP);
  CHECK(make_durable(root / "a/b", {{SYS_fsync, 1, error, true}}) == Outcome::made);
  CHECK(fs::is_directory(root / "a/b"));
}

TEST_CASE("directories: above one that nobody but others may open the file system is synced whole",
          "[control]") {
  const TemporaryDirectory root;
  const int error = GENERATE(EACCES, EPERM);
  CHECK(make_durable(root / "a/b", {{SYS_openat, 1, error}, {SYS_syncfs, 1, EIO}}) ==
        Outcome::refused);
  CHECK_FALSE(fs::exists(root / "a"));
  CHECK(make_durable(root / "a/b", {{SYS_openat, 1, error}, {SYS_fsync, 1, EIO}}) == Outcome::made);
  CHECK(fs::is_directory(root / "a/b"));
}

TEST_CASE("directories: a socket's need no sync, and what was made goes where the rest is refused",
          "[control]") {
  const TemporaryDirectory root;
  const pid_t child = ::fork();
  if (child == 0) {
    test::refuse_calls({{SYS_fsync, 1, EIO, true}, {SYS_openat, 1, EIO, true}});
    control::create_directories(root / "a/b", 0755);
    ::_exit(test::refusals());
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  CHECK(fs::is_directory(root / "a/b"));
  // Too long a name, of the last one.
  CHECK_THROWS_AS(control::create_directories(root / ("c/d/" + std::string(300, 'x')), 0755),
                  Error);
  CHECK_FALSE(fs::exists(root / "c"));
}

}  // namespace control_directories_test
