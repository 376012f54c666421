#include "tools/bench/benchmark.hpp"

#include <memory>
#include <utility>

#include "tools/bench/bench_options.hpp"
#include "tools/bench/comparison_options.hpp"
#include "tools/bench/show.hpp"

namespace ringway::cli {

BenchRow not_measured(const Configured& configured, std::string why) {
  return not_measured(configured.name, configured.about, std::move(why)).front();
}

BenchRows rows_of(const Configured& configured, Spare& spare) {
  std::string why = configured.why_not ? configured.why_not() : std::string();
  if (!why.empty()) return {not_measured(configured, std::move(why))};
  return configured.measure(spare);
}

void add_benchmark(CommandLine& line, const Benchmark& benchmark) {
  const auto configure = std::make_shared<Configure>();
  CLI::App& verb = line.verb({.noun = "bench",
                              .name = benchmark.verb,
                              .why = benchmark.why,
                              .examples = benchmark.examples},
                             [configure](const Common& common) {
                               const Configured configured = (*configure)();
                               Spare spare(kSpareUnbounded);
                               return as_bench(
                                   [&] { return show(rows_of(configured, spare), common); });
                             });
  *configure = benchmark.add_flags(verb);
}

}  // namespace ringway::cli
