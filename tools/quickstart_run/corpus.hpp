#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ringway::quickstart {

/// The lines that start in [begin, end) of a file, `times` in a row; the `round`-th time that the
/// corpus is read.
struct Piece {
  std::uint32_t file;  ///< index into Corpus::files
  std::uint32_t round;
  std::uint32_t times;
  std::uint64_t begin;
  std::uint64_t end;
};

/// The text to publish: which files, in which pieces, how many times.
struct Corpus {
  std::vector<std::string> files;
  std::vector<Piece> pieces;
  std::uint64_t bytes = 0;  ///< of the files, once
  std::uint32_t rounds = 1;
  std::uint32_t times = 1;    ///< each piece in each round
  std::uint64_t skipped = 0;  ///< files that are binary or cannot be read

  std::uint64_t published_bytes() const noexcept { return bytes * rounds * times; }
};

/// Files given by name are taken as they are (Error not_found when one cannot be read); without
/// any, what can be read under /usr/include, /usr/share and /var/lib/dpkg, sorted, up to
/// `bytes_max`. Binary files are left out. Less than 200 MB is repeated until there are that many.
Corpus gather_corpus(const std::vector<std::string>& names, std::uint64_t bytes_max);

/// The pieces of one of `shares` equal parts, in order; the same on every call.
std::vector<Piece> share_of(const Corpus& corpus, std::uint32_t share, std::uint32_t shares);

/// Gives `line` every line of the piece, as often as it says, without its newline. A file that is
/// gone has none.
void for_each_line(const Corpus& corpus, const Piece& piece,
                   const std::function<void(std::string_view)>& line);

/// The file's name, with the place and round of the piece where that is not the whole file, once.
std::string key_of(const Corpus& corpus, const Piece& piece);

}  // namespace ringway::quickstart
