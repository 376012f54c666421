#include "control/shell_word.hpp"

#include <catch2/catch.hpp>

namespace control_shell_word_test {

using namespace ringway::control;

TEST_CASE("a word is quoted where a shell would take it for something else", "[control]") {
  CHECK(shell_quoted("a/b.c_d-e@f") == "a/b.c_d-e@f");
  CHECK(shell_quoted("") == "''");
  CHECK(shell_quoted("a b; $(id)") == "'a b; $(id)'");
  CHECK(shell_quoted("it's") == "'it'\\''s'");
  CHECK(shell_quoted("-x") == "'-x'");
}

TEST_CASE("a command has its names first, or last where one looks like an option", "[control]") {
  CHECK(typed("ringway acl list", {"a"}) == "ringway acl list a");
  CHECK(typed("ringway acl list", {"-a"}) == "ringway acl list -- '-a'");
  CHECK(typed("ringway topic alter", {"a b"}, "--ring 1MiB") ==
        "ringway topic alter 'a b' --ring 1MiB");
  CHECK(typed("ringway topic alter", {"--"}, "--ring 1MiB") ==
        "ringway topic alter --ring 1MiB -- '--'");
  CHECK(typed("mv", {"a", "-b"}) == "mv -- a '-b'");
}

}  // namespace control_shell_word_test
