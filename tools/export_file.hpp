#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ringway/topic.hpp"
#include "tools/output.hpp"

// The file of topic export and topic import: lines of JSON.
//
//   {"ringway_export":1,"topic":"orders","settings":{...}}      as topic describe has them
//   a line a record, as consume --output jsonl prints it
//   {"end":true,"records":2}                                     a file without it is cut short
//
// Of a record count partition, timestamp_ns, key (null: none), value and headers; the order of a
// partition's lines is the order of its records. Bytes that are not UTF-8 are {"base64":"..."}.

namespace ringway::cli {

std::string export_head(const std::string& topic, const TopicSettings& settings);
std::string export_end(std::uint64_t records);

struct ExportHead {
  std::string topic;
  TopicSettings settings;
};
/// @throws Error usage naming `place`: it is no export, or one of another version.
ExportHead parse_export_head(std::string_view line, const std::string& place);

/// One line behind the head, in memory of its own.
struct ExportedRecord {
  struct HeaderBytes {
    std::string key, value;
  };
  std::uint32_t partition = 0;
  std::int64_t timestamp_ns = 0;
  std::optional<std::string> key{};
  std::string value{};
  std::vector<HeaderBytes> headers{};
};
struct ExportedLine {
  std::optional<ExportedRecord> record{};  ///< none: it is the last line
  std::uint64_t records = 0;               ///< that one's number
};
/// @throws Error usage naming `place` and what is wrong with the line.
ExportedLine parse_export_line(std::string_view line, const std::string& place);

}  // namespace ringway::cli
