#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "tools/command_line.hpp"

namespace ringway::cli {

struct Candidate {
  std::string value;  ///< in place of the whole word
  std::string about;  ///< for shells that show it; may be empty

  bool operator==(const Candidate&) const = default;
};

struct Completion {
  enum class Paths { none, files, directories };
  std::vector<Candidate> candidates;  ///< all begin as the word does
  Paths paths = Paths::none;          ///< what the shell is to add by itself
};

/// What only a bus or the host knows. Asked when it is needed; each may be slow, and says nothing
/// where it cannot know.
struct LiveNames {
  using Names = std::vector<std::string>;
  std::function<Names(const std::string& socket)> topics;
  std::function<Names(const std::string& socket, const std::string& topic)> cursors;
  std::function<std::uint32_t(const std::string& socket, const std::string& topic)>
      partitions;
  std::function<Names()> accounts;
};

/// What fits the last of `words`, which stand behind `ringway` on a command line that is being
/// typed. The grammar that parses it is all it knows.
Completion complete(const CommandLine& line, std::span<const std::string> words,
                    const LiveNames& live);

/// `ringway __complete SHELL WORD…`, for the completion functions of shells (bash, zsh, fish): the
/// first line is "words", "files" or "directories", a candidate each behind it, and its
/// explanation behind a tab. bash gives words as they are typed, with quotes. Never fails.
int print_completion(const CommandLine& line, int argc, const char* const* argv);

}  // namespace ringway::cli
