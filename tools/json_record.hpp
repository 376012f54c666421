#pragma once

#include <string>

#include "tools/record_fields.hpp"

namespace ringway::cli {

enum class Detail : unsigned char {
  all,
  meta_only,  ///< leaves out the value
};

/// Appends one line, with its newline:
///   {"topic","partition","offset","timestamp_ns","producer","key","value",
///    "headers":[{"key","value"}]}
/// No key is null, an empty one "". Bytes that are not UTF-8 become {"base64":"..."}.
/// Allocates only to grow `out`.
void append_json_record(std::string& out, const RecordFields& record, Detail detail);

}  // namespace ringway::cli
