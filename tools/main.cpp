#include <csignal>

#include "tools/command_line.hpp"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that left is an answer of write(2)
  ringway::cli::CommandLine line;
  return line.run(argc, argv);
}
