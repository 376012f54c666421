#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include "daemon/supervisor_parts.hpp"
#include "daemon/topic.hpp"

namespace ringway::daemon {

/// Looks for itself where a client says that the log could not be read, as clients read segments
/// themselves and may say what they like. What it finds is the topic's damage. One place at a time
/// in a thread of its own, as a device may take long to refuse. A user who was wrong is not
/// listened to for a minute. Control thread.
class DamageCheck {
 public:
  explicit DamageCheck(const SupervisorParts& parts) : parts_(parts) {}
  ~DamageCheck();
  DamageCheck(const DamageCheck&) = delete;
  DamageCheck& operator=(const DamageCheck&) = delete;

  void look_at(const std::shared_ptr<Topic>& topic, std::uint32_t partition, std::uint64_t offset,
               std::uint32_t uid);

 private:
  using Time = std::chrono::steady_clock::time_point;

  struct Place {
    std::shared_ptr<Topic> topic;
    std::uint32_t partition;
    std::uint64_t offset;
    std::uint32_t uid;
  };

  bool is_listened_to(std::uint32_t uid);
  void look_at_next();
  void found(const Place& place, const std::shared_ptr<ServedTopic>& served,
             const std::optional<LogDamage::Range>& range);

  const SupervisorParts& parts_;
  std::deque<Place> places_;
  std::map<std::uint32_t, Time> not_before_;  ///< by uid
  std::thread thread_;                        ///< while it looks
};

}  // namespace ringway::daemon
