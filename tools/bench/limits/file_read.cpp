#include "tools/bench/limits/file_read.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ringway/error.hpp>

#include "tools/bench/content.hpp"
#include "tools/bench/measurement.hpp"
#include "tools/bench/shared_pages.hpp"

namespace ringway::cli {
namespace {

constexpr std::size_t kBufferBytes = 1 << 20;
constexpr double kStrayPages = 0.01;

/// Every byte counts; four chains, so that none waits for the one before it.
std::uint64_t pass_over(const std::byte* from, std::size_t bytes) noexcept {
  content::Words sums[4]{};
  std::size_t at = 0;
  for (; at + content::kLineBytes <= bytes; at += content::kLineBytes) {
    for (std::size_t i = 0; i < 4; ++i) {
      sums[i] += content::load(from + at + i * content::kGranule);
    }
  }
  const content::Words sum = sums[0] + sums[1] + sums[2] + sums[3];
  std::uint64_t rest = sum[0] + sum[1];
  for (; at < bytes; ++at) rest += static_cast<std::uint64_t>(from[at]);
  return rest;
}

std::uint64_t read_one(const std::filesystem::path& file, const SharedPages& buffer) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw system_error(errno, file, "open");
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  std::uint64_t bytes = 0;
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.bytes());
    const int error = errno;
    if (got < 0 && error == EINTR) continue;
    if (got <= 0) {
      ::close(fd);
      if (got < 0) throw system_error(error, file, "read");
      return bytes;
    }
    const std::uint64_t sum = pass_over(buffer.data(), static_cast<std::size_t>(got));
    asm volatile("" : : "r"(sum));  // somebody might look: it is computed
    bytes += static_cast<std::uint64_t>(got);
  }
}

}  // namespace

Measured file_read(int cpu, const Files& files) {
  const SharedPages buffer(kBufferBytes);
  const std::vector<Part<Work>> parts{{"file reader", cpu, [&](Stand& stand) {
                                         buffer.populate();
                                         stand.ready();
                                         const WorkWatch watch;
                                         std::uint64_t bytes = 0;
                                         for (const auto& file : files) {
                                           bytes += read_one(file, buffer);
                                         }
                                         return watch.work(bytes);
                                       }}};
  Figures figures = throughput(measure_whole(parts), {}, 1);
  figures.records_per_s.reset();
  if (figures.cpu_ns_per_record) *figures.cpu_ns_per_record *= kBufferBytes;
  return {.figures = figures, .variant = "read of 1 MiB"};
}

Measured with_files(const Files& files, bool cold, int cpu, const Measure& measure) {
  if (cold) {
    forget(files);
  } else {
    static_cast<void>(file_read(cpu, files));
  }
  const double resident = resident_share(files);
  Measured measured = measure();
  measured.more["resident"] = json_number(resident);
  if (cold ? resident > kStrayPages : resident < 1 - kStrayPages) measured.figures = {};
  return measured;
}

}  // namespace ringway::cli
