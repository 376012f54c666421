#pragma once

#include <deque>

#include "storage/write_engine.hpp"

namespace ringway::storage {

/// The same interface where io_uring is forbidden: every call is done when it returns, and its
/// completion waits to be reaped. A slow device holds up the submitting thread.
class PwriteEngine final : public WriteEngine {
 public:
  PwriteEngine();  ///< throws Error when no eventfd is to be had
  ~PwriteEngine() override;
  PwriteEngine(const PwriteEngine&) = delete;
  PwriteEngine& operator=(const PwriteEngine&) = delete;

  std::string_view name() const noexcept override { return "pwrite"; }
  void submit_writes(int descriptor, std::span<const WritePiece> pieces,
                     std::uint64_t token) noexcept override;
  void submit_sync(int descriptor, std::uint64_t token) noexcept override;
  void submit_synced_writes(int descriptor, std::span<const WritePiece> pieces,
                            std::uint64_t token, std::uint64_t sync_token) noexcept override;
  std::size_t reap(std::span<Completion> out, std::chrono::nanoseconds timeout) noexcept override;
  std::size_t under_way() const noexcept override { return done_.size(); }
  int event_descriptor() const noexcept override { return event_; }

 private:
  void finish(std::uint64_t token, int result) noexcept;

  int event_;
  std::deque<Completion> done_;
};

}  // namespace ringway::storage
