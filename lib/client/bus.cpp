// Bus, as services see it.

#include "ringway/bus.hpp"

#include "client/bus_calls.hpp"
#include "client/consumer_state.hpp"
#include "client/default_socket.hpp"
#include "client/forked.hpp"
#include "client/producer_state.hpp"
#include "shm/uuid.hpp"

namespace ringway {

Bus Bus::connect(ConnectOptions options) {
  return Bus(std::make_shared<BusState>(
      options.socket.empty() ? default_socket() : std::move(options.socket), options.timeout,
      std::move(options.log)));
}

Bus::Bus(std::shared_ptr<BusState> state) noexcept : state_(std::move(state)) {}
Bus::Bus(Bus&&) noexcept = default;
Bus& Bus::operator=(Bus&& other) noexcept {
  if (this != &other) {
    release(state_);
    state_ = std::move(other.state_);
  }
  return *this;
}
Bus::~Bus() {
  release(state_);
}

void Bus::create_topic(std::string_view name, const TopicChoices& choices) {
  state_->call(control::CreateTopic{std::string(name), choices});
}

void Bus::alter_topic(std::string_view name, const TopicChoices& choices) {
  state_->call(control::AlterTopic{std::string(name), choices});
}

void Bus::delete_topic(std::string_view name) {
  state_->call(control::DeleteTopic{std::string(name)});
}

void Bus::delete_cursor(std::string_view topic, std::string_view cursor) {
  state_->call(control::DeleteCursor{std::string(topic), std::string(cursor)});
}

std::vector<TopicSummary> Bus::topics() {
  std::vector<TopicSummary> topics;
  control::ListTopics request;
  for (bool more = true; more;) {
    const control::TopicList page = state_->call(request);
    for (const control::TopicListing& topic : page.topics) {
      topics.push_back({topic.name, shm::to_string(topic.uuid), topic.partitions,
                        topic.mode == layout::TopicMode::persisted});
    }
    more = page.more && !page.topics.empty();
    if (more) request.after = page.topics.back().name;
  }
  return topics;
}

TopicSettings Bus::settings(std::string_view topic) {
  return state_->call(control::DescribeTopic{std::string(topic)}).settings;
}

Producer Bus::producer(std::string_view topic, ProducerOptions options) {
  return Producer(std::make_shared<ProducerState>(state_, std::string(topic), options));
}

Consumer Bus::consumer(std::string_view topic, ConsumerOptions options) {
  return Consumer(std::make_shared<ConsumerState>(state_, std::string(topic), options));
}

const std::string& Bus::socket() const noexcept {
  return state_->socket();
}

}  // namespace ringway
