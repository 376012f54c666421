#include "tools/quickstart_run/corpus.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <numeric>
#include <system_error>

#include "ringway/error.hpp"

namespace ringway::quickstart {

namespace {

namespace fs = std::filesystem;

constexpr std::array kPlaces = {"/usr/include", "/usr/share", "/var/lib/dpkg"};
constexpr std::uint64_t kRepeatBelow = 200'000'000;
constexpr std::uint64_t kPieceBytes = 1 << 20;
constexpr std::size_t kLookedAt = 64 * 1024;

/// Whether the file can be read and has no NUL where it starts.
bool is_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  static std::vector<char> start(kLookedAt);
  file.read(start.data(), kLookedAt);
  const auto got = static_cast<std::size_t>(file.gcount());
  return got != 0 && std::memchr(start.data(), 0, got) == nullptr;
}

std::vector<std::string> files_below(const std::vector<std::string>& places) {
  std::vector<std::string> found;
  std::error_code error;
  for (const std::string& place : places) {
    if (!fs::is_directory(place)) {
      found.push_back(place);
      continue;
    }
    fs::recursive_directory_iterator entry(place, fs::directory_options::skip_permission_denied,
                                           error);
    for (; entry != fs::recursive_directory_iterator(); entry.increment(error)) {
      if (error) break;
      if (!entry->is_symlink(error) && entry->is_regular_file(error)) {
        found.push_back(entry->path());
      }
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

void require_readable(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!fs::is_directory(name) && !std::ifstream(name)) {
      throw Error(ErrorCode::not_found, name, "there is no such file that can be read", "");
    }
  }
}

/// Decides how often a small corpus is read: whole rounds, and within them pieces of about a MiB.
void repeat(Corpus& corpus) {
  const auto needed = [](std::uint64_t wanted, std::uint64_t each) {
    return static_cast<std::uint32_t>((wanted + each - 1) / each);
  };
  corpus.times = needed(kPieceBytes, corpus.bytes);
  corpus.rounds = needed(kRepeatBelow, corpus.bytes * corpus.times);
}

}  // namespace

Corpus gather_corpus(const std::vector<std::string>& names, std::uint64_t bytes_max) {
  require_readable(names);
  Corpus corpus;
  std::vector<Piece> once;
  for (const std::string& path : files_below(
           names.empty() ? std::vector<std::string>(kPlaces.begin(), kPlaces.end()) : names)) {
    std::error_code error;
    const std::uint64_t size = fs::file_size(path, error);
    if (error || size == 0 || !is_text(path)) {
      ++corpus.skipped;
      continue;
    }
    if (corpus.bytes + size > bytes_max) continue;
    for (std::uint64_t begin = 0; begin < size; begin += kPieceBytes) {
      once.push_back({static_cast<std::uint32_t>(corpus.files.size()), 0, 1, begin,
                      std::min(begin + kPieceBytes, size)});
    }
    corpus.files.push_back(path);
    corpus.bytes += size;
  }
  if (corpus.bytes == 0) {
    throw Error(ErrorCode::not_found, "the input", "there is no text in it",
                "name text files: tools/quickstart FILE…");
  }
  if (corpus.bytes < kRepeatBelow) repeat(corpus);
  corpus.pieces.reserve(once.size() * corpus.rounds);
  for (std::uint32_t round = 0; round < corpus.rounds; ++round) {
    for (Piece piece : once) {
      piece.round = round;
      piece.times = corpus.times;
      corpus.pieces.push_back(piece);
    }
  }
  return corpus;
}

std::vector<Piece> share_of(const Corpus& corpus, std::uint32_t share, std::uint32_t shares) {
  std::vector<Piece> mine;
  std::vector<std::uint64_t> given(shares);
  for (const Piece& piece : corpus.pieces) {
    const auto least = std::min_element(given.begin(), given.end());
    *least += (piece.end - piece.begin) * piece.times;
    if (least - given.begin() == share) mine.push_back(piece);
  }
  return mine;
}

void for_each_line(const Corpus& corpus, const Piece& piece,
                   const std::function<void(std::string_view)>& line) {
  std::ifstream file(corpus.files[piece.file], std::ios::binary);
  // One byte earlier, to see whether a line starts at `begin`.
  const std::uint64_t from = piece.begin == 0 ? 0 : piece.begin - 1;
  file.seekg(static_cast<std::streamoff>(from));
  std::string text(piece.end - from, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  std::size_t at = 0;
  if (piece.begin != 0) {
    at = text.find('\n');
    if (at == std::string::npos) return;
    ++at;
  }
  if (at == text.size()) return;
  if (std::string rest; text.back() != '\n' && std::getline(file, rest)) text += rest;
  for (std::uint32_t i = 0; i < piece.times; ++i) {
    for (std::size_t begin = at, end; begin < text.size(); begin = end + 1) {
      end = std::min(text.find('\n', begin), text.size());
      line(std::string_view(text).substr(begin, end - begin));
    }
  }
}

std::string key_of(const Corpus& corpus, const Piece& piece) {
  std::string key = corpus.files[piece.file];
  if (piece.begin != 0) key += "@" + std::to_string(piece.begin);
  if (piece.round != 0) key += "#" + std::to_string(piece.round);
  return key;
}

}  // namespace ringway::quickstart
