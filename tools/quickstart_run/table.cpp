#include "tools/quickstart_run/table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tools/quantity.hpp"
#include "tools/quickstart_run/grouped.hpp"

namespace ringway::quickstart {

namespace {

std::string row(const char* name, const Report& report) {
  const double seconds = std::max(report.seconds, 1e-9);
  const auto per_second = [&](std::uint64_t count) {
    return static_cast<std::uint64_t>(static_cast<double>(count) / seconds);
  };
  return fmt::format("  {:<16}{:>13}{:>13}{:>15}/s{:>13}/s\n", name,
                     grouped(report.tally.records()), cli::format_size(report.tally.bytes()),
                     grouped(per_second(report.tally.records())),
                     cli::format_size(per_second(report.tally.bytes())));
}

std::string latency(const char* when, const Report& report) {
  const auto duration = [](std::int64_t nanoseconds) {
    return cli::format_duration(std::chrono::nanoseconds(nanoseconds));
  };
  return fmt::format("  one-way latency, {:<14} p50 {}, p99 {}\n", when,
                     duration(report.latency_p50_ns), duration(report.latency_p99_ns));
}

}  // namespace

std::string table(const Corpus& corpus, const Outcome& outcome) {
  const std::uint64_t times = std::uint64_t{corpus.rounds} * corpus.times;
  std::string text = fmt::format("\n  {} files, {} of text, {}\n\n", grouped(corpus.files.size()),
                                 cli::format_size(corpus.bytes),
                                 times == 1 ? "read once" : "read " + grouped(times) + " times");
  text +=
      fmt::format("  {:<16}{:>13}{:>13}{:>17}{:>15}\n", "", "records", "bytes", "records", "bytes");
  text += row("published", outcome.input);
  text += row("followed live", outcome.live);
  text += row("replayed", outcome.replay);
  text += "\n" + latency("quiet", outcome.quiet) + latency("at full load", outcome.live);
  text += fmt::format("  time without a supervisor       {} (killed -9 at {:.0f} %)\n",
                      cli::format_duration(outcome.away), 100 * outcome.killed_at);
  text += fmt::format("  input, live and replay          {}\n",
                      outcome.same_checksums() ? "equal checksums" : "CHECKSUMS DIFFER");
  text += fmt::format("  out of order: {}\n", grouped(outcome.disordered()));
  text += fmt::format("  records lost: {}\n", grouped(outcome.lost()));
  text += fmt::format("  doubled: {}\n", grouped(outcome.doubled()));
  return text;
}

}  // namespace ringway::quickstart
