#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <memory>

#include "support/temporary_directory.hpp"
#include "tools/bench/disk_options.hpp"
#include "tools/bench/limits/scratch_file.hpp"
#include "tools/bench/page_cache.hpp"
#include "tools/bench/targets.hpp"
#include "tools/stage/latency_histogram.hpp"

namespace ringway::cli::bench_disk_test {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

/// On a disk, with files.
class Directory {
 public:
  std::filesystem::path path() const { return directory_.path(); }
  void make(const std::string& name, std::size_t bytes) const {
    std::filesystem::create_directories((path() / name).parent_path());
    std::ofstream(path() / name) << std::string(bytes, 'x');
  }

 private:
  test::TemporaryDirectory directory_{"/var/tmp"};
};

TEST_CASE("bench: a persisted row is judged by what eight GiB and five seconds gave", "[bench]") {
  CHECK(targets::enough({8 * kGiB, 5}));
  CHECK_FALSE(targets::enough({8 * kGiB - 1, 50}));
  CHECK_FALSE(targets::enough({80 * kGiB, 4.9}));
}

TEST_CASE("bench: records of 64 bytes and of 1 KiB have targets on the disk, others none",
          "[bench]") {
  CHECK(targets::of_persist(1024) == 0.8);
  CHECK(targets::of_persist(64) == 0.6);
  CHECK_FALSE(targets::of_persist(128).has_value());
  CHECK(targets::of_replay(1024) == 0.8);
  CHECK(targets::of_replay(64) == 0.5);
  CHECK_FALSE(targets::of_replay(2048).has_value());
}

TEST_CASE("bench: the twentieth that a supervisor keeps free, and a GiB, are left on the disk",
          "[bench]") {
  CHECK(why_no_room("/x", 8 * kGiB, 100 * kGiB, 2 * kGiB).empty());
  const std::string why = why_no_room("/x", 8 * kGiB - 1, 100 * kGiB, 2 * kGiB);
  CHECK(why.find("/x has ") == 0);
  CHECK(why.find("this takes 2 GiB and leaves 6 GiB; set TMPDIR") != std::string::npos);
}

TEST_CASE("bench: each repeat has its share of the bytes, and together they are no less",
          "[bench]") {
  DiskOptions options;
  options.runs = 3;
  options.bytes = "4MiB";
  CHECK(options.bytes_each() * 3 >= options.total_bytes());
  CHECK(options.bytes_each() * 3 < options.total_bytes() + 3);
  options.bytes = "1023KiB";
  CHECK_THROWS_AS(options.total_bytes(), Error);
}

TEST_CASE("bench: a scratch file has its size, and no name", "[bench]") {
  const Directory directory;
  for (const BlockState state : {BlockState::reserved, BlockState::written}) {
    const ScratchFile file(directory.path(), 3 << 20, state);
    CHECK(::lseek(file.fd(), 0, SEEK_END) == 3 << 20);
    CHECK(::lseek(file.fd(), 0, SEEK_DATA) == (state == BlockState::written ? 0 : -1));
    CHECK(std::filesystem::is_empty(directory.path()));
  }
}

TEST_CASE("bench: no direct writes where there is nothing to write to", "[bench]") {
  CHECK_THROWS_AS(why_no_direct_writes("/no/such/place"), Error);
}

TEST_CASE("bench: the files of a kind below a directory, by name", "[bench]") {
  const Directory directory;
  directory.make("b/0/2.log", 10);
  directory.make("a/0/1.log", 5);
  directory.make("a/0/1.log.new", 100);
  const Files files = files_below(directory.path(), ".log");
  CHECK(files == Files{directory.path() / "a/0/1.log", directory.path() / "b/0/2.log"});
  CHECK(bytes_of(files) == 15);
}

TEST_CASE("bench: what was forgotten is not resident, what was read is", "[bench]") {
  const Directory directory;
  directory.make("1.log", 1 << 20);
  directory.make("empty.log", 0);
  const Files files = files_below(directory.path(), ".log");
  CHECK(resident_share(files) == 1);
  forget(files);
  CHECK(resident_share(files) == 0);
  std::ifstream file(files.front());
  CHECK(std::string((std::istreambuf_iterator<char>(file)), {}).size() == 1 << 20);
  CHECK(resident_share(files) == 1);
}

TEST_CASE("bench: two histograms count together what each of them did", "[bench]") {
  const auto one = std::make_unique<LatencyHistogram<8>>(),
             other = std::make_unique<LatencyHistogram<8>>();
  for (int i = 0; i < 99; ++i) one->add(100);
  other->add(5000);
  one->add(*other);
  CHECK(one->total() == 100);
  CHECK(one->quantile(0.5) == 100 + 1);
  CHECK(one->quantile(0.995) >= 5000);
}

}  // namespace
}  // namespace ringway::cli::bench_disk_test
