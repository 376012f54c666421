// What is written on a command line or in a file's name: offsets, quantities, times, names.

#include "control/topic_settings.hpp"
#include "control/utf8.hpp"
#include "fuzz/input.hpp"
#include "log/segment_name.hpp"
#include "ringway/error.hpp"
#include "shm/memory_name.hpp"
#include "shm/uuid.hpp"
#include "tools/escape.hpp"
#include "tools/offset_range.hpp"
#include "tools/quantity.hpp"
#include "tools/timestamp.hpp"

using namespace ringway;
using namespace ringway::fuzz;

namespace {

/// Runs it; an Error must be one of usage.
template <class Parse>
void attempt(Parse&& parse) {
  try {
    parse();
  } catch (const Error& error) {
    demand(error.code() == ErrorCode::usage, "what is not understood is a usage error");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  const std::string_view text(reinterpret_cast<const char*>(data), bytes);
  attempt(
      [&] { static_cast<void>(cli::parse_offset_range("-o", text, 1'700'000'000'000'000'000)); });
  attempt([&] {
    const std::uint64_t size = cli::parse_size("--ring", text);
    static_cast<void>(cli::format_size(size));
  });
  attempt([&] {
    const auto duration = cli::parse_duration("--timeout", text);
    demand(duration.count() >= 0, "a duration is not negative");
    static_cast<void>(cli::format_duration(duration));
  });
  attempt([&] {
    const std::int64_t time = cli::read_time("@", text, 0).ns;
    std::string again;
    cli::append_rfc3339(again, time);
    demand(cli::read_time("@", again, 0).ns == time, "a time survives");
  });
  attempt([&] { static_cast<void>(cli::unescape("--delimiter", text)); });
  attempt([&] { control::validate_topic_name(text); });
  attempt([&] { control::validate_cursor_name(text); });
  if (const auto name = shm::parse_memory_name(text)) {
    demand(shm::to_string(*name) == text, "a memory's name survives");
  }
  if (const auto uuid = shm::parse_uuid(text)) {
    demand(shm::parse_uuid(shm::to_string(*uuid)) == uuid, "a UUID survives");
  }
  static_cast<void>(log::parse_segment_name(text));
  demand(control::is_utf8(control::with_escaped_bytes(text)), "what is escaped is UTF-8");
  return 0;
}
