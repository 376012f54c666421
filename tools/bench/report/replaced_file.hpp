#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace ringway::cli {

/// A file that takes the place of the one there was at once, or not at all. Owned by one thread;
/// without replace() nothing is left of it, nor of a directory that was made for it.
class ReplacedFile {
 public:
  /// Makes `directory` where it is not there yet; the directory it stands in is. Throws Error when
  /// nothing can be written there.
  ReplacedFile(std::filesystem::path directory, std::string name);
  ReplacedFile(const ReplacedFile&) = delete;
  ReplacedFile& operator=(const ReplacedFile&) = delete;
  ~ReplacedFile();

  std::filesystem::path path() const { return directory_ / name_; }
  /// Throws Error.
  void replace(std::string_view content);

 private:
  void remove() noexcept;

  std::filesystem::path directory_;
  std::string name_;
  std::string temporary_;
  bool made_directory_ = false;
  int fd_ = -1;
};

}  // namespace ringway::cli
