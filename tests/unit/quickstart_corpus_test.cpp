#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>

#include "ringway/error.hpp"
#include "support/temporary_directory.hpp"
#include "tools/quickstart_run/corpus.hpp"

namespace ringway::quickstart::quickstart_corpus_test {
namespace {

/// A directory of files.
class Files {
 public:
  std::string add(const std::string& name, const std::string& content) {
    std::ofstream(directory_ / name, std::ios::binary) << content;
    return directory_ / name;
  }
  std::string directory() const { return directory_.path(); }

 private:
  test::TemporaryDirectory directory_;
};

std::vector<std::string> lines_of(const Corpus& corpus, const Piece& piece) {
  std::vector<std::string> lines;
  for_each_line(corpus, piece, [&](std::string_view line) { lines.emplace_back(line); });
  return lines;
}

TEST_CASE("corpus: binary and empty files are left out, the rest is sorted", "[quickstart]") {
  Files files;
  files.add("b", "two\n");
  files.add("a", "one\n");
  files.add("binary", std::string("x\0y\n", 4));
  files.add("empty", "");
  const Corpus corpus = gather_corpus({files.directory()}, 1000);
  REQUIRE(corpus.files.size() == 2);
  CHECK(corpus.files[0].ends_with("/a"));
  CHECK(corpus.files[1].ends_with("/b"));
  CHECK(corpus.bytes == 8);
  CHECK(corpus.skipped == 2);
  CHECK(corpus.published_bytes() > 8);
}

TEST_CASE("corpus: a line belongs to the piece in which it starts", "[quickstart]") {
  Files files;
  Corpus corpus;
  corpus.files = {files.add("text", "ab\n\ncdef\ng")};
  using Lines = std::vector<std::string>;
  CHECK(lines_of(corpus, {0, 0, 1, 0, 10}) == Lines{"ab", "", "cdef", "g"});
  CHECK(lines_of(corpus, {0, 0, 2, 9, 10}) == Lines{"g", "g"});
  for (std::uint64_t cut = 1; cut < 10; ++cut) {
    Lines both = lines_of(corpus, {0, 0, 1, 0, cut});
    for (const std::string& line : lines_of(corpus, {0, 0, 1, cut, 10})) both.push_back(line);
    INFO(cut);
    CHECK(both == Lines{"ab", "", "cdef", "g"});
  }
}

TEST_CASE("corpus: shares have every piece once and are about equal", "[quickstart]") {
  Corpus corpus;
  for (std::uint32_t i = 0; i < 100; ++i) corpus.pieces.push_back({i, 0, 1, 0, 1 + i % 7});
  std::map<std::uint32_t, int> seen;
  std::array<std::uint64_t, 2> bytes{};
  for (std::uint32_t share = 0; share < 2; ++share) {
    for (const Piece& piece : share_of(corpus, share, 2)) {
      ++seen[piece.file];
      bytes[share] += piece.end;
    }
  }
  CHECK(seen.size() == 100);
  for (const auto& [file, count] : seen) CHECK(count == 1);
  CHECK(std::max(bytes[0], bytes[1]) - std::min(bytes[0], bytes[1]) <= 7);
}

TEST_CASE("corpus: a missing file is named", "[quickstart]") {
  CHECK_THROWS_WITH(gather_corpus({"/no/such/file"}, 1000), Catch::Contains("/no/such/file"));
}

}  // namespace
}  // namespace ringway::quickstart::quickstart_corpus_test
