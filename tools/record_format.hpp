#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/record_fields.hpp"

namespace ringway::cli {

/// The grammar of `rpk topic consume --format`, compiled once, then rendered for each record.
///
///   text     %t topic   %k key   %v value           {hex} {base64} {base64raw}
///   numbers  %p partition   %o offset   %x producer   %d timestamp, milliseconds
///            %T %K %V length of topic, key, value   %H how many headers
///              {ascii} {hex} {hex64|32|16|8|4} {big64|32|16|8} {little64|32|16|8} {byte}
///   time     %d{ns}   %d{rfc3339}   %d{strftime[%F %T]}, UTC; # { [ may enclose, also doubled
///   headers  %h{...} renders its inside for each header; there %k %v %K %V are the header's
///   literal  %% %{ %}   \n \t \r \0 \\ \xNN   and everything else
///
/// Owned by one verb and immutable: any thread may render. Copies what it needs of `text`.
class RecordFormat {
 public:
  /// Throws Error(usage) naming `flag`, the text, and the position of what is not understood.
  RecordFormat(std::string_view flag, std::string_view text);

  /// From now on %v of the record prints nothing; its length and the headers' values stay.
  void leave_out_values() noexcept;

  /// Appends `record` to `out`; allocates only to grow it. A number modifier cuts to its width.
  void append(std::string& out, const RecordFields& record) const;

 private:
  friend class FormatCompiler;

  enum class Field : unsigned char {
    literal,  ///< literals_[first, first + count)
    topic,
    key,
    value,
    topic_bytes,
    key_bytes,
    value_bytes,
    partition,
    offset,
    producer,
    timestamp_ms,
    timestamp_ns,
    timestamp_rfc3339,
    timestamp_strftime,  ///< pattern literals_[first, first + count), which ends in a NUL
    header_count,
    headers,  ///< the next `count` steps, once a header
  };
  enum class Encoding : unsigned char { plain, hex, base64, base64raw, big, little };

  static constexpr std::size_t kStrftimeBytes = 1024;

  struct Step {
    Field field;
    Encoding encoding = Encoding::plain;
    unsigned char width = 0;  ///< hex: digits, 0 for as many as needed; big, little: bytes
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };

  void append_step(std::string& out, const Step& step, const RecordFields& record,
                   std::string_view key, std::string_view value) const;
  static void append_text(std::string& out, const Step& step, std::string_view text);
  static void append_integer(std::string& out, const Step& step, std::uint64_t number);

  std::vector<Step> steps_;
  std::string literals_;
};

}  // namespace ringway::cli
