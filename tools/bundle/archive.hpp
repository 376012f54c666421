#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ringway::cli::bundle {

/// A tar archive (POSIX ustar) in memory: what `tar -xf` makes of it are files of mode 0600 that
/// belong to who unpacks. Owned by one verb.
class Archive {
 public:
  /// `time` as the files' date, in seconds since 1970.
  explicit Archive(std::int64_t time) : time_(time) {}

  /// Names are relative, of at most 100 bytes, and unique: a programmer's error aborts.
  void add(std::string_view name, std::string_view content);
  /// All of it, with the end that tar wants.
  std::string take();

 private:
  std::int64_t time_;
  std::string bytes_;
};

/// Writes a new file of mode 0600, whole or not at all.
/// @throws Error exists when there is anything of that name; failed, denied as the system says.
void write_new_file(const std::string& path, std::string_view content);

}  // namespace ringway::cli::bundle
