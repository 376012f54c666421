#include <csignal>
#include <string_view>

#include "shm/descriptor.hpp"
#include "tools/command_line.hpp"
#include "tools/completion/completion.hpp"
#include "tools/verbs/verbs.hpp"

int main(int argc, char** argv) {
  ringway::shm::occupy_closed_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);  // a reader that left is an answer of write(2)
  using namespace ringway::cli;
  CommandLine line;
  add_every_verb(line);
  if (argc > 1 && std::string_view(argv[1]) == "__complete") {
    return print_completion(line, argc - 2, argv + 2);
  }
  return line.run(argc, argv);
}
