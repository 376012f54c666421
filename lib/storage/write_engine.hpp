#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace ringway::storage {

/// One piece of a batch. Memory, bytes and file_pos are multiples of 4 KiB. The memory stays as it
/// is until the batch is completed.
struct WritePiece {
  const std::byte* memory;
  std::uint64_t bytes;
  std::uint64_t file_pos;
};

struct Completion {
  std::uint64_t token;
  int result;  ///< 0, or a negative errno: then any part of the batch may have been written
};

/// Carries batches of writes and syncs to the device. One thread submits and reaps; one engine
/// serves the files of many partitions. Nothing is ordered: who needs B after A submits B when A
/// is completed. The destructor waits for everything under way. A crash costs what was under way.
class WriteEngine {
 public:
  virtual ~WriteEngine() = default;

  virtual std::string_view name() const noexcept = 0;  ///< "io_uring" or "pwrite"

  /// One completion with `token` when all pieces are written, or one failed.
  virtual void submit_writes(int descriptor, std::span<const WritePiece> pieces,
                             std::uint64_t token) noexcept = 0;
  /// fdatasync: covers every write of the file that was completed before this call.
  virtual void submit_sync(int descriptor, std::uint64_t token) noexcept = 0;
  /// The same, and syncs these pieces: perhaps nothing that was written before. Two completions at
  /// once, in this order: `token`, and `sync_token`, -ECANCELED where the first failed.
  virtual void submit_synced_writes(int descriptor, std::span<const WritePiece> pieces,
                                    std::uint64_t token, std::uint64_t sync_token) noexcept = 0;

  /// Completions so far, at most out.size(). Waits up to `timeout` for the first one, but not when
  /// nothing is under way.
  virtual std::size_t reap(std::span<Completion> out,
                           std::chrono::nanoseconds timeout) noexcept = 0;
  /// Batches and syncs submitted and not yet reaped.
  virtual std::size_t under_way() const noexcept = 0;
  /// An eventfd, readable when reap() may have something; reap() clears it. Owned by the engine.
  virtual int event_descriptor() const noexcept = 0;
};

enum class EngineChoice : unsigned char { io_uring, pwrite };

/// Throws Error when the kernel refuses io_uring, as many seccomp profiles and a sysctl have it do;
/// pwrite is there always.
std::unique_ptr<WriteEngine> make_write_engine(EngineChoice choice);

}  // namespace ringway::storage
