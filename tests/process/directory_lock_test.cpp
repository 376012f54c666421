#include "control/directory_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>

#include "ringway/error.hpp"
#include "support/temporary_directory.hpp"

using namespace ringway;
using control::DirectoryLock;
using test::TemporaryDirectory;

namespace {

/// What a second taker is told.
std::string refusal(const std::string& directory) {
  try {
    const DirectoryLock second(directory);
  } catch (const Error& error) {
    return error.code() == ErrorCode::busy ? error.rule() : error.what();
  }
  return "taken";
}

/// By this program.
std::string in_use_by(pid_t pid) {
  std::string name;
  std::getline(std::ifstream("/proc/self/comm"), name);
  return "is in use by " + name + " with pid " + std::to_string(pid);
}

}  // namespace

TEST_CASE("directory lock: a second holder in this process is refused, by any path", "[process]") {
  const TemporaryDirectory directory;
  std::filesystem::create_directory_symlink(directory.path(), directory / "link");
  std::optional<DirectoryLock> lock(directory.path());
  const std::string told = in_use_by(::getpid());
  CHECK(refusal(directory.path()) == told);
  CHECK(refusal(directory / "link") == told);
  const DirectoryLock moved(std::move(*lock));
  lock.reset();
  CHECK(refusal(directory.path()) == told);
}

TEST_CASE("directory lock: another process is refused, told the pid, and may go on after a kill",
          "[process]") {
  const TemporaryDirectory directory;
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const DirectoryLock lock(directory.path());
    [[maybe_unused]] const auto told = ::write(ends[1], "x", 1);
    ::pause();
  }
  char byte = 0;
  REQUIRE(::read(ends[0], &byte, 1) == 1);
  CHECK(refusal(directory.path()) == in_use_by(child));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(refusal(directory.path()) == "taken");
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("directory lock: a refused taker and a forked child do not release it", "[process]") {
  const TemporaryDirectory directory;
  const DirectoryLock lock(directory.path());
  CHECK(refusal(directory.path()) != "taken");
  const pid_t child = ::fork();
  if (child == 0) {
    ::close_range(3, ~0u, 0);  // what its copies were
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  const pid_t other = ::fork();
  if (other == 0) {
    // A stranger to the parent's registry would find the POSIX lock; ask for it directly.
    const shm::Descriptor file(::open((directory / "lock").c_str(), O_RDWR));
    struct flock wanted{};
    wanted.l_type = F_WRLCK;
    ::_exit(::fcntl(file.get(), F_SETLK, &wanted) == -1 ? 0 : 1);
  }
  int status = -1;
  ::waitpid(other, &status, 0);
  CHECK(status == 0);
  CHECK_THROWS_AS(DirectoryLock(directory / "missing"), Error);
}

TEST_CASE("directory lock: who removes its file is refused all the same", "[process]") {
  const TemporaryDirectory directory;
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const DirectoryLock lock(directory.path());
    const pid_t inherits = ::fork();
    if (inherits == 0) ::pause();
    [[maybe_unused]] const auto told = ::write(ends[1], &inherits, sizeof inherits);
    ::pause();
  }
  pid_t inherits = 0;
  REQUIRE(::read(ends[0], &inherits, sizeof inherits) == sizeof inherits);
  std::filesystem::remove(directory / "lock");
  CHECK(control::lock_holder(directory.path()) == child);
  CHECK(refusal(directory.path()) == in_use_by(child));
  CHECK(control::lock_holder(directory.path()) == child);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  // Its own child still has what it had locked.
  CHECK(control::lock_holder(directory.path()) == 0);
  CHECK(refusal(directory.path()) == "taken");
  ::kill(inherits, SIGKILL);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("directory lock: given up, it is no child's either, and no child gives it up",
          "[process]") {
  const TemporaryDirectory directory;
  auto lock = std::make_optional<DirectoryLock>(directory.path());
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    lock.reset();
    [[maybe_unused]] const auto told = ::write(ends[1], "x", 1);
    ::pause();
  }
  char byte = 0;
  REQUIRE(::read(ends[0], &byte, 1) == 1);
  const auto free = [&] {
    const shm::Descriptor itself(::open(directory.path().c_str(), O_RDONLY));
    return ::flock(itself.get(), LOCK_EX | LOCK_NB) == 0;
  };
  CHECK(!free());
  lock.reset();
  CHECK(free());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("directory lock: what a stranger may lock keeps nobody out", "[process]") {
  const TemporaryDirectory directory;
  std::filesystem::permissions(directory.path(), std::filesystem::perms(0755));
  const shm::Descriptor itself(::open(directory.path().c_str(), O_RDONLY));
  REQUIRE(::flock(itself.get(), LOCK_EX | LOCK_NB) == 0);
  CHECK(refusal(directory.path()) == "taken");
}

TEST_CASE("directory lock: who may not open it is told what to do", "[process]") {
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "lock");
  CHECK_THROWS_WITH(DirectoryLock(directory.path()),
                    Catch::Contains("/lock: cannot be opened: ") &&
                        Catch::Contains("name a directory of your own: XDG_RUNTIME_DIR"));
}
