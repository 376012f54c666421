#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "fuzz/input.hpp"
#include "log/segment_format.hpp"
#include "log/segment_reader.hpp"
#include "support/log_driver.hpp"
#include "support/model_disk.hpp"

namespace ringway::fuzz {

using Bytes = std::vector<std::byte>;

/// Which checksums are made right again after the input has changed what is under them: without
/// that nothing behind a checksum would ever be reached.
enum Reseal : std::uint8_t { kHeader = 1, kEntries = 2, kSlots = 4, kData = 8 };

/// A log of two small segments as the flusher writes them: many records, skips, one that spans
/// blocks. Their files, oldest first.
inline std::vector<std::pair<std::string, Bytes>> sound_log() {
  constexpr std::uint64_t kBlock = 4096;
  test::ModelDisk disk(1);
  test::RecordSource source(64 * 1024, {});
  log::LogSettings settings;
  settings.segment_bytes = 4 * kBlock;
  settings.block_bytes = kBlock;
  settings.record_bytes_max = 8 * 1024;
  test::LogDriver driver(disk, disk, source, settings, {{}, {}, log::kNoTime, {}});
  for (int i = 0; i < 60; ++i) {
    source.add(std::string(i == 20 ? 7000 : 250, static_cast<char>('a' + i % 26)), 100 + i);
    if (i % 10 == 3) source.skip(96, 2);
    if (i % 4 == 0) driver.drain();
  }
  driver.drain();
  driver.confirm();
  std::vector<std::pair<std::string, Bytes>> files;
  for (const log::SegmentInfo& segment : driver.log().segments()) {
    files.emplace_back(segment.name,
                       disk.bytes(std::string(test::kDirectory) + "/" + segment.name));
  }
  return files;
}

template <class T>
T load(const Bytes& file, std::uint64_t at) {
  T value{};
  if (at + sizeof value <= file.size()) std::memcpy(&value, file.data() + at, sizeof value);
  return value;
}
template <class T>
void store(Bytes& file, std::uint64_t at, const T& value) {
  if (at + sizeof value <= file.size()) std::memcpy(file.data() + at, &value, sizeof value);
}

/// {place: 24 bits, count: 8 bits, so many bytes}, as often as there is something.
inline void patch(Bytes& file, Input& input, int patches) {
  for (; patches > 0 && !input.empty(); --patches) {
    const auto word = input.take<std::uint32_t>();
    const std::size_t place = (word & 0xffffff) % file.size();
    const auto bytes = input.bytes(std::min<std::size_t>(word >> 24, file.size() - place));
    if (!bytes.empty()) std::memcpy(file.data() + place, bytes.data(), bytes.size());
  }
}

inline void reseal(Bytes& file, std::uint8_t what) {
  auto header = load<log::SegmentHeader>(file, 0);
  if ((what & kHeader) != 0) {
    header.checksum = checksum_of(header, 0);
    store(file, 0, header);
  }
  if (log::header_defect(header) != nullptr) return;
  const log::Geometry geometry(header);
  const std::span all(file);
  const std::uint64_t seed = log::data_seed(header.segment_id);
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(header.table_entries, 64); ++i) {
    auto entry = load<log::BlockEntry>(file, geometry.entry_file_pos(i));
    const std::uint64_t start = geometry.data_start + i * header.block_bytes;
    if ((what & kData) != 0 && start + header.block_bytes <= file.size() && entry.checksum != 0) {
      entry.data_checksum = storage::checksum(all.subspan(start, header.block_bytes), seed);
    }
    if ((what & kEntries) != 0 && entry.checksum != 0) {
      entry.checksum = checksum_of(entry, log::entry_seed(header.segment_id, i));
    }
    store(file, geometry.entry_file_pos(i), entry);
  }
  for (std::uint64_t i = 0; i < log::kTailSlots; ++i) {
    auto slot = load<log::TailSlot>(file, geometry.slot_file_pos(i));
    if ((what & kData) != 0 && slot.end_position >= header.base_position &&
        slot.end_position <= geometry.capacity_end()) {
      const std::uint64_t page = log::page_floor(slot.end_position);
      const std::uint64_t start = geometry.block_start(geometry.block_of(slot.end_position));
      const std::uint64_t from = geometry.file_pos(start);
      if (page - start <= file.size() && from + (page - start) <= file.size()) {
        storage::RunningChecksum checksum(seed);
        checksum.add(all.subspan(from, page - start));
        checksum.add(std::as_bytes(std::span(slot.page)).first(slot.end_position - page));
        slot.data_checksum = checksum.value();
      }
    }
    if ((what & kSlots) != 0) slot.checksum = checksum_of(slot, log::slot_seed(header.segment_id));
    store(file, geometry.slot_file_pos(i), slot);
  }
}

/// The file as a disk holds it.
inline void put(test::ModelDisk& disk, const std::string& path, Bytes file) {
  disk.close(disk.open(path, storage::OpenMode::create));
  disk.bytes(path) = std::move(file);
}

/// Walks the reader's segment from its start or wherever `walk` stands, over holes too. Everything
/// that is given out can be read, and the walk gets on.
inline std::uint64_t read_all(log::SegmentReader& reader, log::SegmentWalk& walk) {
  log::Record record;
  std::uint64_t records = 0, sum = 0;
  for (log::LogPoint last = walk.at();; last = walk.at()) {
    const log::ReadStatus status = walk.next(record);
    if (status == log::ReadStatus::ok) {
      demand(walk.at().position > last.position, "a record takes space");
      demand(walk.at().offset >= last.offset || last.offset > ~std::uint64_t{0} - (1u << 30),
             "offsets grow");
      for (const std::byte byte : record.body) sum += static_cast<std::uint64_t>(byte);
      demand(++records < 100'000, "no more records than bytes");
      continue;
    }
    if (status == log::ReadStatus::end) break;
    const log::Hole hole = reader.hole();
    if (hole.to.position <= hole.from.position) break;
    walk.go_to(hole.to);
  }
  static volatile std::uint64_t read;  // so that the reading is not left out
  read = sum;
  return records + (read & 0);
}

}  // namespace ringway::fuzz
