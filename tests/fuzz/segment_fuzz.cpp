// A segment file with anything in it, as a consumer reads it: header, table, slots, data.

#include "fuzz/segment_image.hpp"
#include "ringway/error.hpp"

using namespace ringway;
using namespace ringway::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  static const auto sound = sound_log();
  Input input(data, bytes);
  const auto flags = input.take<std::uint8_t>();
  const auto durable = input.take<std::uint16_t>();
  const auto wanted = input.take<std::uint16_t>();
  Bytes file = sound[flags >> 7].second;
  if ((flags & 0x40) != 0) file.resize(file.size() - input.take<std::uint16_t>() % file.size());
  if (file.empty()) return 0;
  patch(file, input, 64);
  reseal(file, flags & 15);
  test::ModelDisk disk(1);
  put(disk, "p/x", std::move(file));
  try {
    log::SegmentReader reader(disk, storage::File(disk, disk.open("p/x", storage::OpenMode::read)),
                              (flags & 0x20) != 0 ? log::TableRead::later : log::TableRead::now);
    reader.trust_durable({reader.first().position + durable, reader.first().offset + durable / 32});
    if ((flags & 0x10) != 0) {
      reader.limit_to({reader.first().position + wanted, reader.first().offset + wanted / 32});
    }
    log::SegmentWalk walk(reader);
    read_all(reader, walk);
    walk.go_to(reader.find_offset(reader.first().offset + wanted));
    read_all(reader, walk);
    walk.go_to(reader.find_time(wanted));
    read_all(reader, walk);
    demand(reader.end().position >= reader.durable().position || (flags & 0x10) != 0,
           "the end is never before what is durable");
    static_cast<void>(reader.refresh());
  } catch (const Error&) {
  }
  return 0;
}
