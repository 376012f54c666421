#include "tools/man/roff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace ringway::man {
namespace {

/// A text line: it must not look like a request.
std::string text_line(std::string_view line) {
  const bool request = line.starts_with('.') || line.starts_with('\'');
  return (request ? "\\&" : "") + escaped(line) + "\n";
}

template <class EachLine>
void for_lines(std::string_view text, EachLine each) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    each(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string roff;
  for (const char c : text) {
    switch (c) {
      case '\\':
        roff += "\\e";
        break;
      case '-':
        roff += "\\-";
        break;
      case '\'':
        roff += "\\(aq";
        break;
      case '`':
        roff += "\\(ga";
        break;
      case '^':
        roff += "\\(ha";
        break;
      case '~':
        roff += "\\(ti";
        break;
      default:
        roff += c;
    }
  }
  return roff;
}

Page::Page(std::string_view name, char section) {
  std::string title(name);
  std::ranges::transform(title, title.begin(), [](unsigned char c) {
    return static_cast<char>(std::toupper(c));
  });
  text_ = fmt::format(".TH {} {} \"\" \"Ringway {}\" \"Ringway\"\n", escaped(title), section,
                      RINGWAY_VERSION);
}

Page& Page::section(std::string_view title) {
  text_ += fmt::format(".SH {}\n", escaped(title));
  return *this;
}

Page& Page::paragraph(std::string_view text) {
  begin_paragraph();
  for_lines(text, [&](std::string_view line) { text_ += text_line(line); });
  return *this;
}

/// Behind a heading there is one already.
void Page::begin_paragraph() {
  const std::size_t before = text_.rfind('\n', text_.size() - 2);
  if (text_.compare(before + 1, 3, ".SH") != 0) text_ += ".PP\n";
}

Page& Page::broken(std::string_view text) {
  text_ += ".br\n" + text_line(text);
  return *this;
}

Page& Page::synopsis(std::string_view command, std::string_view rest) {
  text_ += fmt::format("\\fB{}\\fR {}\n", escaped(command), escaped(rest));
  return *this;
}

Page& Page::tagged(std::string_view tag, std::string_view value, std::string_view text) {
  text_ += fmt::format(".TP\n\\fB{}\\fR", escaped(tag));
  if (!value.empty()) {
    text_ += fmt::format("{}\\fI{}\\fR", value.starts_with(' ') ? "" : " ", escaped(value));
  }
  text_ += '\n';
  for_lines(text, [&](std::string_view line) { text_ += text_line(line); });
  return *this;
}

Page& Page::verbatim(std::string_view lines) {
  begin_paragraph();
  text_ += ".nf\n";
  for_lines(lines, [&](std::string_view line) { text_ += text_line(line); });
  text_ += ".fi\n";
  return *this;
}

Page& Page::reference(std::string_view name, char section, std::string_view after) {
  // Not hyphenated: it is a word to search for.
  text_ += fmt::format("\\fB\\%{}\\fR({}){}\n", escaped(name), section, after);
  return *this;
}

}  // namespace ringway::man
