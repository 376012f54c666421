#pragma once

#include <liburing.h>

#include <deque>
#include <optional>
#include <vector>

#include "storage/write_engine.hpp"

namespace ringway::storage {

/// Writes and syncs through one io_uring. Large pieces are cut so that the device sees depth; what
/// does not fit the submission queue waits in a backlog of its own.
class UringEngine final : public WriteEngine {
 public:
  UringEngine();  ///< throws Error where the kernel refuses io_uring
  ~UringEngine() override;
  UringEngine(const UringEngine&) = delete;
  UringEngine& operator=(const UringEngine&) = delete;

  std::string_view name() const noexcept override { return "io_uring"; }
  void submit_writes(int descriptor, std::span<const WritePiece> pieces,
                     std::uint64_t token) noexcept override;
  void submit_sync(int descriptor, std::uint64_t token) noexcept override;
  void submit_synced_writes(int descriptor, std::span<const WritePiece> pieces,
                            std::uint64_t token, std::uint64_t sync_token) noexcept override;
  std::size_t reap(std::span<Completion> out, std::chrono::nanoseconds timeout) noexcept override;
  std::size_t under_way() const noexcept override { return under_way_; }
  int event_descriptor() const noexcept override { return event_; }

 private:
  struct Batch {
    std::uint64_t token;
    std::size_t operations_left;
    int result;
    std::optional<std::uint64_t> sync_token;  ///< its writes are synced ones
  };
  /// A write, or a sync when `memory` is null. What is left of it after a short write.
  struct Operation {
    Batch* batch;
    const std::byte* memory;
    std::uint64_t bytes;
    std::uint64_t file_pos;
    int descriptor;
  };

  void write(int descriptor, std::span<const WritePiece> pieces, std::uint64_t token,
             std::optional<std::uint64_t> sync_token) noexcept;
  Batch* new_batch(std::uint64_t token, std::size_t operations) noexcept;
  void queue(const Operation& operation) noexcept;
  void pump() noexcept;
  void take(Operation& operation, int result) noexcept;
  void finish(Batch& batch) noexcept;
  void collect() noexcept;

  io_uring ring_{};
  int event_ = -1;
  std::size_t in_kernel_ = 0;
  std::size_t under_way_ = 0;
  std::deque<Operation> operations_;  // stable addresses: they are the kernel's user data
  std::vector<Operation*> free_operations_;
  std::deque<Operation*> backlog_;
  std::deque<Batch> batches_;
  std::vector<Batch*> free_batches_;
  std::deque<Completion> done_;
};

}  // namespace ringway::storage
