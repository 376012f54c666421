#pragma once

#include <catch2/catch.hpp>
#include <cstdio>
#include <string>

namespace ringway::test {

struct Said {
  std::string text;
  int status;  ///< as waitpid() gives it
};

/// What `ringway WORDS` says of the bus at that socket. The executable's path is compiled in as
/// RINGWAY.
inline Said said(const std::string& words, const std::string& socket) {
  const std::string command = std::string(RINGWAY) + " " + words + " --socket " + socket;
  FILE* const pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  Said said;
  for (char buffer[4096]; const std::size_t got = std::fread(buffer, 1, sizeof buffer, pipe);) {
    said.text.append(buffer, got);
  }
  said.status = ::pclose(pipe);
  REQUIRE(said.status != -1);
  return said;
}

}  // namespace ringway::test
