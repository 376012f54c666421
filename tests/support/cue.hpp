#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>

namespace ringway::test {

/// What a child waits for until its parent says so, once for each time. Made before the fork.
class Cue {
 public:
  Cue() { REQUIRE(::pipe(ends_) == 0); }
  Cue(const Cue&) = delete;
  Cue& operator=(const Cue&) = delete;
  ~Cue() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  void give() const { REQUIRE(::write(ends_[1], "x", 1) == 1); }
  void await() const {
    char byte;
    if (::read(ends_[0], &byte, 1) != 1) ::_exit(9);
  }

 private:
  int ends_[2];
};

}  // namespace ringway::test
