#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <sstream>

#include "log/segment_writer.hpp"
#include "support/model_disk.hpp"
#include "support/record_source.hpp"

namespace ringway::test::log_readme_test {
namespace {

/// The segment of the worked example in lib/log/README.md.
std::vector<std::byte> example_segment() {
  log::SegmentHeader header{};
  header.magic = log::kSegmentMagic;
  header.version = log::kSegmentVersion;
  header.header_bytes = sizeof header;
  header.segment_id = 0x0123456789abcdef;
  std::memset(header.topic_uuid, 0xaa, sizeof header.topic_uuid);
  header.partition = 3;
  header.table_entries = 2;
  header.epoch = 1;
  header.base_offset = 100;
  header.base_position = 8192;
  header.first_position = 8192 + 64;
  header.block_bytes = 4096;
  header.data_bytes_max = 8192;
  header.data_start = log::Geometry::data_start_for(2);
  header.predecessor_end_position = header.first_position;
  header.predecessor_end_offset = 100;
  header.running_max_before = log::kNoTime;
  header.created_at_ns = 1'000;

  ModelDisk disk(1);
  RecordSource source(64 * 1024, {8192, 99});
  source.add("", 0);   // 32 bytes, and
  source.skip(32, 0);  // 32 more: what the page holds of the predecessor
  log::SegmentWriter writer(header);
  source.add("hello", 2'000);
  writer.note(source.header_at(8256));
  source.add("ring", 3'000);
  writer.note(source.header_at(8320));
  REQUIRE(writer.create(disk, "p", log::WritePath::direct, "", log::Naming::at_once) == 0);
  REQUIRE(writer.submit(disk, disk, source.stream(), 4'000, 1, std::nullopt) == 0);
  storage::Completion done;
  REQUIRE(disk.reap({&done, 1}, {}) == 1);
  writer.wrote(done.result);
  return disk.bytes("p/00000000000000000100.log");
}

}  // namespace

TEST_CASE("segment: the worked example of the README is what is written", "[log]") {
  const std::vector<std::byte> segment = example_segment();
  std::ifstream readme(RINGWAY_SOURCE_DIR "/lib/log/README.md");
  REQUIRE(readme);
  std::string line;
  int checked = 0;
  while (std::getline(readme, line)) {
    // "    007000  52 57 41 59 …  what it is"
    std::istringstream words(line);
    std::string word;
    if (line.rfind("    0", 0) != 0 || !(words >> word) || word.size() != 6) continue;
    std::size_t file_pos = std::stoul(word, nullptr, 16);
    while (words >> word && word.size() == 2 &&
           word.find_first_not_of("0123456789abcdef") == std::string::npos) {
      CAPTURE(line, file_pos);
      CHECK(std::to_integer<int>(segment.at(file_pos++)) == std::stoi(word, nullptr, 16));
    }
    ++checked;
  }
  CHECK(checked == 35);
}

}  // namespace ringway::test::log_readme_test
