#include "daemon/grammar.hpp"

namespace ringway::daemon {

std::unique_ptr<CLI::App> grammar(Written& into) {
  auto app = std::make_unique<CLI::App>(
      "ringwayd: the supervisor of a Ringway bus. Stays in the foreground.", "ringwayd");
  app->add_option("--config", into.config_file, "read this TOML file")->type_name("FILE");
  app->add_flag("--check-config", into.check,
                "say whether the configuration is right, and leave");
  app->add_flag("--print-config", into.print,
                "print every key with its value and where that comes from, and leave");
  app->add_flag("--sample-config", into.sample,
                "print a file with every key at its default, and leave");
  app->add_option("--socket", into.socket, "what clients connect to")->type_name("PATH");
  app->add_option("--runtime-dir", into.runtime_dir, "where the sockets are")->type_name("DIR");
  app->add_option("--state-dir", into.state_dir, "where catalog and log are")->type_name("DIR");
  app->add_option("--metrics-socket", into.metrics_socket, "where GET /metrics is answered, or off")
      ->type_name("PATH");
  app->add_option("--metrics-listen", into.metrics_listen, "and on this port of the host, or off")
      ->type_name("127.0.0.1:PORT");
  app->add_option("--keeper", into.keeper,
                  "run as the descriptor keeper of a supervisor (internal)")
      ->expected(2)
      ->type_name("RUNTIME_DIR STATE_DIR")
      ->group("");
  app->set_help_flag("-h,--help", "say what there is, and leave");
  app->set_version_flag("--version", "ringwayd " RINGWAY_VERSION, "print the version, and leave");
  return app;
}

}  // namespace ringway::daemon
