#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/configuration.hpp"
#include "daemon/key_depth.hpp"
#include "ringway/error.hpp"

namespace daemon_key_depth_test {

using namespace ringway;
using namespace ringway::daemon;

namespace {

std::string key_of(std::size_t parts) {
  std::string key = "a";
  while (--parts > 0) key += ".a";
  return key;
}

Error refusal(const std::string& text) {
  try {
    Configuration().read_text(text, "ringway.toml");
  } catch (const Error& error) {
    return error;
  }
  FAIL("was accepted");
  throw std::logic_error("unreachable");
}

}  // namespace

TEST_CASE("key depth: a key of too many parts is refused by its line, however it is written",
          "[daemon]") {
  const std::string deep = key_of(50'000);
  for (const std::string& text :
       {fmt::format("\n{} = 1", deep), fmt::format("\n[{}]\nb = 1", deep),
        fmt::format("\n[[{}]]", deep), fmt::format("\ncreate = {{{} = 1}}", deep),
        fmt::format("\ntopics = {{a = 1, {} = 1}}", deep),
        fmt::format("create = [\n{{{} = 1}}]", deep), fmt::format("# \"\n{} = 1", deep),
        fmt::format("\n{} . \"b.c\" . 'd' = 1", deep)}) {
    const Error error = refusal(text);
    CHECK(error.code() == ErrorCode::usage);
    CHECK(error.thing() == "ringway.toml:2");
    CHECK(error.rule() == "has a key of more than 8 parts, and no key has as many");
    CHECK_THAT(error.fix(), Catch::Contains("quotes"));
  }
  CHECK_FALSE(line_of_too_deep_key(key_of(kKeyPartsMax) + " = 1"));
  CHECK(line_of_too_deep_key(key_of(kKeyPartsMax + 1) + " = 1") == 1);
}

TEST_CASE("key depth: no string or comment hides a key from it", "[daemon]") {
  const std::string deep = "\n" + key_of(9) + " = 1";
  for (const std::string string :
       {R"("")", R"("\"")", R"("\\")", R"("#")", R"('\')", R"('"')", R"("'")", R"("""""")",
        R"("""a""b""")", R"("""a"""")", R"("""a""""")", R"("""\"""")", "\"\"\"\n\"\n'\n\"\"\"",
        "'''\n\"\"\"\n''\n'''", "'''\\'''", "'''''''", "''''''''"}) {
    CAPTURE(string);
    CHECK(line_of_too_deep_key("b = " + string + deep));
    CHECK(line_of_too_deep_key("b = " + string + " # \"' '''" + deep));
  }
}

TEST_CASE("key depth: dots in values, names and comments count for nothing", "[daemon]") {
  const std::string dots = key_of(50'000);
  Configuration configuration;
  configuration.read_text(
      fmt::format("# {0}\nsocket = \"{0}\" # {0}\nstate_dir = '{0}'\nruntime_dir = '''\n{0}'''\n"
                  "create = [\"{0}\", '{0}']\n[topics.\"a.b.c.d.e.f.g.h.i.j\"]\nreaders = []\n"
                  "[topics.'k.l.m.n.o.p.q.r.s.t']\n",
                  dots),
      "ringway.toml");
  CHECK(configuration.config().socket == dots);
  CHECK(configuration.config().topics.contains("a.b.c.d.e.f.g.h.i.j"));
  CHECK_FALSE(line_of_too_deep_key("a = [1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5]"));
}

TEST_CASE("key depth: what is no TOML is still told so, by its own line", "[daemon]") {
  CHECK_THAT(refusal("socket = \"a\nstate_dir = \"" + key_of(9) + "\"").what(),
             Catch::StartsWith("ringway.toml:1: is no TOML"));
  CHECK_THAT(refusal("socket = '''" + key_of(9)).what(), Catch::Contains("is no TOML"));
}

TEST_CASE("key depth: a variable with too deep a key holds a string, as any that is no TOML",
          "[daemon]") {
  const auto read = [](const std::string& variable) {
    const char* const variables[] = {variable.c_str(), nullptr};
    Configuration configuration;
    configuration.read_environment(variables);
    return configuration.config();
  };
  CHECK_THROWS_WITH(read("RINGWAYD_TOPICS={" + key_of(50'000) + " = 1}"),
                    Catch::Contains("RINGWAYD_TOPICS: topics: must be a table of topics"));
  CHECK(read("RINGWAYD_SOCKET=/" + key_of(20)).socket == "/" + key_of(20));
}

TEST_CASE("key depth: values in one another are refused where they are too many", "[daemon]") {
  const std::string open = std::string(50'000, '[');
  const Error arrays = refusal("\na = " + open);
  CHECK(arrays.thing() == "ringway.toml:2");
  CHECK_THAT(arrays.rule(), Catch::Contains("exceeded maximum nested value depth"));
  std::string tables = "a = ";
  for (int i = 0; i < 50'000; ++i) tables += "{" + key_of(kKeyPartsMax) + " = ";
  CHECK_THAT(refusal(tables).rule(), Catch::Contains("exceeded maximum nested value depth"));
  tables = "1";
  for (int i = 0; i < 250; ++i) tables = "{" + key_of(kKeyPartsMax) + " = " + tables + "}";
  CHECK_THAT(refusal("a = " + tables).rule(), Catch::Contains("is no known key"));
}

}  // namespace daemon_key_depth_test
