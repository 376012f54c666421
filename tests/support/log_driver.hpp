#pragma once

#include <memory>
#include <string>

#include "log/partition_log.hpp"
#include "log/recovery.hpp"
#include "support/record_source.hpp"

namespace ringway::test {

inline constexpr const char* kDirectory = "p";

/// A flusher in small: carries what a RecordSource holds into a PartitionLog, step by step.
class LogDriver {
 public:
  LogDriver(storage::FileSystem& file_system, storage::WriteEngine& engine, RecordSource& source,
            const log::LogSettings& settings, const log::LogStart& start,
            const std::string& directory = kDirectory)
      : engine_(engine),
        source_(source),
        log_(file_system, engine, directory, identity(), settings, start) {}

  static log::LogIdentity identity() { return {{7, 7, 7}, 3, 1}; }

  log::PartitionLog& log() { return log_; }
  log::LogPoint written() const { return written_; }
  log::LogPoint durable() const { return durable_; }
  int last_error() const { return last_error_; }

  void note_up_to(log::LogPoint tail) {
    while (log_.noted().position < tail.position &&
           log_.note(source_.header_at(log_.noted().position))) {
    }
  }
  int submit() {
    const int result = log_.can_submit() ? log_.submit(source_.stream(), ++now_ns, kWrite) : 0;
    if (result < 0) last_error_ = result;
    return result;
  }
  /// With its sync, where that may be.
  int submit_synced() {
    if (!log_.can_submit() || !log_.can_sync_with()) return 0;
    const int result = log_.submit(source_.stream(), ++now_ns, kWrite, kSync);
    if (result < 0) last_error_ = result;
    return result;
  }
  void sync() {
    if (log_.can_sync()) static_cast<void>(log_.submit_sync(kSync));
  }
  /// Takes completions while there are any, or just the next one.
  bool reap_one() {
    storage::Completion completion;
    if (engine_.reap({&completion, 1}, std::chrono::seconds(5)) == 0) return false;
    if (completion.token == kWrite) log_.wrote(completion.result);
    if (completion.token == kSync) log_.synced(completion.result);
    if (completion.result < 0) last_error_ = completion.result;
    advance(written_, log_.written());
    advance(durable_, log_.durable());
    if (log_.error() != 0 && log_.idle()) log_.restart();
    return true;
  }
  void settle() {
    while (reap_one()) {
    }
  }
  /// Lets the file name its durable end.
  void confirm() {
    if (log_.can_confirm()) {
      static_cast<void>(log_.submit(source_.stream(), ++now_ns, kWrite));
      settle();
    }
  }
  /// Everything the source holds, durable.
  void drain() {
    for (int round = 0; log_.durable() != source_.tail() && round < 1000; ++round) {
      note_up_to(source_.tail());
      static_cast<void>(submit());
      settle();
      sync();
      settle();
    }
  }

  std::int64_t now_ns = 1'000;

 private:
  static constexpr std::uint64_t kWrite = 1;
  static constexpr std::uint64_t kSync = 2;
  static void advance(log::LogPoint& mark, log::LogPoint to) {
    if (to.position > mark.position) mark = to;
  }

  storage::WriteEngine& engine_;
  RecordSource& source_;
  log::PartitionLog log_;
  log::LogPoint written_;
  log::LogPoint durable_;
  int last_error_ = 0;
};

}  // namespace ringway::test
