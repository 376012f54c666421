#include "tools/bench/report/replaced_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ringway/error.hpp>
#include <utility>

#include "tools/terminal.hpp"

namespace ringway::cli {
namespace {

constexpr mode_t kReadable = 0644;

}  // namespace

ReplacedFile::ReplacedFile(std::filesystem::path directory, std::string name)
    : directory_(std::move(directory)), name_(std::move(name)) {
  made_directory_ = ::mkdir(directory_.c_str(), 0777) == 0;
  if (!made_directory_ && errno != EEXIST) {
    throw system_error(errno, directory_, "making the directory",
                       "name one that is there, or can be made where it stands");
  }
  temporary_ = directory_ / ("." + name_ + ".XXXXXX");
  fd_ = ::mkostemp(temporary_.data(), O_CLOEXEC);
  if (fd_ >= 0) return;
  const int error = errno;
  temporary_.clear();
  remove();
  throw system_error(error, directory_, "writing there", "name a directory that can be written to");
}

ReplacedFile::~ReplacedFile() {
  remove();
}

void ReplacedFile::replace(std::string_view content) {
  static_cast<void>(write_all(fd_, content));
  const mode_t mask = ::umask(0);
  ::umask(mask);
  if (::fchmod(fd_, kReadable & ~mask) != 0 || ::fsync(fd_) != 0 ||
      ::rename(temporary_.c_str(), path().c_str()) != 0) {
    throw system_error(errno, path(), "replacing it");
  }
  temporary_.clear();
  made_directory_ = false;
}

void ReplacedFile::remove() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  if (made_directory_) ::rmdir(directory_.c_str());
}

}  // namespace ringway::cli
