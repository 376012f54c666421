#include "tools/export_file.hpp"

#include <fmt/format.h>

#include "control/fields.hpp"
#include "control/topic_settings.hpp"
#include "ringway/error.hpp"
#include "tools/encode.hpp"

namespace ringway::cli {
namespace {

constexpr std::uint64_t kVersion = 1;

Error bad(const std::string& place, const std::string& rule) {
  return Error(ErrorCode::usage, place, rule, "give what 'ringway topic export' wrote");
}

/// What is wrong inside of a line, as an error about that line.
Error told_of(const std::string& place, const Error& inside) {
  if (inside.thing() == place) return inside;
  const bool setting = inside.thing().starts_with("topic setting");
  return bad(place, fmt::format("{}{} {}", inside.thing(), setting ? ":" : "", inside.rule()));
}

nlohmann::json parsed(std::string_view line, const std::string& place) {
  auto json = nlohmann::json::parse(line, nullptr, false);
  if (json.is_discarded() || !json.is_object()) throw bad(place, "is no line of JSON");
  return json;
}

int base64_digit(char c) noexcept {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

/// With or without padding.
std::optional<std::string> from_base64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const int digit = base64_digit(c);
    if (digit < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes += static_cast<char>(bits >> held & 0xff);
  }
  return bytes;
}

std::string bytes_of(const nlohmann::json& json, const std::string& place, const char* name) {
  if (json.is_string()) return json.get<std::string>();
  if (json.is_object() && json.contains("base64") && json["base64"].is_string()) {
    if (auto bytes = from_base64(json["base64"].get_ref<const std::string&>())) return *bytes;
  }
  throw bad(place, fmt::format("its {} is neither a string nor {{\"base64\":...}}", name));
}

}  // namespace

std::string export_head(const std::string& topic, const TopicSettings& settings) {
  Json head = Json::object();
  head["ringway_export"] = kVersion;
  head["topic"] = topic;
  head["settings"] = Json(control::to_json(settings));
  return head.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string export_end(std::uint64_t records) {
  return fmt::format("{{\"end\":true,\"records\":{}}}\n", records);
}

ExportHead parse_export_head(std::string_view line, const std::string& place) {
  const auto json = parsed(line, place);
  if (!json.contains("ringway_export")) throw bad(place, "is not the head of an export");
  try {
    const control::Fields fields(json, "the head");
    if (fields.number<std::uint64_t>("ringway_export") != kVersion) {
      throw Error(ErrorCode::incompatible, place,
                  fmt::format("is of version {}, this ringway knows {}",
                              json["ringway_export"].dump(), kVersion),
                  "import it with the ringway that wrote it");
    }
    return {fields.text("topic"), control::topic_settings_from_json(fields.any("settings"))};
  } catch (const Error& error) {
    if (error.code() == ErrorCode::incompatible) throw;
    throw told_of(place, error);
  }
}

ExportedLine parse_export_line(std::string_view line, const std::string& place) {
  const auto json = parsed(line, place);
  ExportedLine read;
  try {
    const control::Fields fields(json, "the record");
    if (fields.has("end")) {
      read.records = fields.number<std::uint64_t>("records");
      return read;
    }
    ExportedRecord& record = read.record.emplace();
    record.partition = fields.number<std::uint32_t>("partition");
    record.timestamp_ns = fields.signed_number("timestamp_ns");
    if (fields.has("key")) record.key = bytes_of(fields.any("key"), place, "key");
    record.value = bytes_of(fields.any("value"), place, "value");
    for (const auto& header : fields.array("headers")) {
      const control::Fields pair(header, "the header");
      record.headers.push_back({bytes_of(pair.any("key"), place, "header's key"),
                                bytes_of(pair.any("value"), place, "header's value")});
    }
  } catch (const Error& error) {
    throw told_of(place, error);
  }
  return read;
}

}  // namespace ringway::cli
