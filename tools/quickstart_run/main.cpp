// quickstart-run [FILE…]: the main job on real input, on a private bus. Run by tools/quickstart.

#include <fmt/format.h>

#include <cstdio>

#include "ringway/error.hpp"
#include "ringway/lost_pages.hpp"
#include "shm/descriptor.hpp"
#include "tools/quantity.hpp"
#include "tools/quickstart_run/demonstration.hpp"
#include "tools/quickstart_run/grouped.hpp"
#include "tools/quickstart_run/table.hpp"
#include "tools/stage/disk_place.hpp"
#include "tools/stage/interruption.hpp"

namespace ringway::quickstart {
namespace {

constexpr std::uint64_t kInputBytesMax = 1'000'000'000;
constexpr std::uint64_t kInputBytesMin = 50'000'000;
constexpr std::uint64_t kSpareBytes = std::uint64_t{1} << 30;
constexpr std::uint64_t kLogPerInput = 4;  // records of short lines are mostly header and key

std::uint64_t input_bytes_max(const cli::DiskPlace& place) {
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
  const cli::DiskPlace place = cli::choose_disk_place();
  std::fputs("  looking for text\n", stderr);
  const Corpus corpus = gather_corpus(files, input_bytes_max(place));
  fmt::print(stderr, "  {} files, {} of text; the log goes to {}\n", grouped(corpus.files.size()),
             cli::format_size(corpus.bytes), place.path.string());
  Demonstration demonstration(corpus, cli::nearby_daemon(), place.path);
  const Outcome outcome = demonstration.run();
  std::fputs(table(corpus, outcome).c_str(), stdout);
  return outcome.good() ? 0 : 1;
}

}  // namespace
}  // namespace ringway::quickstart

int main(int argc, char** argv) {
  using namespace ringway::quickstart;
  ringway::shm::occupy_closed_standard_descriptors();
  ringway::cli::remember_signals();
  try {
    ringway::survive_lost_pages();
    return run({argv + 1, argv + argc});
  } catch (const ringway::cli::Interrupted& interrupted) {
    return 128 + interrupted.signal;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "quickstart: %s\n", error.what());
    return 1;
  }
}
