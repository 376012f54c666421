#include "daemon/options.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "daemon/config_keys.hpp"
#include "daemon/config_value.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon {

Options parse_options(int argc, char** argv) {
  CLI::App app("ringwayd: the supervisor of a Ringway bus. Stays in the foreground.", "ringwayd");
  std::string config_file, socket, runtime_dir, state_dir;
  std::vector<std::string> keeper;
  bool check = false;
  bool print = false;
  bool sample = false;
  app.add_option("--config", config_file, "read this TOML file")->type_name("FILE");
  app.add_flag("--check-config", check, "say whether the configuration is right, and leave");
  app.add_flag("--print-config", print,
               "print every key with its value and where that comes from, and leave");
  app.add_flag("--sample-config", sample, "print a file with every key at its default, and leave");
  app.add_option("--socket", socket, "what clients connect to")->type_name("PATH");
  app.add_option("--runtime-dir", runtime_dir, "where the sockets are")->type_name("DIR");
  app.add_option("--state-dir", state_dir, "where catalog and log are")->type_name("DIR");
  app.add_option("--keeper", keeper, "run as the descriptor keeper of a supervisor (internal)")
      ->expected(2)
      ->type_name("RUNTIME_DIR STATE_DIR");
  app.set_version_flag("--version", "ringwayd " RINGWAY_VERSION);
  app.footer(
      "\nA key of the file may also be given as an environment variable: limits.memory as "
      "RINGWAYD_LIMITS_MEMORY. Without --config the file is that of $RINGWAYD_CONFIG, else "
      "/etc/ringway/ringwayd.toml (root, system services) or "
      "$XDG_CONFIG_HOME/ringway/ringwayd.toml, if there is one. SIGHUP reads all of it again.\n"
      "\nConfiguration keys, with their defaults:\n\n" + sample_config());

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
  options.read_configuration = [=](MustExist who) {
    Configuration configuration(who);
    if (!config_file.empty()) {
      configuration.read_file(config_file);
    } else if (const auto file = default_config_file()) {
      configuration.read_file(*file);
    }
    configuration.read_environment(environ);
    if (!socket.empty()) configuration.set("socket", toml_string(socket), "--socket");
    if (!runtime_dir.empty()) {
      configuration.set("runtime_dir", toml_string(runtime_dir), "--runtime-dir");
    }
    if (!state_dir.empty()) configuration.set("state_dir", toml_string(state_dir), "--state-dir");
    configuration.complete();
    return configuration;
  };
  if (sample) {
    fmt::print("{}", sample_config());
  } else {
    options.configuration =
        options.read_configuration(check ? MustExist::everybody : MustExist::creators);
  }
  if (print) fmt::print("{}", options.configuration.text());
  if (check) fmt::print("the configuration is right\n");
  if (sample || check || print) options.action = Options::Action::leave;
  return options;
}

}  // namespace ringway::daemon
