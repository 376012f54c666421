#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/memory_store.hpp"
#include "daemon/topic_registry.hpp"
#include "daemon/without_topic.hpp"
#include "ringway/error.hpp"
#include "shm/process.hpp"
#include "support/failing_file_system.hpp"
#include "support/temporary_directory.hpp"
#include "unit/ring_fixture.hpp"

namespace ringway::test {

using namespace ringway::daemon;

/// What outlives a supervisor: its disk, its keeper, and what it said.
struct RegistryHost {
  RegistryHost() {
    config.state_dir = directory.path();
    config.handles_per_topic_max = 8;
  }

  /// How often it said that of the topic.
  std::ptrdiff_t count(std::string_view event, std::string_view topic) {
    const std::lock_guard lock(mutex);
    return std::ranges::count_if(lines, [&](const std::string& line) {
      return line.find(event) != line.npos && line.find("topic=" + std::string(topic)) != line.npos;
    });
  }
  bool says(std::string_view event, std::string_view topic) { return count(event, topic) > 0; }
  std::set<std::string> kept() {
    std::set<std::string> names;
    for (const KeptDescriptor& one : keeper.list()) names.insert(one.name);
    return names;
  }
  std::filesystem::path topics() const { return config.state_dir / "topics"; }

  TemporaryDirectory directory{"/dev/shm"};  // a sync of it costs nothing
  FailingFileSystem files;
  MemoryStore keeper;
  Config config;
  std::uint64_t memory_limit = std::uint64_t{1} << 30;
  std::mutex mutex;
  std::vector<std::string> lines;
  EventLog log{[this](const Event& event) {
    const std::lock_guard lock(mutex);
    lines.emplace_back(line_of(event));
  }};
};

/// The topics of a supervisor and everything that they need, without its clients and its clock: a
/// test makes the control thread's rounds. Made, it has started; destroyed, it has died.
class RegistryLife {
 public:
  explicit RegistryLife(RegistryHost& host)
      : host_(host),
        keepsakes_([&host] { return std::make_unique<Keeper>(host.keeper); }, host.log),
        flusher_(std::make_unique<Flusher>(Flusher::Options{
            .file_system = host.files, .doorbells = doorbells_, .events = host.log})),
        parts_{.config = host.config,
               .log = host.log,
               .file_system = host.files,
               .catalog = catalog_,
               .keepsakes = keepsakes_,
               .flusher = *flusher_,
               .self = shm::own_identity(),
               .epoch = catalog_.begin_epoch(),
               .post = [this](std::function<void()> work) { post(std::move(work)); }},
        registry_(parts_, host.memory_limit) {
    // As Supervisor does.
    std::map<std::string, KeptDescriptor> kept;
    for (KeptDescriptor& one : keepsakes_.list()) kept.emplace(one.name, std::move(one));
    // Whatever a crash leaves, it is nothing that the catalog ought to know.
    CHECK(rings_without_topic(kept, catalog_.topics()).empty());
    CHECK(logs_without_topic(host.topics(), catalog_.topics()).empty());
    if (registry_.load(kept)) keepsakes_.hold(kept);
    registry_.remember_retired();
    registry_.serve();
    for (const auto& [name, one] : kept) keepsakes_.drop(name);
    static_cast<void>(registry_.resume_replacements());  // the next tick's are the same
  }
  ~RegistryLife() { flusher_.reset(); }

  TopicRegistry& registry() { return registry_; }
  Catalog& catalog() { return catalog_; }
  /// What whoever is to share this control thread needs.
  const SupervisorParts& parts() const { return parts_; }

  /// Asks for a topic and waits for it. @throws what it is refused by.
  std::shared_ptr<Topic> create(const std::string& name, const TopicSettings& settings) {
    std::shared_ptr<Topic> created;
    std::exception_ptr refused;
    registry_.create(name, settings, {.uid = ::geteuid()},
                     [&](const std::shared_ptr<Topic>& topic, std::exception_ptr why) {
                       created = topic;
                       refused = why;
                     });
    run_until([&] { return created != nullptr; });
    if (refused) std::rethrow_exception(refused);
    return created;
  }

