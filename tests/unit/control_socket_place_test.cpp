#include <sys/socket.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "control/channel.hpp"
#include "control/socket_address.hpp"
#include "control/socket_place.hpp"
#include "daemon/metrics/listening.hpp"
#include "ringway/error.hpp"
#include "support/temporary_directory.hpp"

namespace control_socket_place_test {

using namespace ringway;
namespace fs = std::filesystem;

namespace {

shm::Descriptor bound(const std::string& path, int type) {
  shm::Descriptor socket(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  const control::SocketAddress address(path);
  REQUIRE(::bind(socket.get(), address.get(), address.bytes()) == 0);
  return socket;
}

template <class Deed>
Error refusal(Deed&& deed) {
  try {
    deed();
  } catch (const Error& error) {
    return error;
  }
  FAIL("was not refused");
  throw std::logic_error("unreachable");
}

}  // namespace

TEST_CASE("socket place: what is no socket is refused, and stays", "[control]") {
  const test::TemporaryDirectory directory;
  std::ofstream(directory / "file") << "precious";
  fs::create_directory(directory / "directory");
  REQUIRE(::mkfifo((directory / "fifo").c_str(), 0600) == 0);
  bound(directory / "dead", SOCK_STREAM);
  fs::create_symlink(directory / "file", directory / "link");
  fs::create_symlink(directory / "dead", directory / "link to a socket");
  fs::create_symlink(directory / "nowhere", directory / "link to nothing");
  for (const char* name :
       {"file", "directory", "fifo", "link", "link to a socket", "link to nothing"}) {
    CAPTURE(name);
    const std::string path = directory / name;
    const fs::file_type before = fs::symlink_status(path).type();
    const Error control = refusal([&] { control::Listener(path, 0600); });
    CHECK(control.code() == ErrorCode::usage);
    CHECK(control.what() == path +
                                ": what is there is no socket, and stays; move it away, or name "
                                "another path");
    const Error metrics = refusal([&] { daemon::metrics::listen_on_unix(path, 0600); });
    CHECK(metrics.rule() == control.rule());
    CHECK(metrics.fix() == "move it away, or name another path as metrics_socket");
    CHECK(fs::symlink_status(path).type() == before);
  }
  CHECK(fs::file_size(directory / "file") == 8);
}

TEST_CASE("socket place: a dead process's socket goes, of whichever type", "[control]") {
  const test::TemporaryDirectory directory;
  for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    const std::string path = directory / "socket";
    bound(path, type);
    REQUIRE(fs::exists(path));
    control::make_way(path, SOCK_SEQPACKET, "");
    CHECK_FALSE(fs::exists(path));
    control::make_way(path, SOCK_SEQPACKET, "");  // nothing is there
  }
}

TEST_CASE("socket place: a living process's socket stays, of whichever type", "[control]") {
  const test::TemporaryDirectory directory;
  for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    const std::string path = directory / std::to_string(type);
    const shm::Descriptor living = bound(path, type);
    REQUIRE(::listen(living.get(), 1) == 0);
    CHECK(refusal([&] { control::Listener(path, 0600); }).code() == ErrorCode::busy);
    const Error metrics = refusal([&] { daemon::metrics::listen_on_unix(path, 0600); });
    CHECK(metrics.code() == ErrorCode::busy);
    CHECK(metrics.fix() == "stop it, or name another path as metrics_socket");
    CHECK(fs::is_socket(path));
  }
}

}  // namespace control_socket_place_test
