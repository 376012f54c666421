#include "tools/record_format_compiler.hpp"

#include <fmt/format.h>

#include <ctime>

#include "ringway/error.hpp"
#include "tools/escape.hpp"

namespace ringway::cli {

void FormatCompiler::refuse(std::size_t at, const std::string& rule) const {
  throw Error(ErrorCode::usage, fmt::format("{} '{}'", flag_, text_),
              fmt::format("{} at character {}", rule, at + 1),
              R"(see ringway consume --help, e.g. -f '%t %p %o %k{hex} %v\n')");
}

bool FormatCompiler::take(std::string_view word) noexcept {
  if (!text_.substr(at_).starts_with(word)) return false;
  at_ += word.size();
  return true;
}

void FormatCompiler::literal(char byte) {
  auto& steps = format_.steps_;
  const auto end = static_cast<std::uint32_t>(format_.literals_.size());
  // A neighbouring literal grows; one that a header's body ends or starts with is of another step.
  const bool grows = !steps.empty() && steps.back().field == Field::literal && may_grow_ &&
                     steps.back().first + steps.back().count == end;
  if (!grows) steps.push_back({.field = Field::literal, .first = end});
  may_grow_ = true;
  ++steps.back().count;
  format_.literals_.push_back(byte);
}

void FormatCompiler::compile() {
  compile_body(Scope::record);
}

void FormatCompiler::compile_body(Scope scope) {
  std::size_t open_braces = 0;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '\\') {
      const auto escape = read_escape(text_.substr(at_));
      if (!escape) refuse(at_, "unknown escape");
      literal(escape->byte);
      at_ += escape->characters;
    } else if (c == '%') {
      compile_verb(scope);
    } else {
      // As in rpk, braces inside of a header's body may be literal when they come in pairs.
      if (scope == Scope::header && c == '{') ++open_braces;
      if (scope == Scope::header && c == '}' && open_braces-- == 0) return;
      literal(c);
      ++at_;
    }
  }
}

void FormatCompiler::compile_verb(Scope scope) {
  const std::size_t verb_at = at_++;
  if (at_ == text_.size()) refuse(verb_at, "a % without its letter");
  const char letter = text_[at_++];
  switch (letter) {
    case '%':
    case '{':
    case '}':
      return literal(letter);
    case 'k':
      return compile_text(Field::key);
    case 'v':
      return compile_text(Field::value);
    case 'K':
      return compile_number(Field::key_bytes);
    case 'V':
      return compile_number(Field::value_bytes);
    default:
      break;
  }
  if (scope == Scope::header) refuse(verb_at, fmt::format("%{} is not of a header", letter));
  switch (letter) {
    case 't':
      return compile_text(Field::topic);
    case 'T':
      return compile_number(Field::topic_bytes);
    case 'p':
      return compile_number(Field::partition);
    case 'o':
      return compile_number(Field::offset);
    case 'x':
      return compile_number(Field::producer);
    case 'H':
      return compile_number(Field::header_count);
    case 'd':
      return compile_time();
    case 'h':
      return compile_headers(verb_at);
    default:
      refuse(verb_at, fmt::format("unknown verb %{}", letter));
  }
}

void FormatCompiler::compile_text(Field field) {
  Step step{.field = field};
  if (take("{")) {
    if (take("hex}")) {
      step.encoding = Encoding::hex;
    } else if (take("base64}")) {
      step.encoding = Encoding::base64;
    } else if (take("base64raw}")) {
      step.encoding = Encoding::base64raw;
    } else {
      refuse(at_, "unknown modifier of text");
    }
  }
  format_.steps_.push_back(step);
}

FormatCompiler::Step FormatCompiler::read_number_modifier(Field field) {
  struct Modifier {
    std::string_view text;
    Encoding encoding;
    unsigned char width;
  };
  static constexpr Modifier kModifiers[] = {
      {"ascii}", Encoding::plain, 0},     {"hex}", Encoding::hex, 0},
      {"hex64}", Encoding::hex, 16},      {"hex32}", Encoding::hex, 8},
      {"hex16}", Encoding::hex, 4},       {"hex8}", Encoding::hex, 2},
      {"hex4}", Encoding::hex, 1},        {"big64}", Encoding::big, 8},
      {"big32}", Encoding::big, 4},       {"big16}", Encoding::big, 2},
      {"big8}", Encoding::big, 1},        {"little64}", Encoding::little, 8},
      {"little32}", Encoding::little, 4}, {"little16}", Encoding::little, 2},
      {"little8}", Encoding::little, 1},  {"byte}", Encoding::big, 1}};
  for (const Modifier& modifier : kModifiers) {
    if (take(modifier.text)) {
      return {.field = field, .encoding = modifier.encoding, .width = modifier.width};
    }
  }
  refuse(at_, field == Field::timestamp_ms ? "unknown modifier of a time"
                                           : "unknown modifier of a number");
}

void FormatCompiler::compile_number(Field field) {
  format_.steps_.push_back(take("{") ? read_number_modifier(field) : Step{.field = field});
}

void FormatCompiler::compile_time() {
  if (!take("{")) {
    format_.steps_.push_back({.field = Field::timestamp_ms});
  } else if (take("ns}")) {
    format_.steps_.push_back({.field = Field::timestamp_ns});
  } else if (take("rfc3339}")) {
    format_.steps_.push_back({.field = Field::timestamp_rfc3339});
  } else if (take("strftime")) {
    compile_strftime();
  } else {
    format_.steps_.push_back(read_number_modifier(Field::timestamp_ms));
  }
}

void FormatCompiler::compile_strftime() {
  const std::size_t start = at_;
  std::string closing;
  while (at_ < text_.size() && (text_[at_] == '#' || text_[at_] == '{' || text_[at_] == '[')) {
    const char open = text_[at_++];
    closing.insert(closing.begin(), open == '{' ? '}' : open == '[' ? ']' : '#');
  }
  if (closing.empty()) refuse(start, "strftime needs its pattern in brackets");
  const std::size_t end = text_.find(closing, at_);
  if (end == std::string_view::npos) refuse(start, "strftime's pattern is not closed");
  const std::string pattern(text_.substr(at_, end - at_));
  const std::size_t pattern_at = at_;
  at_ = end + closing.size();
  if (!take("}")) refuse(at_, "a closing brace is missing");

  // Tried once with a long year, so that rendering need not handle what does not fit its buffer.
  std::tm sample{};
  sample.tm_year = 300;
  sample.tm_mday = 1;
  char buffer[RecordFormat::kStrftimeBytes / 2];
  if (std::strftime(buffer, sizeof(buffer), pattern.c_str(), &sample) == 0) {
    refuse(pattern_at, "strftime's pattern gives nothing or too much");
  }
  format_.steps_.push_back({.field = Field::timestamp_strftime,
                            .first = static_cast<std::uint32_t>(format_.literals_.size()),
                            .count = static_cast<std::uint32_t>(pattern.size())});
  format_.literals_.append(pattern.c_str(), pattern.size() + 1);
}

void FormatCompiler::compile_headers(std::size_t verb_at) {
  if (!take("{")) refuse(verb_at, "%h needs braces with what to print of each header");
  const std::size_t own = format_.steps_.size();
  format_.steps_.push_back({.field = Field::headers});
  compile_body(Scope::header);
  if (!take("}")) refuse(verb_at, "the braces of %h are not closed");
  format_.steps_[own].count = static_cast<std::uint32_t>(format_.steps_.size() - own - 1);
  may_grow_ = false;
}

}  // namespace ringway::cli
