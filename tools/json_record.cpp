#include "tools/json_record.hpp"

#include "tools/encode.hpp"

namespace ringway::cli {

void append_json_record(std::string& out, const RecordFields& record, Detail detail) {
  out.append("{\"topic\":");
  append_json_bytes(out, record.topic);
  out.append(",\"partition\":");
  append_number(out, record.partition);
  out.append(",\"offset\":");
  append_number(out, record.offset);
  out.append(",\"timestamp_ns\":");
  append_number(out, record.timestamp_ns);
  out.append(",\"producer\":");
  append_number(out, record.producer);
  out.append(",\"key\":");
  if (record.has_key) {
    append_json_bytes(out, record.key);
  } else {
    out.append("null");
  }
  if (detail == Detail::all) {
    out.append(",\"value\":");
    append_json_bytes(out, record.value);
  }
  out.append(",\"headers\":[");
  bool first = true;
  for (const HeaderField& header : record.headers) {
    out.append(first ? "{\"key\":" : ",{\"key\":");
    append_json_bytes(out, header.key);
    out.append(",\"value\":");
    append_json_bytes(out, header.value);
    out.push_back('}');
    first = false;
  }
  out.append("]}\n");
}

}  // namespace ringway::cli
