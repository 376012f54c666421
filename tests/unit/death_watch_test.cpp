#include "daemon/death_watch.hpp"

#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <stdexcept>

namespace ringway::daemon::death_watch_test {
namespace {

using Watch = boost::asio::posix::stream_descriptor;

/// A pipe's end to read from, as a pidfd that may become readable and be so no more.
struct Readable {
  explicit Readable(boost::asio::io_context& io) : watch(io) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) throw std::runtime_error("pipe");
    watch.assign(ends[0]);
    writer.reset(ends[1]);
  }
  void set() const { CHECK(::write(writer.get(), "x", 1) == 1); }
  void take_back() {
    char byte = 0;
    CHECK(::read(watch.native_handle(), &byte, 1) == 1);
  }

  Watch watch;
  shm::Descriptor writer;
};

}  // namespace

TEST_CASE("death watch: what the kernel said and is so no more is no death") {
  boost::asio::io_context io;
  Readable first(io);
  Readable second(io);
  bool dead = false;
  await_death(second.watch, [&] { dead = true; });
  first.watch.async_wait(Watch::wait_read, [&](const boost::system::error_code& failed) {
    CHECK(!failed);
    second.take_back();
  });
  first.set();
  second.set();
  io.poll();  // both at once, in this order
  CHECK(!dead);
  second.set();
  io.restart();
  while (!dead) io.run_one();
}

TEST_CASE("death watch: nobody is told of what is closed") {
  boost::asio::io_context io;
  Readable one(io);
  bool dead = false;
  await_death(one.watch, [&] { dead = true; });
  one.set();
  one.watch.close();
  io.poll();
  CHECK(!dead);
}

}  // namespace ringway::daemon::death_watch_test
