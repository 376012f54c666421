#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "tools/record_format.hpp"

namespace ringway::cli {

/// A verb or modifier of the grammar, and what it means to people.
struct FormatWord {
  std::string word;
  std::string meaning;
};

/// Reads a format from left to right and appends its steps to a RecordFormat. Lives for the
/// duration of that format's constructor.
class FormatCompiler {
 public:
  FormatCompiler(std::string_view flag, std::string_view text, RecordFormat& format)
      : flag_(flag), text_(text), format_(format) {}

  void compile();

  /// All of the grammar, in the order in which it is explained.
  static std::vector<FormatWord> words();

 private:
  using Field = RecordFormat::Field;
  using Encoding = RecordFormat::Encoding;
  using Step = RecordFormat::Step;
  enum class Scope : unsigned char { record, header };
  enum class Kind : unsigned char { literal, text, number, time, headers };
  struct Verb {
    char letter;
    Kind kind;
    Field field;
    bool of_header;  ///< stands inside of %h{...}, too
    std::string_view meaning;
  };
  struct Modifier {
    std::string_view text;  ///< with the closing brace
    Encoding encoding;
    unsigned char width;
    std::string_view meaning;
  };
  struct TimeModifier {
    std::string_view text;
    Field field;
    std::string_view meaning;
  };
  static const Verb kVerbs[];
  static const Modifier kTextModifiers[];
  static const Modifier kNumberModifiers[];
  static const TimeModifier kTimeModifiers[];

  [[noreturn]] void refuse(std::size_t at, const std::string& rule) const;
  bool take(std::string_view word) noexcept;
  /// Until the end of the text, or, in a header's body, its closing brace (left in place).
  void compile_body(Scope scope);
  void compile_verb(Scope scope);
  void compile_text(Field field);
  void compile_number(Field field);
  void compile_time();
  void compile_strftime();
  void compile_headers(std::size_t verb_at);
  /// A number's modifier behind its open brace, with the closing one.
  Step read_number_modifier(Field field);
  void literal(char byte);

  std::string_view flag_;
  std::string_view text_;
  RecordFormat& format_;
  std::size_t at_ = 0;
  bool may_grow_ = false;  ///< whether the last literal belongs to the body being read
};

}  // namespace ringway::cli
