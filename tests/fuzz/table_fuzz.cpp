// Table entries and tail slots that verify and say anything: every field from the input, every
// checksum right.

#include "fuzz/segment_image.hpp"
#include "ringway/error.hpp"

using namespace ringway;
using namespace ringway::fuzz;

namespace {

/// A number that may mean something: near `base`, or any.
std::uint64_t number(Input& input, std::uint64_t base) {
  const auto kind = input.take<std::uint8_t>();
  if (kind == 0) return base;
  if (kind < 0xe0)
    return base + static_cast<std::uint64_t>(static_cast<std::int64_t>(input.take<std::int16_t>()) *
                                             (kind % 2 == 0 ? 1 : 32));
  return kind == 0xe0 ? log::kNoBoundary : input.take<std::uint64_t>();
}

void change(log::BlockFacts& facts, Input& input) {
  facts.first_position = number(input, facts.first_position);
  facts.first_offset = number(input, facts.first_offset);
  facts.offsets = number(input, facts.offsets);
  facts.records = static_cast<std::uint32_t>(number(input, facts.records));
  facts.time_max = static_cast<std::int64_t>(number(input, facts.time_max));
  facts.running_max = static_cast<std::int64_t>(number(input, facts.running_max));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  static const auto sound = sound_log();
  Input input(data, bytes);
  const auto flags = input.take<std::uint8_t>();
  Bytes file = sound[flags >> 7].second;
  const auto header = load<log::SegmentHeader>(file, 0);
  const log::Geometry geometry(header);
  for (int i = 0; i < 8 && !input.empty(); ++i) {
    const auto which = input.take<std::uint8_t>();
    if (which % 2 == 0) {
      const std::uint64_t at = geometry.entry_file_pos(which / 2 % header.table_entries);
      auto entry = load<log::BlockEntry>(file, at);
      change(entry.facts, input);
      entry.index = number(input, entry.index);
      entry.durable_position = number(input, entry.durable_position);
      entry.durable_offset = number(input, entry.durable_offset);
      entry.checksum = 1;  // made right below
      store(file, at, entry);
    } else {
      const std::uint64_t at = geometry.slot_file_pos(which / 2 % log::kTailSlots);
      auto slot = load<log::TailSlot>(file, at);
      slot.sequence = number(input, slot.sequence);
      slot.end_position = number(input, slot.end_position);
      slot.end_offset = number(input, slot.end_offset);
      slot.block_index = (which & 0x80) != 0
                             ? number(input, slot.block_index)
                             : (slot.end_position - header.base_position) / header.block_bytes;
      change(slot.facts, input);
      slot.durable_position = number(input, slot.durable_position);
      slot.durable_offset = number(input, slot.durable_offset);
      store(file, at, slot);
    }
  }
  reseal(file, kEntries | kSlots | (flags & kData));
  test::ModelDisk disk(1);
  put(disk, "p/x", std::move(file));
  try {
    log::SegmentReader reader(disk, storage::File(disk, disk.open("p/x", storage::OpenMode::read)));
    static_cast<void>(reader.refresh());
    log::SegmentWalk walk(reader);
    read_all(reader, walk);
    for (const std::uint64_t wanted : {number(input, 0), number(input, 30), number(input, 100)}) {
      walk.go_to(reader.find_offset(wanted));
      read_all(reader, walk);
      walk.go_to(reader.find_time(static_cast<std::int64_t>(wanted)));
      read_all(reader, walk);
    }
  } catch (const Error&) {
  }
  return 0;
}
