// Writes the manual pages: man-pages DIRECTORY NAME…   (the names that the build expects)

#include <fmt/format.h>

#include <fstream>
#include <set>
#include <string>

#include "tools/man/daemon_pages.hpp"
#include "tools/man/verb_pages.hpp"
#include "tools/verbs/verbs.hpp"

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  ringway::cli::CommandLine line;
  ringway::cli::add_every_verb(line);
  ringway::man::Pages pages;
  ringway::man::add_verb_pages(pages, line);
  ringway::man::add_daemon_pages(pages);
  std::set<std::string> expected(argv + 2, argv + argc);
  for (const auto& [name, text] : pages) {
    if (expected.erase(name) == 0) {
      fmt::print(stderr, "{}: is not in the list of tools/man/meson.build; add it\n", name);
      return 1;
    }
    std::ofstream file(std::string(argv[1]) + "/" + name);
    file << text;
    if (!file.flush()) return 1;
  }
  for (const std::string& name : expected) {
    fmt::print(stderr, "{}: no verb has this page; take it out of tools/man/meson.build\n", name);
  }
  return expected.empty() ? 0 : 1;
}
