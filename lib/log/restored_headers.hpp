#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "log/partition_log.hpp"
#include "log/segment_format.hpp"
#include "storage/file_system.hpp"

namespace ringway::log {

/// The header as it was written, where what is found of it proves which one that was: with what
/// every segment of that name has in common put right, and one byte of the rest at most, its
/// checksum agrees; or it does but for one byte of itself. Nothing that no checksum vouches for.
std::optional<SegmentHeader> restored_header(const SegmentHeader& found, const LogIdentity& owner,
                                             std::uint64_t base_offset) noexcept;

/// Files as they will be once their headers are restored: for reading only. What lies below must
/// outlive it.
class RestoredHeaders final : public storage::FileSystem {
 public:
  explicit RestoredHeaders(storage::FileSystem& below) : below_(below) {}

  void add(const std::string& path, const SegmentHeader& header) { headers_.emplace(path, header); }

  int open(const std::string& path, storage::OpenMode mode) noexcept override;
  void close(int descriptor) noexcept override;
  bool is_direct(int descriptor) noexcept override { return below_.is_direct(descriptor); }
  std::int64_t read(int descriptor, std::span<std::byte> into,
                    std::uint64_t file_pos) noexcept override;
  std::int64_t size(int descriptor) noexcept override { return below_.size(descriptor); }
  int list(const std::string& path, std::vector<std::string>& names) noexcept override {
    return below_.list(path, names);
  }

  int write(int, std::span<const std::byte>, std::uint64_t) noexcept override;
  int sync(int) noexcept override;
  int reserve(int, std::uint64_t) noexcept override;
  int truncate(int, std::uint64_t) noexcept override;
  int link(const std::string&, const std::string&) noexcept override;
  int rename(const std::string&, const std::string&) noexcept override;
  int remove(const std::string&) noexcept override;
  int sync_directory(const std::string&) noexcept override;
  int make_directories(const std::string&) noexcept override;

 private:
  storage::FileSystem& below_;
  std::map<std::string, SegmentHeader> headers_;
  std::mutex opened_mutex_;
  std::map<int, const SegmentHeader*> opened_;
};

}  // namespace ringway::log
