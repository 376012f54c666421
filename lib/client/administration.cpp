#include "client/administration.hpp"

#include <iterator>
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

std::shared_ptr<TopicMemory> Administration::memory(std::string_view topic) {
  control::Open request;
  request.topic = topic;
  request.role = layout::Role::consumer;
  const OpenHandle handle = state_->open(request, BusState::Patience::until_timeout);
  state_->close(handle);
  return handle.memory;
}

std::vector<control::CursorListing> Administration::cursors(std::string_view topic) {
  std::vector<control::CursorListing> cursors;
  control::ListCursors request{std::string(topic)};
  for (bool more = true; more;) {
    control::CursorList page = state_->call(request);
    more = page.more && !page.cursors.empty();
    if (more) request.after = page.cursors.back().name;
    std::move(page.cursors.begin(), page.cursors.end(), std::back_inserter(cursors));
  }
  return cursors;
}

control::TopicTrimmed Administration::trim(const control::TrimTopic& trim) {
  return state_->call(trim);
}

void Administration::change_access(const control::ChangeAccess& change) {
  state_->call(change);
}

std::vector<control::AccessEntry> Administration::access(std::string_view topic) {
  return state_->call(control::ListAccess{std::string(topic)}).entries;
}

}  // namespace ringway
