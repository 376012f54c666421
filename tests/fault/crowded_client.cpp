// crowded_client SOCKET TOPIC: fills its address space with as many mappings as the kernel allows
// (vm.max_map_count), gives two of them back at a time, and opens the topic each time until it is
// let. In lines: mappings COUNT; ROLE refused WHY; ROLE opened. When all of them are gone it
// publishes a record, reads it and says so: read TEXT.

#include <sys/mman.h>

#include <cstdio>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>

#include "ringway/ringway.hpp"

using namespace ringway;

namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kMappingsMax = std::size_t{1} << 20;

/// Single pages whose neighbours have other rights, so that the kernel cannot join them.
class Crowd {
 public:
  Crowd()
      : begin_(static_cast<char*>(::mmap(nullptr, kMappingsMax * kPageBytes, PROT_NONE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
    if (begin_ == MAP_FAILED) throw std::runtime_error("no address space");
    while (bytes_ < kMappingsMax * kPageBytes &&
           ::mprotect(begin_ + bytes_, kPageBytes, PROT_READ) == 0) {
      bytes_ += 2 * kPageBytes;
    }
  }
  ~Crowd() { ::munmap(begin_, kMappingsMax * kPageBytes); }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  std::size_t mappings() const { return bytes_ / kPageBytes; }

  /// A page becomes like its neighbours: where three were, one is.
  void give_two_back() {
    bytes_ -= 2 * kPageBytes;
    if (::mprotect(begin_ + bytes_, kPageBytes, PROT_NONE) != 0) {
      throw std::runtime_error("they cannot be given back");
    }
  }

 private:
  char* begin_;
  std::size_t bytes_ = 0;
};

void say(const std::string& line) {
  std::puts(line.c_str());
}

void open_in_a_crowd(const std::string& role, const std::function<void()>& open) {
  Crowd crowd;
  say("mappings " + std::to_string(crowd.mappings()));
  for (;;) {
    try {
      open();
      return say(role + " opened");
    } catch (const Error& error) {
      say(role + " refused " + error.what());
    }
    crowd.give_two_back();
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) return 2;
  try {
    auto bus = Bus::connect({.socket = words[1]});
    const std::string topic = words[2];
    open_in_a_crowd("producer", [&] { static_cast<void>(bus.producer(topic)); });
    open_in_a_crowd("consumer", [&] { static_cast<void>(bus.consumer(topic, {.from = start()})); });
    auto producer = bus.producer(topic);
    if (producer.publish("crowded").status != Status::ok) return 1;
    auto consumer = bus.consumer(topic, {.from = start()});
    for (const RecordView& record : consumer.poll(1, std::chrono::seconds(60))) {
      say("read " + std::string(record.value()));
    }
    return 0;
  } catch (const std::exception& error) {
    say(std::string("error ") + error.what());
    return 1;
  }
}
