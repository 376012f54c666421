#pragma once

#include "storage/posix_file_system.hpp"
#include "support/fault_plan.hpp"

namespace ringway::test {

/// The real one, on which a test may let calls fail. Nothing happens then.
class FailingFileSystem final : public storage::PosixFileSystem {
 public:
  FaultPlan faults;

  int open(const std::string& path, storage::OpenMode mode) noexcept override {
    const int error = faults.count(Call::open);
    return error < 0 ? error : PosixFileSystem::open(path, mode);
  }
  std::int64_t read(int descriptor, std::span<std::byte> into,
                    std::uint64_t file_pos) noexcept override {
    const int error = faults.count(Call::read);
    return error < 0 ? error : PosixFileSystem::read(descriptor, into, file_pos);
  }
  int write(int descriptor, std::span<const std::byte> bytes,
            std::uint64_t file_pos) noexcept override {
    const int error = faults.count(Call::write);
    return error < 0 ? error : PosixFileSystem::write(descriptor, bytes, file_pos);
  }
  int sync(int descriptor) noexcept override {
    const int error = faults.count(Call::sync);
    return error < 0 ? error : PosixFileSystem::sync(descriptor);
  }
  int reserve(int descriptor, std::uint64_t bytes) noexcept override {
    const int error = faults.count(Call::reserve);
    return error < 0 ? error : PosixFileSystem::reserve(descriptor, bytes);
  }
  int truncate(int descriptor, std::uint64_t bytes) noexcept override {
    const int error = faults.count(Call::truncate);
    return error < 0 ? error : PosixFileSystem::truncate(descriptor, bytes);
  }
  int link(const std::string& from, const std::string& to) noexcept override {
    const int error = faults.count(Call::link);
    return error < 0 ? error : PosixFileSystem::link(from, to);
  }
  int rename(const std::string& from, const std::string& to) noexcept override {
    const int error = faults.count(Call::rename);
    return error < 0 ? error : PosixFileSystem::rename(from, to);
  }
  int remove(const std::string& path) noexcept override {
    const int error = faults.count(Call::remove);
    return error < 0 ? error : PosixFileSystem::remove(path);
  }
  int sync_directory(const std::string& path) noexcept override {
    const int error = faults.count(Call::sync_directory);
    return error < 0 ? error : PosixFileSystem::sync_directory(path);
  }
  int make_directories(const std::string& path) noexcept override {
    const int error = faults.count(Call::make_directories);
    return error < 0 ? error : PosixFileSystem::make_directories(path);
  }
  int list(const std::string& path, std::vector<std::string>& names) noexcept override {
    const int error = faults.count(Call::list);
    return error < 0 ? error : PosixFileSystem::list(path, names);
  }
};

}  // namespace ringway::test
