#include "tools/bench/benchmark.hpp"
#include "tools/command_line.hpp"
#include "tools/verbs/verbs.hpp"

namespace ringway::cli {

void add_every_verb(CommandLine& line) {
  add_status(line);
  add_top(line);
  line.noun("topic", "Create, alter, list, describe, delete, trim, export and import topics");
  add_topic_create(line);
  add_topic_alter(line);
  add_topic_list(line);
  add_topic_describe(line);
  add_topic_delete(line);
  add_topic_trim(line);
  add_topic_export(line);
  add_topic_import(line);
  line.noun("acl", "Who may do what with a topic");
  add_acl_grant(line);
  add_acl_revoke(line);
  add_acl_list(line);
  add_produce(line);
  add_consume(line);
  add_inspect(line);
  add_doctor(line);
  line.noun("cursor", "The positions that consumers keep under a name");
  add_cursor_list(line);
  add_cursor_delete(line);
  line.noun("log", "Check, print and repair what is on disk");
  add_log_verify(line);
  add_log_dump(line);
  add_log_repair(line);
  line.noun("debug", "What helps others to find out what went wrong");
  add_debug_bundle(line);
  line.noun("bench", "Measure this machine's bus, on a private one that is gone afterwards",
            Asks::nobody);
  for (const Benchmark& each : benchmarks()) add_benchmark(line, each);
  add_bench_all(line);
}

}  // namespace ringway::cli
