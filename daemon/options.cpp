#include "daemon/options.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "daemon/config_keys.hpp"
#include "daemon/grammar.hpp"
#include "daemon/printing.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon {

Options parse_options(int argc, char** argv) {
  Written written;
  const std::unique_ptr<CLI::App> app = grammar(written);
  app->footer(std::string("\n") + kWhereKeysComeFrom +
              "\n\nConfiguration keys, with their defaults:\n\n" + sample_config());

  Options options;
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      std::ostringstream said;
      app->exit(error, said, said);
      print(said.str());
      options.action = Options::Action::leave;
      return options;
    }
    const std::vector<std::string> unknown = app->remaining();
    throw Error(ErrorCode::usage,
                unknown.empty() ? "command line" : fmt::format("'{}'", unknown.front()),
                unknown.empty() ? error.what() : "is no option of ringwayd", "see ringwayd --help");
  }
  for (const CLI::Option* option : app->get_options()) {
    if (std::ranges::count(option->results(), "") == 0) continue;
    throw Error(ErrorCode::usage, option->get_name() + " ''", "its value is empty",
                "write one, or leave the option out; see ringwayd --help");
  }
  if (!written.keeper.empty()) {
    options.action = Options::Action::keep;
    options.keeper_runtime_dir = written.keeper[0];
    options.keeper_state_dir = written.keeper[1];
    return options;
  }
  options.read_configuration = [=](MustExist who) {
    Configuration configuration(who);
    if (!written.config_file.empty()) {
      configuration.read_file(written.config_file);
    } else if (const auto file = default_config_file()) {
      configuration.read_file(*file);
    }
    configuration.read_environment(environ);
    const auto set = [&](std::string_view key, const std::string& text, const char* option) {
      if (!text.empty()) configuration.set_string(key, text, option);
    };
    set("socket", written.socket, "--socket");
    set("runtime_dir", written.runtime_dir, "--runtime-dir");
    set("state_dir", written.state_dir, "--state-dir");
    set("metrics_socket", written.metrics_socket, "--metrics-socket");
    set("metrics_listen", written.metrics_listen, "--metrics-listen");
    configuration.complete();
    return configuration;
  };
  if (written.sample) {
    print(sample_config());
  } else {
    options.configuration =
        options.read_configuration(written.check ? MustExist::everybody : MustExist::creators);
  }
  for (const auto& [variable, advice] : options.configuration.unknown_variables()) {
    if (!written.check && !written.print) break;  // a start has it in its log
    complain(fmt::format("{}: is no key of the configuration, and ignored; {}", variable, advice));
  }
  if (written.print) print(options.configuration.text());
  if (written.check) {
    const std::string file = options.configuration.file().string();
    print((file.empty() ? "no file is there" : file) + ": the configuration is right\n");
  }
  if (written.sample || written.check || written.print) options.action = Options::Action::leave;
  return options;
}

}  // namespace ringway::daemon
