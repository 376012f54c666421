#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace ringway::cli {

struct HeaderField {
  std::string_view key;
  std::string_view value;
};

/// One record as the formatters see it. Owns nothing: every view must outlive the call.
struct RecordFields {
  std::string_view topic = {};
  std::uint32_t partition = 0;
  std::uint32_t producer = 0;  ///< producer identity
  std::uint64_t offset = 0;
  std::int64_t timestamp_ns = 0;  ///< CLOCK_REALTIME
  bool has_key = false;           ///< tells an empty key from none
  std::string_view key = {};
  std::string_view value = {};
  std::span<const HeaderField> headers = {};
};

}  // namespace ringway::cli
