#pragma once

#include <string>
#include <string_view>

namespace ringway::man {

/// A manual page in the man(7) macros, section by section. What it is given is plain text.
class Page {
 public:
  /// `name` in small letters, with its section: ("ringway-topic-create", '1').
  Page(std::string_view name, char section);

  Page& section(std::string_view title);
  Page& paragraph(std::string_view text);
  /// "bold rest": how a command is written.
  Page& synopsis(std::string_view command, std::string_view rest);
  /// What is explained, in bold with its value in italics, and below it the explanation.
  Page& tagged(std::string_view tag, std::string_view value, std::string_view text);
  /// Goes on in a new line.
  Page& broken(std::string_view text);
  /// Lines as they are.
  Page& verbatim(std::string_view lines);
  /// Names another page.
  Page& reference(std::string_view name, char section, std::string_view after);

  const std::string& text() const noexcept { return text_; }

 private:
  void begin_paragraph();

  std::string text_;
};

/// Text as roff takes it, within a line.
std::string escaped(std::string_view text);

}  // namespace ringway::man
