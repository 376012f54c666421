#include "tools/bundle/archive.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "ringway/error.hpp"
#include "shm/descriptor.hpp"

namespace ringway::cli::bundle {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kNameMax = 100;
constexpr std::size_t kChecksumAt = 148;
constexpr std::size_t kChecksumBytes = 8;

/// Octal digits and a zero byte, as all numbers of a header are.
void put_number(std::array<char, kBlock>& header, std::size_t at, std::size_t width,
                std::uint64_t number) {
  const std::string digits = fmt::format("{:0{}o}", number, width - 1);
  std::memcpy(header.data() + at, digits.data(), width - 1);
}

void put_text(std::array<char, kBlock>& header, std::size_t at, std::string_view text) {
  std::memcpy(header.data() + at, text.data(), text.size());
}

}  // namespace

void Archive::add(std::string_view name, std::string_view content) {
  if (name.empty() || name.size() > kNameMax || name.front() == '/') std::abort();
  std::array<char, kBlock> header{};
  put_text(header, 0, name);
  put_number(header, 100, 8, 0600);  // mode
  put_number(header, 108, 8, 0);     // uid, gid: who unpacks it as root gets root's
  put_number(header, 116, 8, 0);
  put_number(header, 124, 12, content.size());
  put_number(header, 136, 12, static_cast<std::uint64_t>(std::max<std::int64_t>(time_, 0)));
  header[156] = '0';  // a file
  put_text(header, 257, std::string_view("ustar\00000", 8));
  // The sum of its bytes, those of the sum itself taken for spaces.
  std::memset(header.data() + kChecksumAt, ' ', kChecksumBytes);
  unsigned sum = 0;
  for (const char byte : header) sum += static_cast<unsigned char>(byte);
  put_text(header, kChecksumAt, fmt::format("{:06o}", sum));
  header[kChecksumAt + 6] = '\0';

  bytes_.append(header.data(), header.size());
  bytes_.append(content);
  bytes_.append((kBlock - content.size() % kBlock) % kBlock, '\0');
}

std::string Archive::take() {
  bytes_.append(2 * kBlock, '\0');
  return std::move(bytes_);
}

void write_new_file(const std::string& path, std::string_view content) {
  const shm::Descriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file && errno == EEXIST) {
    throw Error(ErrorCode::exists, path, "it is there already, and nothing is overwritten",
                "name another file, or remove that one");
  }
  if (!file) throw system_error(errno, path, "cannot be made", "name a file where you may write");
  ::fchmod(file.get(), 0600);  // whatever the umask took away
  while (!content.empty()) {
    const ssize_t wrote = ::write(file.get(), content.data(), content.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      const int error = errno;
      ::unlink(path.c_str());
      throw system_error(error, path, "cannot be written");
    }
    content.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

}  // namespace ringway::cli::bundle
