#pragma once

#include <map>
#include <mutex>

namespace ringway::test {

/// What a test may let fail.
enum class Call {
  open,
  read,
  write,
  sync,
  reserve,
  truncate,
  link,
  rename,
  remove,
  sync_directory,
  make_directories,
  list,
  batch_write,
  batch_sync
};

/// Which file calls fail, and how many there were. Any thread.
class FaultPlan {
 public:
  /// The nth call from now (1 = the next) fails with the errno, and with `lasting` all later ones.
  void fail(Call call, int nth, int error, bool lasting = false) {
    const std::lock_guard lock(mutex_);
    faults_[call] = {nth, error, lasting};
  }
  void heal() {
    const std::lock_guard lock(mutex_);
    faults_.clear();
  }
  /// How many calls were made to fail so far.
  int failures() const {
    const std::lock_guard lock(mutex_);
    return failures_;
  }
  /// How many calls of that kind there were so far, with those that failed.
  int calls(Call call) const {
    const std::lock_guard lock(mutex_);
    const auto found = calls_.find(call);
    return found == calls_.end() ? 0 : found->second;
  }
  /// A call is made: 0, or the negative errno that it is to return.
  int count(Call call) {
    const std::lock_guard lock(mutex_);
    ++calls_[call];
    const auto found = faults_.find(call);
    if (found == faults_.end()) return 0;
    Fault& fault = found->second;
    if (fault.countdown > 0) --fault.countdown;
    if (fault.countdown > 0) return 0;
    const int error = -fault.error;
    ++failures_;
    if (!fault.lasting) faults_.erase(found);
    return error;
  }

 private:
  struct Fault {
    int countdown;
    int error;
    bool lasting;
  };

  mutable std::mutex mutex_;
  std::map<Call, Fault> faults_;
  std::map<Call, int> calls_;
  int failures_ = 0;
};

}  // namespace ringway::test
