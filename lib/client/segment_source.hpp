#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "client/bus_state.hpp"
#include "client/log_source.hpp"
#include "control/messages.hpp"
#include "log/segment_reader.hpp"
#include "storage/posix_file_system.hpp"

namespace ringway {

/// The log of one partition, read in this process out of segment files whose descriptors the
/// supervisor hands over. One cursor's; one thread at a time. While no supervisor answers, only the
/// segment at hand can be read.
class SegmentSource : public LogSource {
 public:
  SegmentSource(std::shared_ptr<BusState> bus, const shm::Uuid& topic, std::uint32_t partition);
  ~SegmentSource() override;

  LogChunk read(log::LogPoint at) noexcept override;
  LogChunk read_offset(std::uint64_t offset) noexcept override;
  TimePlace find_time(std::int64_t timestamp_ns) noexcept override;
  void expect(LogEnd end) noexcept override { end_ = end; }
  void rest() noexcept override;

 private:
  using Where = decltype(control::FindSegment::at);

  bool find(const Where& where);
  std::optional<LogChunk> look_for(std::uint64_t offset);
  LogChunk read_on(log::LogPoint at);
  void tell_unreadable(std::uint64_t offset) noexcept;
  void choose_read_ahead() noexcept;
  void report(const char* reason) noexcept;
  std::optional<std::uint64_t> look_for_time(std::int64_t timestamp_ns);
  template <class Read>
  Status guarded(Read&& read) noexcept;
  template <class Read>
  LogChunk guarded_chunk(Read&& read) noexcept;

  const std::shared_ptr<BusState> bus_;
  const shm::Uuid topic_;
  const std::uint32_t partition_;
  control::SegmentFound found_{};
  LogEnd end_ = LogEnd::rests;
  storage::ReadAhead read_ahead_{};  // of the reader's descriptor
  std::unique_ptr<log::SegmentReader> reader_;
  std::string reported_;
  std::optional<std::uint64_t> told_unreadable_;  // last, of what the supervisor was told
};

}  // namespace ringway
