#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "tools/bench/bench_options.hpp"
#include "tools/bench/comparison.hpp"
#include "tools/bench/cpus.hpp"

namespace ringway::cli {

/// Of less nothing can be said.
inline constexpr std::uint64_t kDiskBytesMin = 1 << 20;

/// What every benchmark takes that holds something against the disk.
struct DiskOptions {
  BenchOptions bus;
  std::uint32_t runs = kRepeatsJudged;
  std::string bytes;

  /// --runs, --bytes and --daemon.
  void add_to(CLI::App& verb, const std::string& bytes_about);

  /// Throws Error(usage) below kDiskBytesMin.
  std::uint64_t total_bytes() const;
  /// Each repeat's share of them.
  std::uint64_t bytes_each() const { return (total_bytes() + runs - 1) / runs; }
  /// What all of them say: the machine, the CPUs, the disk, the bytes.
  Json settings(const CpuPair& cpus) const;
};

/// Why a benchmark that has up to `bytes` on the disk at once is not to run in `place`; "" when it
/// may. It leaves the twentieth of the disk free that a supervisor keeps free by default, and then
/// a GiB.
std::string why_no_disk(const std::filesystem::path& place, std::uint64_t bytes);

/// The same of what is known of a disk. "/x has 1 GiB free, and this takes 2 GiB"
std::string why_no_room(const std::filesystem::path& place, std::uint64_t free_bytes,
                        std::uint64_t capacity_bytes, std::uint64_t bytes);

/// Why nothing on a disk can be measured here at all, or not with so many bytes: one CPU, no disk,
/// no room, no direct writes; "" when it can.
std::string why_not_on_disk(const std::optional<CpuPair>& cpus, const std::filesystem::path& place,
                            std::uint64_t bytes);

}  // namespace ringway::cli
