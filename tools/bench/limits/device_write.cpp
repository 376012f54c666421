#include "tools/bench/limits/device_write.hpp"

#include <fmt/format.h>
#include <liburing.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <ringway/error.hpp>

#include "tools/bench/content.hpp"
#include "tools/bench/measurement.hpp"
#include "tools/bench/shared_pages.hpp"
#include "tools/quantity.hpp"

namespace ringway::cli {
namespace {

struct WriteWay {
  std::uint64_t block_bytes;
  unsigned depth;
};
constexpr WriteWay kWriteWays[kDeviceWriteVariants] = {
    {256 << 10, 16}, {256 << 10, 64}, {1 << 20, 4}, {1 << 20, 16}};

/// How far the writer has come; by the writer.
struct alignas(128) SentHead {
  std::atomic<std::uint64_t> bytes{0};
};

/// The ring that is written, as slots that stand behind each other from its begin.
class SlotBuffer {
 public:
  SlotBuffer(const SharedPages& pages, const DeviceWriteShape& shape) noexcept
      : pages_(pages), slot_bytes_(shape.slot_bytes), slots_(pages.bytes() / slot_bytes_) {}

  void fill() const noexcept {
    for (std::uint64_t slot = 0; slot < slots_; ++slot) {
      content::fill(pages_.data() + slot * slot_bytes_, slot_bytes_, slot);
    }
  }
  std::uint64_t differences(std::uint64_t slot) const noexcept {
    const std::uint64_t place = slot % slots_;
    return content::differences(pages_.data() + place * slot_bytes_, slot_bytes_, place);
  }
  /// Behind that slot, in bytes of all laps; what is left of the ring behind the last one is
  /// nobody's.
  std::uint64_t end_of(std::uint64_t slot) const noexcept {
    return slot / slots_ * pages_.bytes() + (slot % slots_ + 1) * slot_bytes_;
  }

 private:
  const SharedPages& pages_;
  std::uint64_t slot_bytes_;
  std::uint64_t slots_;
};

class DeepWriter {
 public:
  DeepWriter(int fd, const SharedPages& ring, const WriteWay& way)
      : fd_(fd),
        ring_(ring),
        block_bytes_(std::min<std::uint64_t>(way.block_bytes, ring.bytes())),
        depth_(way.depth) {
    if (const int result = io_uring_queue_init(depth_, &queue_, 0); result < 0) {
      throw system_error(-result, "io_uring", "no queue can be made");
    }
  }
  DeepWriter(const DeepWriter&) = delete;
  DeepWriter& operator=(const DeepWriter&) = delete;
  ~DeepWriter() { io_uring_queue_exit(&queue_); }

  void write(std::uint64_t bytes, SentHead& head) {
    std::uint64_t sent = 0;
    unsigned under_way = 0;
    while (sent < bytes || under_way > 0) {
      for (; sent < bytes && under_way < depth_; ++under_way, sent += block_bytes_) send(sent);
      head.bytes.store(sent, std::memory_order::release);
      const int result = io_uring_submit_and_wait(&queue_, 1);
      if (result < 0 && result != -EINTR) throw system_error(-result, "io_uring", "submit");
      under_way -= reap();
    }
  }

 private:
  void send(std::uint64_t at) {
    io_uring_sqe* entry = io_uring_get_sqe(&queue_);
    if (entry == nullptr) throw Error(ErrorCode::failed, "io_uring", "has no entry left", "");
    io_uring_prep_write(entry, fd_, ring_.data() + at % ring_.bytes(),
                        static_cast<unsigned>(block_bytes_), at);
  }
  unsigned reap() {
    unsigned reaped = 0;
    io_uring_cqe* done = nullptr;
    while (io_uring_peek_cqe(&queue_, &done) == 0) {
      const int result = done->res;
      io_uring_cqe_seen(&queue_, done);
      if (result < 0) throw system_error(-result, "scratch file", "write");
      if (static_cast<std::uint64_t>(result) != block_bytes_) {
        throw Error(ErrorCode::failed, "scratch file", "a block was written in part", "make room");
      }
      ++reaped;
    }
    return reaped;
  }

  int fd_;
  const SharedPages& ring_;
  std::uint64_t block_bytes_;
  unsigned depth_;
  io_uring queue_{};
};

Work check_slots(const SlotBuffer& buffer, std::uint64_t bytes, const SentHead& head) {
  std::uint64_t slot = 0, sent = 0, differences = 0;
  for (const WorkWatch watch;; ++slot) {
    const std::uint64_t end = buffer.end_of(slot);
    if (end > bytes) {
      if (differences == 0) return watch.work(slot);
      throw Error(ErrorCode::failed, "a slot of the buffer", "is not what was filled in", "");
    }
    while (sent < end) sent = head.bytes.load(std::memory_order::acquire);
    differences |= buffer.differences(slot);
  }
}

Measured write_one_way(const CpuPair& cpus, const DeviceWriteShape& shape, const WriteWay& way) {
  const std::uint64_t block = std::min<std::uint64_t>(way.block_bytes, shape.ring_bytes);
  const std::uint64_t bytes = (shape.file_bytes + block - 1) / block * block;
  const ScratchFile file(shape.place, bytes, shape.blocks);
  const SharedPages ring(shape.ring_bytes), head_page(sizeof(SentHead));
  SentHead& head = *new (head_page.data()) SentHead;
  const SlotBuffer buffer(ring, shape);
  const std::vector<Part<Work>> parts{{"device, writer", cpus.first,
                                       [&](Stand& stand) {
                                         DeepWriter writer(file.direct_fd(), ring, way);
                                         ring.populate();
                                         buffer.fill();
                                         stand.ready();
                                         const WorkWatch watch;
                                         writer.write(bytes, head);
                                         return watch.work(bytes / shape.slot_bytes);
                                       }},
                                      {"device, reader", cpus.second, [&](Stand& stand) {
                                         ring.populate();
                                         stand.ready();
                                         return check_slots(buffer, bytes, head);
                                       }}};
  const std::vector<Work> work = measure_whole(parts);
  return {.figures = throughput({work[0]}, {work[1]}, shape.slot_bytes),
          .variant = fmt::format("{} x {}, {} blocks", way.depth, format_size(way.block_bytes),
                                 name_of(shape.blocks)),
          .more = {{"bytes", bytes}}};
}

}  // namespace

std::vector<Measured> device_write_variants(const CpuPair& cpus, const DeviceWriteShape& shape) {
  std::vector<Measured> measured;
  for (const WriteWay& way : kWriteWays) measured.push_back(write_one_way(cpus, shape, way));
  settle(shape.place);
  return measured;
}

}  // namespace ringway::cli
