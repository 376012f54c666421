#include <csignal>

#include "shm/descriptor.hpp"
#include "tools/command_line.hpp"
#include "tools/verbs/verbs.hpp"

int main(int argc, char** argv) {
  ringway::shm::occupy_closed_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);  // a reader that left is an answer of write(2)
  using namespace ringway::cli;
  CommandLine line;
  add_every_verb(line);
  return line.run(argc, argv);
}
