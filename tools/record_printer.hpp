#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ringway/record.hpp"
#include "tools/json_record.hpp"
#include "tools/output.hpp"
#include "tools/record_format.hpp"

namespace ringway::cli {

/// Records as `consume` and `log dump` print them: by format (table), one object a line (jsonl), or
/// one array (json). Owned by one verb, used by one thread.
class RecordPrinter {
 public:
  /// `custom_format` is -f, "" for none. Throws Error(usage) for -f together with JSON, and
  /// for a format that is not understood.
  RecordPrinter(std::string topic, Format output, const std::string& custom_format, Detail detail);

  /// What stands before the first record, between records, and behind the last one is appended by
  /// these; end() also when there was none.
  void append(std::string& out, const RecordView& record);
  void end(std::string& out);

  /// Takes back what was appended since the mark.
  struct Mark {
    std::size_t bytes;
    bool first;
  };
  Mark mark(const std::string& out) const noexcept { return {out.size(), first_}; }
  void rewind(std::string& out, const Mark& to) {
    out.resize(to.bytes);
    first_ = to.first;
  }

 private:
  const std::string topic_;
  const Format output_;
  const Detail detail_;
  std::optional<RecordFormat> format_;
  std::vector<HeaderField> headers_;
  bool first_ = true;
};

}  // namespace ringway::cli
