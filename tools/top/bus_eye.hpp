#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/administration.hpp"
#include "client/topic_memory.hpp"
#include "tools/command_line.hpp"
#include "tools/process_state.hpp"
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
    std::vector<control::CursorListing> cursors{};  ///< as the supervisor said
    std::chrono::steady_clock::time_point try_again{};
  };

  void ask();
  void forget_topics_but(const std::vector<TopicSummary>& listed);
  enum class Cursors : unsigned char { as_known, asked };
  void open(const std::string& name, Watched& watched, Cursors cursors);
  TopicSample sample(const std::string& name, Watched& watched);
  HandleSample sample(const Handle& handle, Watched& watched, const TopicSample& topic);
  static const control::CursorListing* cursor_of(const Watched& watched, std::string_view name);
  static HandleSample unattached(const control::CursorListing& cursor, const TopicSample& topic);
  std::string_view process_of(const layout::ProcessId& process);

  Common common_;
  std::optional<Bus> bus_;
  std::map<std::string, Watched> topics_;
  std::map<std::uint32_t, std::string_view> processes_;  // by pid, in one look
  Recorded recorded_ = Recorded::somewhere;  // here: the supervisor was seen alive
  Sessions sessions_;
  std::chrono::steady_clock::time_point next_ask_{};
  bool answers_ = false;
  std::string state_ = "not asked yet";
  std::uint64_t pid_ = 0, hidden_ = 0;
  std::size_t asked_ = 0;  ///< so often
};

}  // namespace ringway::cli::top
