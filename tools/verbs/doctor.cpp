#include <unistd.h>

#include <memory>

#include "tools/command_line.hpp"
#include "tools/doctor/checks.hpp"
#include "tools/doctor/diagnosis.hpp"
#include "tools/doctor/examination.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {
namespace {

Exit examine_host(const std::string& state_dir, const Common& common) {
  const doctor::Findings findings = doctor::run_checks(doctor::examine(common, state_dir));
  static_cast<void>(
      write_all(STDOUT_FILENO, render(findings, common.format, style_of(STDOUT_FILENO))));
  return verdict(findings);
}

}  // namespace

void add_doctor(CommandLine& line) {
  const auto state_dir = std::make_shared<std::string>();
  CLI::App& verb = line.verb(
      {.name = "doctor",
       .why = "Look at this host and this installation: what is amiss, why it matters, and the "
              "command that mends it. Changes nothing. Exit status 0: nothing, or notes only; 5: "
              "warnings; 1: errors. What cannot be looked at is said.",
       .examples = "  ringway doctor\n"
                   "  ringway doctor --output json | jq -r '.findings[] | select(.fix).fix'\n"
                   "  ringway doctor --state-dir /mnt/fast/ringway",
       .patience = "500ms"},
      [state_dir](const Common& common) { return examine_host(*state_dir, common); });
  verb.add_option("--state-dir", *state_dir,
                  "Directory whose disk is looked at (default: the supervisor's)")
      ->type_name("DIR");
}

}  // namespace ringway::cli
