#include "tools/bench/disk_options.hpp"

#include <fmt/format.h>

#include <ringway/error.hpp>

#include "tools/bench/limits/scratch_file.hpp"
#include "tools/bench/result.hpp"
#include "tools/number_option.hpp"
#include "tools/quantity.hpp"
#include "tools/stage/disk_place.hpp"

namespace ringway::cli {
namespace {

constexpr std::uint64_t kLeftFree = 1 << 30;
constexpr std::uint64_t kKeptFreeShare = 20;  // a twentieth: `disk.keep_free` by default

}  // namespace

void DiskOptions::add_to(CLI::App& verb, const std::string& bytes_about) {
  add_number(verb, "--runs", runs,
             "How often to measure both sides in turn; below the default nothing is judged",
             {1, 1000})
      ->capture_default_str();
  verb.add_option("--bytes", bytes, bytes_about)->type_name("SIZE")->capture_default_str();
  bus.add_daemon_to(verb);
}

std::uint64_t DiskOptions::total_bytes() const {
  const std::uint64_t total = parse_size("--bytes", bytes);
  if (total >= kDiskBytesMin) return total;
  throw Error(ErrorCode::usage, fmt::format("--bytes {}", bytes),
              "is too little to measure anything", "take 1M or more");
}

Json DiskOptions::settings(const CpuPair& cpus) const {
  Json settings = bench_settings();
  settings["pinned"] = Json::array({cpus.first, cpus.second});
  settings["place"] = bus.place().string();
  settings["total_bytes"] = total_bytes();
  return settings;
}

std::string why_no_room(const std::filesystem::path& place, std::uint64_t free_bytes,
                        std::uint64_t capacity_bytes, std::uint64_t bytes) {
  const std::uint64_t left = capacity_bytes / kKeptFreeShare + kLeftFree;
  if (free_bytes >= bytes + left) return {};
  return fmt::format("{} has {} free, and this takes {} and leaves {}; set TMPDIR to another disk",
                     place.string(), format_size(free_bytes), format_size(bytes),
                     format_size(left));
}

std::string why_no_disk(const std::filesystem::path& place, std::uint64_t bytes) {
  if (!choose_disk_place().on_disk) {
    return fmt::format("{} is not on a disk; set TMPDIR to a directory that is", place.string());
  }
  const std::filesystem::space_info space = std::filesystem::space(place);
  return why_no_room(place, space.available, space.capacity, bytes);
}

std::string why_not_on_disk(const std::optional<CpuPair>& cpus, const std::filesystem::path& place,
                            std::uint64_t bytes) {
  if (!cpus) return kNeedsTwoCpus;
  std::string why = why_no_disk(place, bytes);
  return why.empty() ? why_no_direct_writes(place) : why;
}

}  // namespace ringway::cli
