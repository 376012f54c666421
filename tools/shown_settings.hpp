#pragma once

#include <string>
#include <vector>

#include "ringway/topic.hpp"
#include "tools/output.hpp"

namespace ringway::cli {

struct ShownSetting {
  std::string heading;
  std::string name;  ///< in JSON
  Cell cell;
};

/// All settings of a topic, as people and programs are shown them.
std::vector<ShownSetting> shown_settings(const TopicSettings& settings);

}  // namespace ringway::cli
