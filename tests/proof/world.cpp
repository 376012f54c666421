#include "proof/world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "client/administration.hpp"
#include "proof/violation.hpp"

namespace ringway::proof {
namespace {

using namespace std::chrono_literals;

std::string text_of(std::uint64_t value) {
  return fmt::format("v{}", value);
}

}  // namespace

World::World() {
  bus().create_topic("kept", {.partitions = 1, .ring_bytes = 64 * 1024});
  uuid_ = bus().topics().front().uuid;
  traffic_.emplace(daemon.socket(), "kept");
  kept_by_keeper_ = keepers_descriptors();
}

void World::publish_value() const {
  Bus own = bus();
  Producer producer = own.producer("kept");
  const auto [status, offset] = producer.publish(text_of(last_));
  if (status != Status::ok) throw Violation("another producer is refused");
  if (producer.wait(offset, Level::durable, kPatience) != Status::ok) {
    throw std::runtime_error("what is published does not become durable");
  }
  client_->told = true;
}

void World::was_told_of_value() {
  maybe_.erase(last_);
  told_.insert(last_);
  told_since_.insert(last_);
}

void World::publish() {
  choose_value();
  publish_value();
  was_told_of_value();
}

void World::commit_cursor() const {
  Bus own = bus();
  Consumer consumer = own.consumer("kept", {.from = start(), .cursor = "c"});
  static_cast<void>(consumer.poll(1, kPatience));
  if (consumer.commit() != Status::ok) throw std::runtime_error("not committed");
  client_->committed = consumer.position(0);
}

bool World::exists(const std::string& topic) const {
  for (const TopicSummary& summary : bus().topics()) {
    if (summary.name == topic) return true;
  }
  return false;
}

void World::memory_may_be_lost() {
  memory_may_be_lost_ = true;
  traffic_->memory_may_be_lost();
}

void World::check() {
  traffic_->must_go_on();
  const std::uint64_t published = traffic_->published();
  const auto until = std::chrono::steady_clock::now() + kPatience;
  do {
    publish();  // the next record of another producer
    checked_ = check_records(checked_, std::exchange(told_since_, {}));
    // The traffic's producer may not have noticed yet that its ring is lost.
  } while (checked_.number < published && memory_may_be_lost_ &&
           std::chrono::steady_clock::now() < until);
  if (checked_.number < published) {
    throw Violation(fmt::format("the traffic's records end at {} before {}, which was committed",
                                checked_.number, published));
  }
  traffic_->must_see(published);
  Bus own = bus();
  Consumer resumed = own.consumer("kept", {.from = start(), .cursor = "c"});
  if (resumed.position(0) < client_->committed) {
    throw Violation(fmt::format("a cursor stands at {}, and at {} it was committed",
                                resumed.position(0), client_->committed.load()));
  }
}

void World::check_from_the_start() {
  written_at_death_ = 0;  // of each death there was another: only their order is looked at
  static_cast<void>(check_records({}, told_));
}

World::Checked World::check_records(Checked from, std::set<std::uint64_t> values) const {
  Bus own = bus();
  Consumer consumer = own.consumer("kept", {.from = at_offset(from.offset)});
  for (std::uint64_t before = 0; before != last_;) {
    const RecordBatch batch = consumer.poll(1000, kPatience);
    // Where a ring was lost there is a gap to be passed, perhaps nothing else.
    const bool gap = batch.status() == Status::not_found && memory_may_be_lost_;
    if (batch.status() != Status::ok && !gap) {
      throw Violation(fmt::format("the records end behind offset {}: {}", from.offset,
                                  to_string(batch.status())));
    }
    for (const RecordView& record : batch) {
      if (record.offset() < from.offset) throw Violation("an offset names two records");
      from.offset = record.offset() + 1;
      if (const auto number = Traffic::number_of(record.value())) {
        const std::uint64_t next = from.number + 1;
        const bool may_lack = memory_may_be_lost_ && next > written_at_death_;
        if (*number < next || (*number != next && !may_lack)) {
          throw Violation(fmt::format("record {} follows {} at offset {}", *number, from.number,
                                      record.offset()));
        }
        from.number = *number;
        continue;
      }
      const std::uint64_t value = std::stoull(std::string(record.value().substr(1)));
      if (value <= before || (values.erase(value) == 0 && !maybe_.contains(value))) {
        throw Violation(fmt::format("value {} is there and should not be", value));
      }
      before = value;
      if (value == last_) break;
    }
  }
  if (!values.empty()) throw Violation(fmt::format("value {} is lost", *values.begin()));
  return from;
}

void World::check_nothing_is_left() const {
  for (const auto& entry : std::filesystem::directory_iterator(daemon.state_dir() + "/topics")) {
    if (entry.path().filename() != uuid_) {
      throw Violation(fmt::format("{} is left over", entry.path().string()));
    }
  }
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (keepers_descriptors() > kept_by_keeper_) {
    if (std::chrono::steady_clock::now() > until) {
      throw Violation(fmt::format("the keeper holds {} descriptors, not {}", keepers_descriptors(),
                                  kept_by_keeper_));
    }
    std::this_thread::sleep_for(5ms);
  }
}

void World::await_gone(pid_t client) const {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  Bus own = bus();
  const auto is_shown = [&] {
    const auto report = Administration(own).status();
    return std::ranges::any_of(report.at("sessions"),
                               [&](const auto& session) { return session.at("pid") == client; });
  };
  while (is_shown()) {
    if (std::chrono::steady_clock::now() > until) throw Violation("a dead client holds handles");
    std::this_thread::sleep_for(1ms);
  }
}

void World::await_another_keeper(pid_t than) const {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  for (pid_t keeper = than; keeper == than || keeper < 0; keeper = daemon.keeper()) {
    if (std::chrono::steady_clock::now() > until) throw Violation("no keeper follows a dead one");
    std::this_thread::sleep_for(1ms);
  }
  static_cast<void>(exists("kept"));  // answered when it has been given everything
}

std::size_t World::keepers_descriptors() const {
  std::error_code ignored;
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", daemon.keeper()), ignored)) {
    ++count;
  }
  return count;
}

}  // namespace ringway::proof
