#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ringway::cli {

/// One backslash escape: the byte it stands for and how many characters it took.
struct Escape {
  char byte;
  std::size_t characters;
};

/// The escape at the front of `text`, which starts with a backslash: \n \t \r \0 \\ or \xNN.
/// Nothing when it is none of these.
std::optional<Escape> read_escape(std::string_view text) noexcept;

/// `text` with its escapes replaced, for delimiters. Throws Error(usage) naming `flag` and the
/// position of an unknown escape.
std::string unescape(std::string_view flag, std::string_view text);

}  // namespace ringway::cli
