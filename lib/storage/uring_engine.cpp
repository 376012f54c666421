#include "storage/uring_engine.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "ringway/error.hpp"
#include "storage/posix_file_system.hpp"

namespace ringway::storage {
namespace {

constexpr unsigned kDepth = 64;
/// The size at which one queue of 16 saturated the disks this was measured on.
constexpr std::uint64_t kWriteBytesMax = 256 * 1024;

const char* advice(int result) {
  switch (-result) {
    case EPERM:
    case ENOSYS:
      return "allow it (seccomp filter, sysctl kernel.io_uring_disabled)";
    case ENOMEM:
      return "raise the limit of locked memory (ulimit -l, LimitMEMLOCK=)";
    default:
      return "";
  }
}

}  // namespace

UringEngine::UringEngine() {
  if (const int result = io_uring_queue_init(kDepth, &ring_, 0); result < 0) {
    throw system_error(-result, "io_uring", "no queue can be made", advice(result));
  }
  event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const int result = event_ < 0 ? -errno : io_uring_register_eventfd(&ring_, event_);
  if (result < 0) {
    io_uring_queue_exit(&ring_);
    if (event_ >= 0) ::close(event_);
    throw system_error(-result, "io_uring", "register eventfd");
  }
}

UringEngine::~UringEngine() {
  // The kernel reads the callers' memory until the last completion.
  Completion completions[kDepth];
  while (under_way_ > 0) static_cast<void>(reap(completions, std::chrono::seconds(1)));
  io_uring_queue_exit(&ring_);
  ::close(event_);
}

void UringEngine::submit_writes(int descriptor, std::span<const WritePiece> pieces,
                                std::uint64_t token) noexcept {
  write(descriptor, pieces, token, std::nullopt);
}

void UringEngine::submit_synced_writes(int descriptor, std::span<const WritePiece> pieces,
                                       std::uint64_t token, std::uint64_t sync_token) noexcept {
  write(descriptor, pieces, token, sync_token);
}

void UringEngine::write(int descriptor, std::span<const WritePiece> pieces, std::uint64_t token,
                        std::optional<std::uint64_t> sync_token) noexcept {
  std::size_t operations = 0;
  for (const WritePiece& piece : pieces) {
    operations += (piece.bytes + kWriteBytesMax - 1) / kWriteBytesMax;
  }
  Batch* batch = new_batch(token, operations);
  if (sync_token) ++under_way_;
  batch->sync_token = sync_token;
  if (operations == 0) return finish(*batch);
  for (const WritePiece& piece : pieces) {
    for (std::uint64_t done = 0; done < piece.bytes; done += kWriteBytesMax) {
      queue({batch, piece.memory + done, std::min(kWriteBytesMax, piece.bytes - done),
             piece.file_pos + done, descriptor});
    }
  }
  pump();
}

void UringEngine::submit_sync(int descriptor, std::uint64_t token) noexcept {
  queue({new_batch(token, 1), nullptr, 0, 0, descriptor});
  pump();
}

UringEngine::Batch* UringEngine::new_batch(std::uint64_t token, std::size_t operations) noexcept {
  ++under_way_;
  if (free_batches_.empty()) free_batches_.push_back(&batches_.emplace_back());
  Batch* batch = free_batches_.back();
  free_batches_.pop_back();
  *batch = {token, operations, 0, std::nullopt};
  return batch;
}

void UringEngine::queue(const Operation& operation) noexcept {
  if (free_operations_.empty()) free_operations_.push_back(&operations_.emplace_back());
  Operation* place = free_operations_.back();
  free_operations_.pop_back();
  *place = operation;
  backlog_.push_back(place);
}

void UringEngine::pump() noexcept {
  while (in_kernel_ < kDepth && !backlog_.empty()) {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) break;
    Operation* operation = backlog_.front();
    backlog_.pop_front();
    if (operation->memory == nullptr) {
      io_uring_prep_fsync(entry, operation->descriptor, IORING_FSYNC_DATASYNC);
    } else {
      io_uring_prep_write(entry, operation->descriptor, operation->memory,
                          static_cast<unsigned>(operation->bytes), operation->file_pos);
      // The kernel syncs it as soon as it is written: nobody has to wake up in between.
      if (operation->batch->sync_token) entry->rw_flags = RWF_DSYNC;
    }
    io_uring_sqe_set_data(entry, operation);
    ++in_kernel_;
  }
  // What the kernel does not take now (EAGAIN, EBUSY) stays in the queue for the next round.
  if (io_uring_sq_ready(&ring_) > 0) static_cast<void>(io_uring_submit(&ring_));
}

void UringEngine::take(Operation& operation, int result) noexcept {
  const bool sync = operation.memory == nullptr;
  const bool again = result == -EINTR || result == -EAGAIN ||
                     (result == -EINVAL && !sync && drop_direct(operation.descriptor));
  const std::uint64_t written = result > 0 ? static_cast<std::uint64_t>(result) : 0;
  if (again || (!sync && written > 0 && written < operation.bytes)) {
    if (!sync) {
      operation.memory += written;
      operation.bytes -= written;
      operation.file_pos += written;
    }
    backlog_.push_back(&operation);
    return;
  }
  if (!sync && result == 0) result = -EIO;  // nothing written and no reason given
  Batch& batch = *operation.batch;
  if (result < 0 && batch.result == 0) batch.result = result;
  free_operations_.push_back(&operation);
  if (--batch.operations_left == 0) finish(batch);
}

void UringEngine::finish(Batch& batch) noexcept {
  done_.push_back({batch.token, batch.result});
  if (batch.sync_token) done_.push_back({*batch.sync_token, batch.result < 0 ? -ECANCELED : 0});
  free_batches_.push_back(&batch);
}

void UringEngine::collect() noexcept {
  io_uring_cqe* entry = nullptr;
  while (io_uring_peek_cqe(&ring_, &entry) == 0) {
    auto* operation = static_cast<Operation*>(io_uring_cqe_get_data(entry));
    const int result = entry->res;
    io_uring_cqe_seen(&ring_, entry);
    if (operation == nullptr) continue;
    --in_kernel_;
    take(*operation, result);
  }
}

std::size_t UringEngine::reap(std::span<Completion> out,
                              std::chrono::nanoseconds timeout) noexcept {
  std::uint64_t events = 0;
  // Cleared before the look: what completes after it signals anew.
  [[maybe_unused]] const ssize_t cleared = ::read(event_, &events, sizeof events);
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    collect();
    pump();
    if (!done_.empty() || under_way_ == 0) break;
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) break;
    const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
    __kernel_timespec wait{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
    io_uring_cqe* entry = nullptr;
    static_cast<void>(io_uring_wait_cqe_timeout(&ring_, &entry, &wait));
  }
  std::size_t count = 0;
  for (; count < out.size() && !done_.empty(); ++count) {
    out[count] = done_.front();
    done_.pop_front();
  }
  under_way_ -= count;
  if (!done_.empty()) {
    events = 1;
    [[maybe_unused]] const ssize_t signalled = ::write(event_, &events, sizeof events);
  }
  return count;
}

}  // namespace ringway::storage
