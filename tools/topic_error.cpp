#include "tools/topic_error.hpp"

#include <fmt/format.h>

#include "control/shell_word.hpp"
#include "control/topic_settings.hpp"

namespace ringway::cli {

std::string topic_thing(std::string_view topic) {
  return fmt::format("topic '{}'", topic);
}

Error advised(const Error& error, std::string_view topic) {
  if (error.code() != ErrorCode::not_found) return error;
  control::validate_topic_name(topic);  // what can never be there is not to be created
  return Error(ErrorCode::not_found, topic_thing(topic), "does not exist",
               "create it with: " + control::typed("ringway topic create", {topic}));
}

}  // namespace ringway::cli
