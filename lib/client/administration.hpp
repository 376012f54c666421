#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "control/messages.hpp"
#include "ringway/bus.hpp"

namespace ringway {

class TopicMemory;

/// What the command line asks a supervisor beyond what services need. Any thread, as for Bus; the
/// Bus may be destroyed before it. Everything throws ringway::Error.
class [[gnu::visibility("hidden")]] Administration {
 public:
  explicit Administration(const Bus& bus);

  /// The supervisor's report on itself.
  nlohmann::json status();
  /// Settings and state of a topic.
  control::TopicDescription describe(std::string_view topic);
  /// A topic's memory as a consumer has it, without being one any longer.
  std::shared_ptr<TopicMemory> memory(std::string_view topic);
  std::vector<control::CursorListing> cursors(std::string_view topic);
  /// Removes whole segments from the beginning of a topic's log, some partitions after the others:
  /// where it throws, those before are trimmed.
  std::vector<control::TrimmedPartition> trim(control::TrimTopic trim);
  void change_access(const control::ChangeAccess& change);
  std::vector<control::AccessEntry> access(std::string_view topic);

 private:
  std::shared_ptr<BusState> state_;
};

}  // namespace ringway
