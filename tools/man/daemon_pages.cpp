#include "tools/man/daemon_pages.hpp"

#include <fmt/format.h>

#include "daemon/config_keys.hpp"
#include "daemon/grammar.hpp"
#include "tools/help_text.hpp"
#include "tools/man/roff.hpp"

namespace ringway::man {
namespace {

std::string daemon_page() {
  daemon::Written written;
  const auto grammar = daemon::grammar(written);
  Page page("ringwayd", '8');
  page.section("NAME");
  page.paragraph("ringwayd - the supervisor of a Ringway bus");
  page.section("SYNOPSIS");
  page.synopsis("ringwayd", "[OPTIONS]");
  page.section("DESCRIPTION");
  page.paragraph(
      "Makes the rings of a bus, carries what is published to disk, repairs what dead clients "
      "leave, and answers those who open topics. Stays in the foreground and writes its log to "
      "standard error.");
  page.section("OPTIONS");
  for (const CLI::Option* option : grammar->get_options()) {
    if (option->get_group().empty()) continue;
    page.tagged(cli::names_of(*option), cli::value_of(*option), option->get_description() + ".");
  }
  page.section("CONFIGURATION");
  page.paragraph(daemon::kWhereKeysComeFrom);
  page.section("SIGNALS");
  page.tagged("SIGTERM, SIGINT", "",
              "An orderly stop: claims are finished and the log is synced, within stop_patience.");
  page.tagged("SIGUSR1", "",
              "Ends at once and leaves the rings to the next one, for an upgrade.");
  page.tagged("SIGHUP", "", "Reads the configuration again.");
  page.section("EXIT STATUS");
  page.paragraph(
      "0 after an orderly stop, 1 for an error, 2 for options or a configuration that are wrong.");
  page.section("FILES");
  page.tagged("/etc/ringway/ringwayd.toml", "", "Its configuration.");
  page.tagged("/run/ringway", "", "Its sockets.");
  page.tagged("/var/lib/ringway", "", "Catalog and log.");
  page.tagged("/usr/share/doc/ringway/daemon/README.md", "",
              "The operator's manual: units, sizes, limits, metrics, what to do when ...; examples "
              "of drop-ins beside it.");
  page.section("SEE ALSO");
  page.reference("ringway", '1', ",");
  page.reference("ringwayd.toml", '5', "");
  return page.text();
}

std::string keys_page() {
  Page page("ringwayd.toml", '5');
  page.section("NAME");
  page.paragraph("ringwayd.toml - configuration of the supervisor of a Ringway bus");
  page.section("DESCRIPTION");
  page.paragraph(
      "A TOML file; what it leaves out has its default, and what is no key is refused with its "
      "line. Below each key is the environment variable that sets it, too.");
  page.paragraph(daemon::kWhereKeysComeFrom);
  page.section("KEYS");
  for (const daemon::Key& key : daemon::config_keys()) {
    const std::string_view shown = key.sample.substr(key.depends() ? 1 : 0);
    page.tagged(key.name, fmt::format("= {}", shown),
                fmt::format("{}{}", key.text,
                            key.at_start ? "\nCounts from the next start on." : ""));
    page.broken(key.variable());
  }
  page.section("RIGHTS");
  page.paragraph("Rights that are added to those a topic was created with:");
  page.verbatim(
      "[topics.\"orders\"]\nreaders = [\"alice\", \"@accounting\"]\nwriters = [\"shop\"]\n"
      "admins = [\"@wheel\"]");
  page.section("SEE ALSO");
  page.reference("ringwayd", '8', ",");
  page.reference("ringway", '1', "");
  return page.text();
}

}  // namespace

void add_daemon_pages(Pages& pages) {
  pages["ringwayd.8"] = daemon_page();
  pages["ringwayd.toml.5"] = keys_page();
  pages["ringwayd.conf.5"] = ".so man5/ringwayd.toml.5\n";
}

}  // namespace ringway::man
