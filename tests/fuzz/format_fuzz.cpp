// `consume --format`, and records of any bytes through it and through JSON.

#include <array>
#include <nlohmann/json.hpp>

#include "fuzz/input.hpp"
#include "ringway/error.hpp"
#include "tools/json_record.hpp"
#include "tools/record_format.hpp"

using namespace ringway;
using namespace ringway::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  Input input(data, bytes);
  const std::string_view format_text = input.text();
  cli::RecordFields record{};
  const std::string_view topic = input.text(), key = input.text(), value = input.text();
  const std::string_view name = input.text(), content = input.text();
  const std::array<cli::HeaderField, 2> headers{{{name, content}, {content, key}}};
  record.topic = topic;
  record.has_key = !key.empty();
  record.key = key;
  record.value = value;
  record.headers = headers;
  record.partition = input.take<std::uint32_t>();
  record.offset = input.take<std::uint64_t>();
  record.timestamp_ns = input.take<std::int64_t>();
  record.producer = input.take<std::uint32_t>();
  std::string out;
  try {
    cli::RecordFormat format("--format", format_text);
    format.append(out, record);
    format.leave_out_values();
    format.append(out, record);
  } catch (const Error& error) {
    demand(error.code() == ErrorCode::usage, "a wrong format is a usage error");
  }
  out.clear();
  cli::append_json_record(out, record, cli::Detail::all);
  demand(nlohmann::json::parse(out, nullptr, false).is_object(), "a record is a JSON object");
  demand(out.find('\n') == out.size() - 1, "and one line");
  return 0;
}
