#pragma once

namespace ringway::cli {

class CommandLine;

// One function a verb, each in a file of its name. Nouns are added by main first.
void add_status(CommandLine& line);
void add_topic_alter(CommandLine& line);
void add_topic_create(CommandLine& line);
void add_topic_list(CommandLine& line);
void add_topic_describe(CommandLine& line);
void add_topic_delete(CommandLine& line);
void add_produce(CommandLine& line);
void add_consume(CommandLine& line);
void add_inspect(CommandLine& line);
void add_cursor_delete(CommandLine& line);
void add_log_verify(CommandLine& line);
void add_log_dump(CommandLine& line);
void add_bench_limits(CommandLine& line);
void add_bench_ring(CommandLine& line);
void add_bench_latency(CommandLine& line);
void add_bench_wake(CommandLine& line);
void add_bench_persist(CommandLine& line);
void add_bench_replay(CommandLine& line);
void add_bench_durable(CommandLine& line);
void add_bench_fanout(CommandLine& line);
void add_bench_spill(CommandLine& line);
void add_bench_scale(CommandLine& line);
void add_bench_idle(CommandLine& line);
void add_bench_repair(CommandLine& line);
void add_bench_restart(CommandLine& line);
void add_bench_adopt(CommandLine& line);

}  // namespace ringway::cli
