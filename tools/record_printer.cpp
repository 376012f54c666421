#include "tools/record_printer.hpp"

#include "ringway/error.hpp"

namespace ringway::cli {
namespace {

constexpr const char* kValueFormat = "%v\\n";
constexpr const char* kMetaFormat = "%p\\t%o\\t%d{rfc3339}\\t%K\\t%V\\n";

}  // namespace

RecordPrinter::RecordPrinter(std::string topic, Format output, const std::string& custom_format,
                             Detail detail)
    : topic_(std::move(topic)), output_(output), detail_(detail) {
  if (!custom_format.empty() && output_ != Format::table) {
    throw Error(ErrorCode::usage, "-f", "JSON has its own form", "leave out -f or --output");
  }
  if (output_ == Format::table) {
    format_.emplace("-f", !custom_format.empty()         ? custom_format
                          : detail_ == Detail::meta_only ? kMetaFormat
                                                         : kValueFormat);
    if (detail_ == Detail::meta_only) format_->leave_out_values();
  }
}

void RecordPrinter::append(std::string& out, const RecordView& record) {
  headers_.clear();
  for (const Header& header : record.headers()) {
    headers_.push_back({.key = header.key.text(), .value = header.value.text()});
  }
  const RecordFields fields{.topic = topic_,
                            .partition = record.partition(),
                            .producer = record.producer(),
                            .offset = record.offset(),
                            .timestamp_ns = record.timestamp_ns(),
                            .has_key = record.has_key(),
                            .key = record.key(),
                            .value = record.value(),
                            .headers = headers_};
  if (format_) {
    format_->append(out, fields);
    return;
  }
  if (output_ == Format::json) {
    out += first_ ? "[\n" : ",\n";
    first_ = false;
  }
  append_json_record(out, fields, detail_);
  if (output_ == Format::json) out.pop_back();  // the newline: a comma may have to come
}

void RecordPrinter::end(std::string& out) {
  if (output_ == Format::json) out += first_ ? "[]\n" : "\n]\n";
}

}  // namespace ringway::cli
