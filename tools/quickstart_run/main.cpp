// quickstart-run [FILE…]: the main job on real input, on a private bus. Run by tools/quickstart.

#include <fmt/format.h>
#include <signal.h>
#include <sys/statfs.h>

#include <cstdio>
#include <cstdlib>

#include "ringway/error.hpp"
#include "shm/descriptor.hpp"
#include "tools/quantity.hpp"
#include "tools/quickstart_run/demonstration.hpp"
#include "tools/quickstart_run/grouped.hpp"
#include "tools/quickstart_run/interruption.hpp"
#include "tools/quickstart_run/table.hpp"

namespace ringway::quickstart {
namespace {

constexpr std::uint64_t kInputBytesMax = 1'000'000'000;
constexpr std::uint64_t kInputBytesMin = 50'000'000;
constexpr std::uint64_t kSpareBytes = std::uint64_t{1} << 30;
constexpr std::uint64_t kLogPerInput = 4;  // records of short lines are mostly header and key

constexpr long kTmpfs = 0x01021994;
constexpr long kRamfs = 0x858458f6;

struct Place {
  std::filesystem::path path;
  bool on_disk;
  std::uint64_t free_bytes;
};

Place look_at(const std::filesystem::path& path) {
  struct statfs facts{};
  if (::statfs(path.c_str(), &facts) != 0) return {path, false, 0};
  return {path, facts.f_type != kTmpfs && facts.f_type != kRamfs,
          static_cast<std::uint64_t>(facts.f_bavail) * static_cast<std::uint64_t>(facts.f_bsize)};
}

/// $TMPDIR when it is on a disk, else /var/tmp.
Place choose_place() {
  const char* named = std::getenv("TMPDIR");
  if (named != nullptr && *named != '\0') {
    if (Place place = look_at(named); place.on_disk) return place;
  }
  return look_at("/var/tmp");
}

std::uint64_t input_bytes_max(const Place& place) {
  const std::uint64_t usable =
      place.free_bytes > kSpareBytes ? (place.free_bytes - kSpareBytes) / kLogPerInput : 0;
  if (usable < kInputBytesMin) {
    throw Error(ErrorCode::limit, place.path,
                "only " + cli::format_size(place.free_bytes) + " are free there",
                "set TMPDIR to a directory on a disk with more room");
  }
  return std::min(usable, kInputBytesMax);
}

int run(const std::vector<std::string>& files) {
  const Place place = choose_place();
  std::fputs("  looking for text\n", stderr);
  const Corpus corpus = gather_corpus(files, input_bytes_max(place));
  fmt::print(stderr, "  {} files, {} of text; the log goes to {}\n", grouped(corpus.files.size()),
             cli::format_size(corpus.bytes), place.path.string());
  Demonstration demonstration(corpus, built_daemon(), place.path);
  const Outcome outcome = demonstration.run();
  std::fputs(table(corpus, outcome).c_str(), stdout);
  return outcome.good() ? 0 : 1;
}

}  // namespace
}  // namespace ringway::quickstart

int main(int argc, char** argv) {
  using namespace ringway::quickstart;
  ringway::shm::occupy_closed_standard_descriptors();
  remember_signals();
  try {
    return run({argv + 1, argv + argc});
  } catch (const Interrupted& interrupted) {
    return 128 + interrupted.signal;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "quickstart: %s\n", error.what());
    return 1;
  }
}
