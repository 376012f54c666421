#include "tools/record_format.hpp"

#include <ctime>

#include "tools/encode.hpp"
#include "tools/record_format_compiler.hpp"
#include "tools/timestamp.hpp"

namespace ringway::cli {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kMillisecondNs = 1'000'000;

std::tm utc(std::int64_t ns) noexcept {
  // Rounded down, also before 1970.
  const std::time_t seconds = ns / kNsPerSecond - (ns % kNsPerSecond < 0 ? 1 : 0);
  std::tm calendar{};
  gmtime_r(&seconds, &calendar);
  return calendar;
}

}  // namespace

RecordFormat::RecordFormat(std::string_view flag, std::string_view text) {
  FormatCompiler(flag, text, *this).compile();
}

void RecordFormat::leave_out_values() noexcept {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].field == Field::headers) {
      i += steps_[i].count;
    } else if (steps_[i].field == Field::value) {
      steps_[i] = {.field = Field::literal};
    }
  }
}

void RecordFormat::append(std::string& out, const RecordFields& record) const {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    if (step.field != Field::headers) {
      append_step(out, step, record, record.key, record.value);
      continue;
    }
    for (const HeaderField& header : record.headers) {
      for (std::size_t j = 1; j <= step.count; ++j) {
        append_step(out, steps_[i + j], record, header.key, header.value);
      }
    }
    i += step.count;
  }
}

void RecordFormat::append_step(std::string& out, const Step& step, const RecordFields& record,
                               std::string_view key, std::string_view value) const {
  switch (step.field) {
    case Field::literal:
      out.append(literals_, step.first, step.count);
      break;
    case Field::topic:
      append_text(out, step, record.topic);
      break;
    case Field::key:
      append_text(out, step, key);
      break;
    case Field::value:
      append_text(out, step, value);
      break;
    case Field::topic_bytes:
      append_integer(out, step, record.topic.size());
      break;
    case Field::key_bytes:
      append_integer(out, step, key.size());
      break;
    case Field::value_bytes:
      append_integer(out, step, value.size());
      break;
    case Field::partition:
      append_integer(out, step, record.partition);
      break;
    case Field::offset:
      append_integer(out, step, record.offset);
      break;
    case Field::producer:
      append_integer(out, step, record.producer);
      break;
    case Field::header_count:
      append_integer(out, step, record.headers.size());
      break;
    case Field::timestamp_ns:
      append_number(out, record.timestamp_ns);
      break;
    case Field::timestamp_rfc3339:
      append_rfc3339(out, record.timestamp_ns);
      break;
    case Field::timestamp_ms: {
      const std::int64_t ms = record.timestamp_ns / kMillisecondNs;
      if (step.encoding == Encoding::plain) {
        append_number(out, ms);
      } else {
        append_integer(out, step, static_cast<std::uint64_t>(ms));
      }
      break;
    }
    case Field::timestamp_strftime: {
      const std::tm calendar = utc(record.timestamp_ns);
      char buffer[kStrftimeBytes];
      out.append(buffer,
                 std::strftime(buffer, sizeof(buffer), literals_.c_str() + step.first, &calendar));
      break;
    }
    case Field::headers:
      break;  // expanded by append()
  }
}

void RecordFormat::append_text(std::string& out, const Step& step, std::string_view text) {
  switch (step.encoding) {
    case Encoding::hex:
      append_hex(out, text);
      break;
    case Encoding::base64:
      append_base64(out, text, Padding::equals);
      break;
    case Encoding::base64raw:
      append_base64(out, text, Padding::none);
      break;
    default:
      out.append(text);
      break;
  }
}

void RecordFormat::append_integer(std::string& out, const Step& step, std::uint64_t number) {
  switch (step.encoding) {
    case Encoding::hex:
      if (step.width == 0) return append_number(out, number, 16);
      for (int shift = (step.width - 1) * 4; shift >= 0; shift -= 4) {
        out.push_back("0123456789abcdef"[number >> shift & 15]);
      }
      break;
    case Encoding::big:
      for (int shift = (step.width - 1) * 8; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>(number >> shift & 0xff));
      }
      break;
    case Encoding::little:
      for (int shift = 0; shift < step.width * 8; shift += 8) {
        out.push_back(static_cast<char>(number >> shift & 0xff));
      }
      break;
    default:
      append_number(out, number);
      break;
  }
}

}  // namespace ringway::cli
