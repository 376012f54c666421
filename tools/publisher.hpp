#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ringway/producer.hpp"
#include "tools/record_source.hpp"
#include "tools/stop_signal.hpp"

namespace ringway::cli {

/// Publishes what `produce` reads, says on standard error what it waits for, and remembers what has
/// to reach a level yet. Every record is committed when publish() returns, so that a
/// slow input is followed line by line. Owned by one verb, used by one thread; producer and signal
/// outlive it.
class Publisher {
 public:
  struct Options {
    std::string topic = {};
    std::vector<Header> headers = {};  ///< of every record; views that outlive the publisher
    Level level = Level::committed;
    std::chrono::nanoseconds patience = std::chrono::seconds(10);  ///< once asked to stop
  };

  Publisher(Producer& producer, const StopSignal& stop, Options options);

  /// Waits while the ring is full. Throws Error: too large, deleted, damaged; timeout when asked to
  /// stop and the ring stays full.
  void publish(const InputRecord& record);
  /// The same of any record; the options' timeout is the publisher's own.
  void publish(std::string_view value, PublishOptions options);
  /// Waits until everything published has reached the level. Throws Error: something of it never
  /// will; timeout when asked to stop and it has not.
  void wait();

  std::uint64_t records() const noexcept { return records_; }
  std::uint64_t bytes() const noexcept { return bytes_; }  ///< of keys and values

 private:
  /// How long one wait may take before its reason is looked at.
  std::chrono::nanoseconds step();
  void await_later(RecordOffset offset);
  void await(RecordOffset offset);
  bool out_of_patience() const noexcept;
  void say_why(std::string_view attempted);
  [[noreturn]] void fail(Status status, std::string_view attempted) const;

  Producer& producer_;
  const StopSignal& stop_;
  const Options options_;
  std::uint64_t records_ = 0;
  std::uint64_t bytes_ = 0;
  std::vector<std::optional<RecordOffset>> last_;  // by partition
  std::vector<RecordOffset> logged_;               // where the log decides
  std::string said_;
  bool said_ending_ = false;
  std::optional<std::chrono::steady_clock::time_point> stop_deadline_;
};

}  // namespace ringway::cli