  /// Runs what was handed to the control thread, until `reached`.
  void run_until(const std::function<bool()>& reached) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!reached()) {
      std::unique_lock lock(mutex_);
      came_.wait_for(lock, std::chrono::microseconds(200), [&] { return !posted_.empty(); });
      lock.unlock();
      if (!run_one() && std::chrono::steady_clock::now() > deadline) FAIL("never came");
    }
  }
  /// The next of it; false: there is none.
  bool run_one() {
    std::unique_lock lock(mutex_);
    if (posted_.empty()) return false;
    const auto work = std::move(posted_.front());
    posted_.pop_front();
    lock.unlock();
    work();
    return true;
  }
  /// When so much was handed over that has not run.
  void await_work(std::size_t count = 1) {
    std::unique_lock lock(mutex_);
    came_.wait(lock, [&] { return posted_.size() >= count; });
  }

  /// One record into each partition, by a producer of its own.
  std::vector<ring::Claimed> publish(const Topic& topic, std::span<const std::string> payloads) {
    const auto [handle, slots] = attach_producer(topic);
    std::promise<void> released;
    std::vector<ring::Claimed> claims;
    for (std::uint32_t p = 0; p < payloads.size(); ++p) {
      ring::test::PlainWriter writer(topic.served->view(p), slots->at(p));
      claims.push_back(ring::test::publish_record(writer, payloads[p]));
    }
    topic.served->memory().bell().sleepers.exchange(0);
    ring_doorbell(doorbell_.get());
    flusher_->release(topic.served, handle, [&](std::uint32_t) { released.set_value(); });
    released.get_future().wait();
    return claims;
  }

  /// A producer claims, and stands still.
  void claim(const Topic& topic, std::uint32_t partition) {
    const auto [handle, slots] = attach_producer(topic);
    ring::test::PlainWriter writer(topic.served->view(partition), slots->at(partition));
    CHECK(writer.try_claim(layout::record_bytes(8, 0, 0), 1).status == Status::ok);
  }

  /// The keeper dies: all that its successor gets is there, and nothing else.
  void replace_keeper() {
    const std::set<std::string> before = host_.kept();
    host_.keeper.end();
    keepsakes_.replace();
    CHECK(host_.kept() == before);
  }

 private:
  /// Outlives who puts something there.
  class Keeper final : public DescriptorStore {
   public:
    explicit Keeper(MemoryStore& store) : store_(store) {}
    void put(const std::string& name, const nlohmann::json& meta, int fd) override {
      store_.put(name, meta, fd);
    }
    void drop(const std::string& name) override { store_.drop(name); }
    std::vector<KeptDescriptor> list() override { return store_.list(); }
    void end() override { store_.end(); }
    int death_fd() const noexcept override { return -1; }
    std::string_view kind() const noexcept override { return "process"; }

   private:
    MemoryStore& store_;
  };

  std::pair<std::uint64_t, std::shared_ptr<std::vector<layout::Slot>>> attach_producer(
      const Topic& topic) {
    const auto slots = std::make_shared<std::vector<layout::Slot>>(topic.settings.partitions);
    std::promise<void> attached;
    flusher_->attach(
        topic.served,
        {++last_handle_, layout::Role::producer, 4711, slots->data(), slots, true, false},
        [&] { attached.set_value(); });
    attached.get_future().wait();
    return {last_handle_, slots};
  }

  void post(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
    came_.notify_one();
  }

  RegistryHost& host_;
  Catalog catalog_{host_.config.state_dir / "catalog.db"};
  Keepsakes keepsakes_;
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<std::function<void()>> posted_;
  Doorbells doorbells_;
  shm::Descriptor doorbell_ = doorbells_.make();
  std::unique_ptr<Flusher> flusher_;  // its thread calls post()
  SupervisorParts parts_;
  TopicRegistry registry_;
  std::uint64_t last_handle_ = 0;
};

}  // namespace ringway::test
