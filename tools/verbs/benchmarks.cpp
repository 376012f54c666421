#include "tools/bench/benchmark.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {

std::vector<Benchmark> benchmarks() {
  return {limits_benchmark(),  ring_benchmark(),    latency_benchmark(), wake_benchmark(),
          persist_benchmark(), replay_benchmark(),  durable_benchmark(), fanout_benchmark(),
          spill_benchmark(),   scale_benchmark(),   idle_benchmark(),    repair_benchmark(),
          restart_benchmark(), adopt_benchmark(),   recover_benchmark()};
}

}  // namespace ringway::cli
