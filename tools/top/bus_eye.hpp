#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "client/administration.hpp"
#include "client/topic_memory.hpp"
#include "tools/command_line.hpp"
#include "tools/top/sample.hpp"
#include "tools/top/sessions.hpp"

namespace ringway::cli::top {

/// Takes samples of a bus: asks the supervisor now and then which topics there are, and reads their
/// boards, tails and sessions, which go on without one. Disturbs nobody: it only loads, and maps no
/// records. One thread.
class BusEye {
 public:
  /// How often the supervisor is asked.
  static constexpr std::chrono::seconds kAskEvery{2};

  explicit BusEye(const Common& common);

  /// Throws Error only for what no waiting helps against: denied, incompatible, usage.
  BusSample look();

 private:
  struct Watched {
    std::shared_ptr<TopicMemory> memory{};  ///< none: `trouble` says why
    std::string trouble{};
    std::uint32_t partitions = 0;
    std::map<std::string, std::uint64_t> cursors{};  ///< sums of offsets, as the supervisor said
    std::chrono::steady_clock::time_point try_again{};
  };

  void ask();
  void forget_topics_but(const std::vector<TopicSummary>& listed);
  void open(const std::string& name, Watched& watched);
  TopicSample sample(const std::string& name, Watched& watched);
  HandleSample sample(const Handle& handle, Watched& watched, const TopicSample& topic);
  void ask_for_cursors(const std::string& name, Watched& watched);
  std::string_view process_of(const layout::ProcessId& process);

  Common common_;
  std::optional<Bus> bus_;
  std::map<std::string, Watched> topics_;
  std::map<std::uint32_t, std::string_view> processes_;  // by pid, in one look
  Sessions sessions_;
  std::chrono::steady_clock::time_point next_ask_{};
  bool answers_ = false;
  bool wants_cursors_ = false;  // somebody's place is not visible
  std::string state_ = "not asked yet";
  std::uint64_t pid_ = 0, hidden_ = 0;
};

}  // namespace ringway::cli::top
