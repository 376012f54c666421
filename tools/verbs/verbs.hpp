#pragma once

#include <vector>

namespace ringway::cli {

class CommandLine;
struct Benchmark;

/// All of the below with their nouns, in the order of --help.
void add_every_verb(CommandLine& line);

// One function a verb, each in a file of its name, but for acl; benchmarks.cpp has the rest.
void add_status(CommandLine& line);
void add_top(CommandLine& line);
void add_topic_alter(CommandLine& line);
void add_topic_create(CommandLine& line);
void add_topic_list(CommandLine& line);
void add_topic_describe(CommandLine& line);
void add_topic_delete(CommandLine& line);
void add_topic_trim(CommandLine& line);
void add_topic_export(CommandLine& line);
void add_topic_import(CommandLine& line);
void add_acl_grant(CommandLine& line);
void add_acl_revoke(CommandLine& line);
void add_acl_list(CommandLine& line);
void add_produce(CommandLine& line);
void add_consume(CommandLine& line);
void add_inspect(CommandLine& line);
void add_doctor(CommandLine& line);
void add_debug_bundle(CommandLine& line);
void add_cursor_list(CommandLine& line);
void add_cursor_delete(CommandLine& line);
void add_log_verify(CommandLine& line);
void add_log_dump(CommandLine& line);
void add_log_repair(CommandLine& line);

// The verbs of `bench`, each in a file of its name, and all of them.
Benchmark limits_benchmark();
Benchmark ring_benchmark();
Benchmark latency_benchmark();
Benchmark wake_benchmark();
Benchmark persist_benchmark();
Benchmark replay_benchmark();
Benchmark durable_benchmark();
Benchmark fanout_benchmark();
Benchmark spill_benchmark();
Benchmark scale_benchmark();
Benchmark idle_benchmark();
Benchmark repair_benchmark();
Benchmark restart_benchmark();
Benchmark adopt_benchmark();
Benchmark recover_benchmark();
std::vector<Benchmark> benchmarks();
void add_bench_all(CommandLine& line);

}  // namespace ringway::cli
