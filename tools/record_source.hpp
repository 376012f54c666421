#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringway::cli {

/// What `produce` publishes. Views into the source's buffer, valid until its next `next()`.
struct InputRecord {
  bool has_key = false;
  std::string_view key = {};
  std::string_view value = {};
};

enum class Framing : unsigned char {
  delimited,        ///< records end with `delimiter`, the last one with its file at the latest
  length_prefixed,  ///< u32 big-endian, then so many bytes: what `consume -f '%V{big32}%v'` prints
};

struct SourceOptions {
  Framing framing = Framing::delimited;
  std::string delimiter = "\n";  ///< one byte or more
  std::optional<std::string> key_delimiter =
      {};  ///< one byte or more; splits at its first occurrence
  std::uint64_t record_bytes_max = std::uint64_t{1} << 30;  ///< key, its delimiter and value
  std::size_t buffer_bytes = std::size_t{256} << 10;        ///< grows up to the largest record
  /// Called when a read(2) is due, which may block; false: not now, next() says `interrupted`.
  std::function<bool()> before_read = {};
};

/// Records from files, one after another; "-" is standard input, and so is no file at all.
/// Owned by one verb, used by one thread. Reads in large pieces and copies only what a piece cuts
/// in two; allocates only to grow for a record larger than its buffer.
/// An empty delimited record is a record; nothing behind the last delimiter is none.
class RecordSource {
 public:
  enum class Outcome : unsigned char {
    record,
    end,
    interrupted,  ///< a signal arrived while waiting for input, or before_read said no: call again
  };

  /// Throws Error when a file cannot be read (all are looked at first) or a delimiter is empty.
  RecordSource(std::vector<std::string> files, SourceOptions options);
  ~RecordSource();
  RecordSource(const RecordSource&) = delete;
  RecordSource& operator=(const RecordSource&) = delete;

  /// Throws Error naming the file and the record's number in it: no key delimiter, too large, a
  /// length without its bytes; or what read(2) says.
  Outcome next(InputRecord& record);
  /// Another record_bytes_max, from the next record on.
  void limit(std::uint64_t record_bytes_max) noexcept {
    options_.record_bytes_max = record_bytes_max;
  }
  /// Whether the last record ended with its file, and not with a delimiter.
  bool undelimited() const noexcept { return undelimited_; }

 private:
  enum class Frame : unsigned char { found, incomplete, none };

  bool open_next();
  void close_file() noexcept;
  Frame take_delimited(std::string_view& body);
  Frame take_length_prefixed(std::string_view& body);
  /// Reads more; false when interrupted.
  bool fill();
  void make_room();
  void split(std::string_view body, InputRecord& record) const;
  std::string place() const;
  [[noreturn]] void refuse_large(std::uint64_t bytes, const char* measure) const;

  std::vector<std::string> files_;
  SourceOptions options_;
  std::size_t next_file_ = 0;
  int fd_ = -1;
  bool file_ended_ = false;
  bool undelimited_ = false;
  std::uint64_t record_number_ = 0;  ///< of the last one taken from this file, from 1

  // What was read and not taken lies in buffer_[begin_, end_); up to searched_ no delimiter starts.
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t searched_ = 0;
};

}  // namespace ringway::cli
