#pragma once

#include "control/topic_settings.hpp"
#include "ringway/topic.hpp"

namespace ringway {

/// Between what services see and what is said on the control socket.
control::TopicSettings to_control(const TopicSettings& settings);
TopicSettings from_control(const control::TopicSettings& settings);

}  // namespace ringway
