#pragma once

#include "tools/bench/page_cache.hpp"
#include "tools/bench/repeats.hpp"

namespace ringway::cli {

/// The limit of a replay: one process on `cpu` reads the files from their begin to their end with
/// read(2) into 1 MiB that is there already, and passes over each byte once. bytes_per_s of what it
/// read; cpu_ns_per_record: of a MiB.
Measured file_read(int cpu, const Files& files);

/// What `measure` gives of files that the page cache has nothing of (`cold`), or all of: forgotten,
/// or read before by a process on `cpu`. `more`: "resident", which share of their pages was in
/// memory. Where they were not as they should be, but for a hundredth, it has no figures.
Measured with_files(const Files& files, bool cold, int cpu, const Measure& measure);

}  // namespace ringway::cli
