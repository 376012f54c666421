#include "tools/record_source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ringway/error.hpp"

namespace ringway::cli {
namespace {

constexpr std::size_t kLengthBytes = 4;

bool is_stdin(const std::string& file) {
  return file == "-";
}
std::string shown(const std::string& file) {
  return is_stdin(file) ? "standard input" : file;
}

std::size_t find(const char* text, std::size_t bytes, std::string_view wanted) noexcept {
  const void* at = wanted.size() == 1
                       ? std::memchr(text, static_cast<unsigned char>(wanted.front()), bytes)
                       : memmem(text, bytes, wanted.data(), wanted.size());
  return at == nullptr ? std::string_view::npos
                       : static_cast<std::size_t>(static_cast<const char*>(at) - text);
}

Error unreadable(const std::string& file, int error_number) {
  switch (error_number) {
    case ENOENT:
      return Error(ErrorCode::not_found, file, "does not exist",
                   "name a file that is there, or - for standard input");
    case EACCES:
      return Error(ErrorCode::denied, file, "this user may not read it",
                   "have somebody who may pipe it in, or change its mode");
    case EISDIR:
      return Error(ErrorCode::usage, file, "is a directory", "name the files in it");
    default:
      return system_error(error_number, file, "cannot be read", "name another file");
  }
}

void demand_readable(const std::string& file) {
  struct stat found{};
  if (access(file.c_str(), R_OK) != 0) throw unreadable(file, errno);
  if (stat(file.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) throw unreadable(file, EISDIR);
}

}  // namespace

RecordSource::RecordSource(std::vector<std::string> files, SourceOptions options)
    : files_(std::move(files)),
      options_(std::move(options)),
      capacity_(std::max(options_.buffer_bytes, kLengthBytes)) {
  if (options_.delimiter.empty() || (options_.key_delimiter && options_.key_delimiter->empty())) {
    throw Error(ErrorCode::usage, options_.delimiter.empty() ? "-D ''" : "-K ''",
                "a delimiter has at least one byte", R"(write one, e.g. -D '\n' or -K :)");
  }
  if (files_.empty()) files_.emplace_back("-");
  for (const std::string& file : files_) {
    if (!is_stdin(file)) demand_readable(file);
  }
  buffer_ = std::make_unique_for_overwrite<char[]>(capacity_);
}

RecordSource::~RecordSource() {
  close_file();
}

bool RecordSource::open_next() {
  close_file();
  if (next_file_ == files_.size()) return false;
  const std::string& file = files_[next_file_];
  fd_ = is_stdin(file) ? STDIN_FILENO : open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) throw unreadable(file, errno);
  ++next_file_;
  begin_ = end_ = searched_ = 0;
  record_number_ = 0;
  file_ended_ = false;
  return true;
}

void RecordSource::close_file() noexcept {
  if (fd_ > STDIN_FILENO) close(fd_);
  fd_ = -1;
}

RecordSource::Outcome RecordSource::next(InputRecord& record) {
  for (;;) {
    if (fd_ < 0 && !open_next()) return Outcome::end;
    std::string_view body;
    const Frame frame =
        options_.framing == Framing::delimited ? take_delimited(body) : take_length_prefixed(body);
    if (frame == Frame::found) {
      split(body, record);
      return Outcome::record;
    }
    if (frame == Frame::none) {
      close_file();
    } else if (!fill()) {
      return Outcome::interrupted;
    }
  }
}

RecordSource::Frame RecordSource::take_delimited(std::string_view& body) {
  const std::string_view delimiter = options_.delimiter;
  const std::size_t found = find(buffer_.get() + searched_, end_ - searched_, delimiter);
  if (found != std::string_view::npos) {
    const std::size_t body_end = searched_ + found;
    ++record_number_;
    undelimited_ = false;
    body = {buffer_.get() + begin_, body_end - begin_};
    if (body.size() > options_.record_bytes_max) refuse_large(body.size(), "has");
    begin_ = searched_ = body_end + delimiter.size();
    return Frame::found;
  }
  if (!file_ended_) {
    // The delimiter's first bytes may be here already.
    searched_ = std::max(begin_, end_ - std::min(end_, delimiter.size() - 1));
    if (searched_ - begin_ > options_.record_bytes_max) {
      ++record_number_;
      refuse_large(searched_ - begin_, "has at least");
    }
    return Frame::incomplete;
  }
  if (begin_ == end_) return Frame::none;
  ++record_number_;
  undelimited_ = true;
  body = {buffer_.get() + begin_, end_ - begin_};
  if (body.size() > options_.record_bytes_max) refuse_large(body.size(), "has");
  begin_ = searched_ = end_;
  return Frame::found;
}

RecordSource::Frame RecordSource::take_length_prefixed(std::string_view& body) {
  const std::size_t left = end_ - begin_;
  if (left == 0 && file_ended_) return Frame::none;
  std::uint32_t length = 0;
  if (left >= kLengthBytes) {
    std::memcpy(&length, buffer_.get() + begin_, kLengthBytes);
    length = __builtin_bswap32(length);
    if (length > options_.record_bytes_max) {
      ++record_number_;
      refuse_large(length, "has");
    }
  }
  if (left < kLengthBytes || left - kLengthBytes < length) {
    if (!file_ended_) return Frame::incomplete;
    ++record_number_;
    throw Error(ErrorCode::failed, place(),
                left < kLengthBytes
                    ? fmt::format("the file ends after {} of the length's 4 bytes", left)
                    : fmt::format("the file ends after {} of the record's {} bytes",
                                  left - kLengthBytes, length),
                "write each record as a u32, big-endian, and so many bytes");
  }
  ++record_number_;
  body = {buffer_.get() + begin_ + kLengthBytes, length};
  begin_ += kLengthBytes + length;
  return Frame::found;
}

bool RecordSource::fill() {
  make_room();
  if (options_.before_read && !options_.before_read()) return false;
  const ssize_t got = read(fd_, buffer_.get() + end_, capacity_ - end_);
  if (got < 0) {
    if (errno == EINTR) return false;
    if (errno == EAGAIN) {  // somebody made the pipe non-blocking
      pollfd readable{.fd = fd_, .events = POLLIN, .revents = 0};
      return poll(&readable, 1, -1) > 0;
    }
    throw unreadable(shown(files_[next_file_ - 1]), errno);
  }
  file_ended_ = got == 0;
  end_ += static_cast<std::size_t>(got);
  return true;
}

void RecordSource::make_room() {
  const std::size_t left = end_ - begin_;
  if (left > capacity_ / 2) {
    // Doubling stops at the limit, because a frame that passes it was refused before.
    auto larger = std::make_unique_for_overwrite<char[]>(capacity_ * 2);
    std::memcpy(larger.get(), buffer_.get() + begin_, left);
    buffer_ = std::move(larger);
    capacity_ *= 2;
  } else if (begin_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, left);
  }
  searched_ -= std::min(searched_, begin_);
  end_ = left;
  begin_ = 0;
}

void RecordSource::split(std::string_view body, InputRecord& record) const {
  if (!options_.key_delimiter) {
    record = {.has_key = false, .key = {}, .value = body};
    return;
  }
  const std::string& delimiter = *options_.key_delimiter;
  const std::size_t at = find(body.data(), body.size(), delimiter);
  if (at == std::string_view::npos) {
    throw Error(ErrorCode::failed, place(), "no key delimiter in it",
                "give each record a key, or leave out -K");
  }
  record = {
      .has_key = true, .key = body.substr(0, at), .value = body.substr(at + delimiter.size())};
}

std::string RecordSource::place() const {
  const bool lines = options_.framing == Framing::delimited && options_.delimiter == "\n";
  return fmt::format("{}, {} {}", shown(files_[next_file_ - 1]), lines ? "line" : "record",
                     record_number_);
}

void RecordSource::refuse_large(std::uint64_t bytes, const char* measure) const {
  throw Error(ErrorCode::limit, place(),
              fmt::format("it {} {} bytes, and a record may have {}", measure, bytes,
                          options_.record_bytes_max),
              "split it, or enlarge the topic's ring");
}

}  // namespace ringway::cli
