#include "client/administration.hpp"

#include <nlohmann/json.hpp>

#include "client/bus_calls.hpp"

namespace ringway {

Administration::Administration(const Bus& bus) : state_(bus.state_) {}

nlohmann::json Administration::status() {
  return state_->call(control::GetStatus{}).report;
}

control::TopicDescription Administration::describe(std::string_view topic) {
  return state_->call(control::DescribeTopic{std::string(topic)});
}

std::vector<control::CursorListing> Administration::cursors(std::string_view topic) {
  return state_->call(control::ListCursors{std::string(topic)}).cursors;
}

void Administration::delete_cursor(std::string_view topic, std::string_view cursor) {
  state_->call(control::DeleteCursor{std::string(topic), std::string(cursor)});
}

}  // namespace ringway
