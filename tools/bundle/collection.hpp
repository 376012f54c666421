#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bundle/archive.hpp"
#include "tools/capture.hpp"
#include "tools/output.hpp"

namespace ringway::cli::bundle {

/// What goes into a bundle, and the manifest that tells of it. Owned by one verb.
class Collection {
 public:
  using Clock = std::chrono::steady_clock;

  /// Each part may take `patience`, and none begins after `end`.
  Collection(std::chrono::milliseconds patience, Clock::time_point end)
      : patience_(patience), end_(end) {}

  /// The file of /proc, /sys or /etc as it reads now.
  void add_file(const std::string& name, const std::string& path);
  /// What a command prints, and on NAME.err what it says on standard error. `told` is what the
  /// manifest has of it where its words are nobody's business.
  void add_command(const std::string& name, std::string_view about,
                   const std::vector<std::string>& words, std::string told = {});
  void leave_out(std::string_view what, std::string_view why);

  /// The archive: a directory with manifest.json first.
  std::string take(std::int64_t time, Json about);

 private:
  struct Entry {
    std::string name;
    std::string content;
    Json line;  ///< of the manifest
  };

  std::chrono::milliseconds time_for_a_part() const;
  /// Whether there is time for a part; says that it is left out where there is none.
  bool has_time_for(std::string_view what);
  void add(const std::string& name, Json line, Captured captured, std::chrono::milliseconds time);

  std::chrono::milliseconds patience_;
  Clock::time_point end_;
  std::vector<Entry> entries_;
  Json left_out_ = Json::array();
};

}  // namespace ringway::cli::bundle
