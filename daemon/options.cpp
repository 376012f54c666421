#include "daemon/options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "ringway/error.hpp"

namespace ringway::daemon {

Options parse_options(int argc, char** argv) {
  CLI::App app("ringwayd: the supervisor of a Ringway bus. Stays in the foreground.", "ringwayd");
  std::string config_file, socket, runtime_dir, state_dir;
  std::vector<std::string> keeper;
  bool check = false;
  bool sample = false;
  app.add_option("--config", config_file, "read this TOML file")->type_name("FILE");
  app.add_flag("--check-config", check, "say whether the configuration is right, and leave");
  app.add_flag("--sample-config", sample, "print a file with every key at its default, and leave");
  app.add_option("--socket", socket, "what clients connect to")->type_name("PATH");
  app.add_option("--runtime-dir", runtime_dir, "where the sockets are")->type_name("DIR");
  app.add_option("--state-dir", state_dir, "where catalog and log are")->type_name("DIR");
  app.add_option("--keeper", keeper, "run as the descriptor keeper of a supervisor (internal)")
      ->expected(2)
      ->type_name("RUNTIME_DIR STATE_DIR");
  app.set_version_flag("--version", "ringwayd " RINGWAY_VERSION);
  app.footer("\nConfiguration keys, with their defaults:\n\n" + sample_config());

  Options options;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      app.exit(error);
      options.action = Options::Action::leave;
      return options;
    }
    const std::vector<std::string> unknown = app.remaining();
    throw Error(ErrorCode::usage,
                unknown.empty() ? "command line" : fmt::format("'{}'", unknown.front()),
                unknown.empty() ? error.what() : "is no option of ringwayd", "see ringwayd --help");
  }
  for (const CLI::Option* option : app.get_options()) {
    if (std::ranges::count(option->results(), "") == 0) continue;
    throw Error(ErrorCode::usage, option->get_name() + " ''", "its value is empty",
                "write one, or leave the option out; see ringwayd --help");
  }
  if (!keeper.empty()) {
    options.action = Options::Action::keep;
    options.keeper_runtime_dir = keeper[0];
    options.keeper_state_dir = keeper[1];
    return options;
  }
  if (!config_file.empty()) {
    options.config = read_config(config_file, check ? MustExist::everybody : MustExist::creators);
  }
  if (!socket.empty()) options.config.socket = socket;
  if (!runtime_dir.empty()) options.config.runtime_dir = runtime_dir;
  if (!state_dir.empty()) options.config.state_dir = state_dir;
  options.config.complete();
  if (sample) fmt::print("{}", sample_config());
  if (check) fmt::print("the configuration is right\n");
  if (sample || check) options.action = Options::Action::leave;
  return options;
}

}  // namespace ringway::daemon
