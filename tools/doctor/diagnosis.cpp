#include "tools/doctor/diagnosis.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tools/quantity.hpp"

namespace ringway::cli::doctor {
namespace {

std::uint64_t count(const Findings& findings, Severity severity) {
  return static_cast<std::uint64_t>(std::ranges::count(findings, severity, &Finding::severity));
}

std::string painted(Severity severity, Style style) {
  const std::string word = fmt::format("{:<9}", to_string(severity));
  if (style == Style::plain || severity < Severity::note) return word;
  const char* const colour = severity == Severity::error ? "31" : "33";
  return fmt::format("\033[{}m{}\033[0m", colour, word);
}

Json json_of(const Findings& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings) {
    Json entry = {{"severity", to_string(finding.severity)},
                  {"check", finding.check},
                  {"what", finding.what}};
    entry["why"] = finding.why.empty() ? Json() : Json(finding.why);
    entry["fix"] = finding.fix.empty() ? Json() : Json(finding.fix);
    list.push_back(std::move(entry));
  }
  return {{"errors", count(findings, Severity::error)},
          {"warnings", count(findings, Severity::warning)},
          {"notes", count(findings, Severity::note)},
          {"unchecked", count(findings, Severity::unchecked)},
          {"findings", std::move(list)}};
}

}  // namespace

std::string render(const Findings& findings, Format format, Style style) {
  if (format != Format::table) {
    return json_of(findings).dump(format == Format::json ? 2 : -1, ' ', false,
                                  Json::error_handler_t::replace) +
           "\n";
  }
  std::string text;
  for (const Finding& finding : findings) {
    text += fmt::format("{} {:<16} {}\n", painted(finding.severity, style), finding.check,
                        printable(finding.what));
    if (finding.why.empty()) continue;
    text += fmt::format("          why: {}\n          fix: {}\n", printable(finding.why),
                        printable(finding.fix));
  }
  return text + fmt::format("\n{}, {}, {}, {} not checked\n",
                            counted(count(findings, Severity::error), "error"),
                            counted(count(findings, Severity::warning), "warning"),
                            counted(count(findings, Severity::note), "note"),
                            count(findings, Severity::unchecked));
}

Exit verdict(const Findings& findings) noexcept {
  if (count(findings, Severity::error) != 0) return Exit::error;
  return count(findings, Severity::warning) != 0 ? Exit::degraded : Exit::ok;
}

}  // namespace ringway::cli::doctor
