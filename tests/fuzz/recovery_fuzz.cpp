// A partition's directory as a supervisor finds it: segments with anything in them, names of any
// kind.

#include "fuzz/segment_image.hpp"
#include "log/recovery.hpp"
#include "log/segment_name.hpp"
#include "log/verify.hpp"
#include "ringway/error.hpp"

using namespace ringway;
using namespace ringway::fuzz;

namespace {

std::string name_of(Input& input, const std::string& usual) {
  switch (const auto offset = input.take<std::uint8_t>(); offset % 8) {
    case 0:
      return log::segment_name(offset);
    case 1:
      return log::unborn_name(offset);
    case 2:
      return log::torn_name(offset, 4096);
    case 3:
      return "foreign";
    default:
      return usual;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  static const auto sound = sound_log();
  Input input(data, bytes);
  test::ModelDisk disk(1);
  const std::string directory = test::kDirectory;
  for (const auto& [usual, content] : sound) {
    const auto flags = input.take<std::uint8_t>();
    if ((flags & 0x80) != 0) continue;
    Bytes file = content;
    if ((flags & 0x40) != 0) file.resize(file.size() - input.take<std::uint16_t>() % file.size());
    patch(file, input, (flags >> 4 & 3) * 4);
    reseal(file, flags & 15);
    put(disk, directory + "/" + ((flags & 0x30) != 0 ? name_of(input, usual) : usual),
        std::move(file));
  }
  const log::LogIdentity owner = test::LogDriver::identity();
  try {
    static_cast<void>(log::verify_log(disk, directory));
    const auto found = log::recover(disk, directory, log::RecoverMode::repair, &owner);
    demand(found.floor.offset >= found.end.offset, "the floor is not below the end");
    // What was mended is whole: the next supervisor finds the same, and nothing to mend.
    const auto again = log::recover(disk, directory, log::RecoverMode::repair, &owner);
    demand(again.end == found.end && again.floor == found.floor, "recovery comes to an end");
    demand(!again.torn, "a torn tail is cut once");
    demand(again.segments.size() == found.segments.size(), "it keeps what it kept");
  } catch (const Error&) {
  }
  return 0;
}
