#include "ringway/error.hpp"

#include <cerrno>
#include <catch2/catch.hpp>
#include <string>

#include "log/file_error.hpp"

namespace error_test {

using namespace ringway;

TEST_CASE("error: for want of descriptors the fix is the limit, whatever was attempted",
          "[error]") {
  for (const int error_number : {EMFILE, ENFILE}) {
    CHECK(system_error(error_number, "x", "open").fix() ==
          "raise the limit of open files (ulimit -n, LimitNOFILE=)");
    CHECK(system_error(error_number, "x", "open", "do without").fix() == "do without");
    CHECK(log::file_error(-error_number, "/a/b.log", "open").fix() == fix_of(error_number));
  }
  CHECK(system_error(EIO, "x", "open").fix().empty());
}

TEST_CASE("error: a file of the log that is denied names its path and who may", "[error]") {
  try {
    log::require(-EACCES, "/a/b.log", "open");
    FAIL("was not refused");
  } catch (const Error& error) {
    CHECK(std::string(error.what()) ==
          "/a/b.log: open: Permission denied; act as its owner, or give the right to it (chown, "
          "chmod)");
  }
  CHECK_NOTHROW(log::require(0, "/a/b.log", "open"));
}

}  // namespace error_test
