#pragma once

#include <cstdint>
#include <vector>

#include "daemon/event_log.hpp"
#include "daemon/served_topic.hpp"

namespace ringway::daemon {

/// Log lines about one partition: each begins with whose it is.
class PartitionEvents {
 public:
  PartitionEvents(const EventLog& events, const ServedTopic& topic, std::uint32_t partition)
      : events_(events), topic_(topic), partition_(partition) {}

  void say(Severity severity, EventName event,
           std::initializer_list<LogField> fields) const {
    std::vector<LogField> all{{"topic", topic_.name()}, {"partition", partition_}};
    all.insert(all.end(), fields);
    events_.write(severity, event, all);
  }

 private:
  const EventLog& events_;
  const ServedTopic& topic_;
  std::uint32_t partition_;
};

}  // namespace ringway::daemon
