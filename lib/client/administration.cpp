#include "client/administration.hpp"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "client/bus_calls.hpp"

namespace ringway {
namespace {

constexpr std::uint32_t kTrimmedAtOnce = 256;

}  // namespace

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

std::vector<control::TrimmedPartition> Administration::trim(control::TrimTopic trim) {
  std::vector<control::TrimmedPartition> partitions;
  trim.max = kTrimmedAtOnce;
  for (bool more = true; more;) {
    control::TopicTrimmed page;
    try {
      page = state_->call(trim);
    } catch (const Error& error) {
      if (trim.first == 0 || trim.dry_run) throw;
      throw Error(error.code(), error.thing(),
                  fmt::format("{} (partitions 0 to {} are trimmed)", error.rule(), trim.first - 1),
                  error.fix());
    }
    more = page.next > trim.first;
    if (more) trim.first = *page.next;
    std::move(page.partitions.begin(), page.partitions.end(), std::back_inserter(partitions));
  }
  return partitions;
}

void Administration::change_access(const control::ChangeAccess& change) {
  state_->call(change);
}

std::vector<control::AccessEntry> Administration::access(std::string_view topic) {
  return state_->call(control::ListAccess{std::string(topic)}).entries;
}

}  // namespace ringway
