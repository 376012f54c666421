#include "tools/record_format_compiler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "ringway/error.hpp"
#include "tools/escape.hpp"

namespace ringway::cli {
namespace {

constexpr std::string_view kStrftime = "strftime";

}  // namespace

constexpr FormatCompiler::Verb FormatCompiler::kVerbs[] = {
    {'t', Kind::text, Field::topic, false, "the topic's name"},
    {'k', Kind::text, Field::key, true, "the key; nothing where there is none"},
    {'v', Kind::text, Field::value, true, "the value"},
    {'p', Kind::number, Field::partition, false, "the partition"},
    {'o', Kind::number, Field::offset, false, "the offset"},
    {'x', Kind::number, Field::producer, false, "the producer's identity"},
    {'T', Kind::number, Field::topic_bytes, false, "how many bytes the topic's name has"},
    {'K', Kind::number, Field::key_bytes, true, "how many bytes the key has"},
    {'V', Kind::number, Field::value_bytes, true, "how many bytes the value has"},
    {'H', Kind::number, Field::header_count, false, "how many headers there are"},
    {'d', Kind::time, Field::timestamp_ms, false, "the time, in milliseconds since 1970"},
    {'h', Kind::headers, Field::headers, false,
     "%h{...}: what stands in the braces, once a header: there %k %v %K %V are the header's"},
    {'%', Kind::literal, Field::literal, true, "a percent sign"},
    {'{', Kind::literal, Field::literal, true, "a brace"},
    {'}', Kind::literal, Field::literal, true, "a brace"},
};

constexpr FormatCompiler::Modifier FormatCompiler::kTextModifiers[] = {
    {"hex}", Encoding::hex, 0, "two digits a byte"},
    {"base64}", Encoding::base64, 0, "base64, padded"},
    {"base64raw}", Encoding::base64raw, 0, "base64 without padding"},
};

constexpr FormatCompiler::Modifier FormatCompiler::kNumberModifiers[] = {
    {"ascii}", Encoding::plain, 0, "decimal, as without a modifier"},
    {"hex}", Encoding::hex, 0, "as many digits as it takes"},
    {"hex64}", Encoding::hex, 16, "16 digits"},
    {"hex32}", Encoding::hex, 8, "8 digits"},
    {"hex16}", Encoding::hex, 4, "4 digits"},
    {"hex8}", Encoding::hex, 2, "2 digits"},
    {"hex4}", Encoding::hex, 1, "1 digit"},
    {"big64}", Encoding::big, 8, "8 bytes, big-endian"},
    {"big32}", Encoding::big, 4, "4 bytes, big-endian"},
    {"big16}", Encoding::big, 2, "2 bytes, big-endian"},
    {"big8}", Encoding::big, 1, "1 byte"},
    {"little64}", Encoding::little, 8, "8 bytes, little-endian"},
    {"little32}", Encoding::little, 4, "4 bytes, little-endian"},
    {"little16}", Encoding::little, 2, "2 bytes, little-endian"},
    {"little8}", Encoding::little, 1, "1 byte"},
    {"byte}", Encoding::big, 1, "1 byte"},
};

constexpr FormatCompiler::TimeModifier FormatCompiler::kTimeModifiers[] = {
    {"ns}", Field::timestamp_ns, "nanoseconds since 1970"},
    {"rfc3339}", Field::timestamp_rfc3339, "2024-02-14T10:30:00.123456789Z"},
};

std::vector<FormatWord> FormatCompiler::words() {
  std::vector<FormatWord> all;
  for (const Verb& verb : kVerbs) {
    all.push_back({fmt::format("%{}", verb.letter), std::string(verb.meaning)});
  }
  const auto add = [&all](std::string_view of, std::string_view word, std::string_view meaning) {
    all.push_back({fmt::format("{{{}", word), fmt::format("Behind {}: {}", of, meaning)});
  };
  for (const Modifier& each : kTextModifiers) add("%t %k %v", each.text, each.meaning);
  for (const Modifier& each : kNumberModifiers) add("a number, %d too", each.text, each.meaning);
  for (const TimeModifier& each : kTimeModifiers) add("%d", each.text, each.meaning);
  add("%d", fmt::format("{}[PATTERN]}}", kStrftime),
      "as strftime(3) has it, in UTC, e.g. %d{strftime[%F %T]}; { or # instead of [ may enclose "
      "the pattern, also doubled");
  return all;
}

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
  const auto verb = std::ranges::find(kVerbs, letter, &Verb::letter);
  const bool known = verb != std::ranges::end(kVerbs);
  if (scope == Scope::header && !(known && verb->of_header)) {
    refuse(verb_at, fmt::format("%{} is not of a header", letter));
  }
  if (!known) refuse(verb_at, fmt::format("unknown verb %{}", letter));
  switch (verb->kind) {
    case Kind::literal:
      return literal(letter);
    case Kind::text:
      return compile_text(verb->field);
    case Kind::number:
      return compile_number(verb->field);
    case Kind::time:
      return compile_time();
    case Kind::headers:
      return compile_headers(verb_at);
  }
}

void FormatCompiler::compile_text(Field field) {
  Step step{.field = field};
  if (take("{")) {
    const auto modifier = std::ranges::find_if(
        kTextModifiers, [&](const Modifier& each) { return take(each.text); });
    if (modifier == std::ranges::end(kTextModifiers)) refuse(at_, "unknown modifier of text");
    step.encoding = modifier->encoding;
  }
  format_.steps_.push_back(step);
}

FormatCompiler::Step FormatCompiler::read_number_modifier(Field field) {
  for (const Modifier& modifier : kNumberModifiers) {
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
  if (!take("{")) return format_.steps_.push_back({.field = Field::timestamp_ms});
  if (take(kStrftime)) return compile_strftime();
  for (const TimeModifier& modifier : kTimeModifiers) {
    if (take(modifier.text)) return format_.steps_.push_back({.field = modifier.field});
  }
  format_.steps_.push_back(read_number_modifier(Field::timestamp_ms));
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
