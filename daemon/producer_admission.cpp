#include "daemon/producer_admission.hpp"

#include <fmt/format.h>

#include <boost/asio/steady_timer.hpp>
#include <chrono>

namespace ringway::daemon {
namespace {

/// An owner that shares does so within moments. Clients ask again.
constexpr std::chrono::milliseconds kPatience{250};

Error busy(const Topic& topic, std::uint32_t pid, bool exclusive) {
  const std::string thing = fmt::format("topic '{}'", topic.row.name);
  if (exclusive) {
    return Error(ErrorCode::busy, thing,
                 fmt::format("cannot be held exclusively: pid {} produces to it", pid),
                 "open it without exclusive, or when that producer is closed");
  }
  return Error(ErrorCode::busy, thing,
               fmt::format("is held exclusively by pid {}, which does not give way", pid),
               "see whether that process is stopped in mid-claim: let it go on, or end it");
}

/// An open that waits until something changes.
struct Waiting {
  explicit Waiting(boost::asio::io_context& io) : timer(io) {}
  boost::asio::steady_timer timer;
  std::shared_ptr<OpenProducers::Wake> wake;
};

}  // namespace

bool ProducerAdmission::admits(const std::shared_ptr<Topic>& topic, bool exclusive, Later later) {
  const OpenProducers& producers = topic->producers;
  if (!exclusive && !producers.owner()) return true;
  std::uint32_t in_the_way = 0;
  for (const auto& [handle, producer] : OpenProducers::Producers(producers.all())) {
    if (!exclusive && !producer.exclusive) continue;
    in_the_way = producer.pid;
    // Its death may be news to us: then its release has begun now.
    const bool stays = !producer.leaving && !sessions_.is_dead(producer.session);
    if (stays && exclusive) throw busy(*topic, in_the_way, exclusive);
    if (stays) ask_to_share(topic, handle);
  }
  if (in_the_way == 0) return true;

  const auto waiting = std::make_shared<Waiting>(io_);
  waiting->wake = std::make_shared<OpenProducers::Wake>(
      [again = std::move(later.again), weak = std::weak_ptr(waiting)] {
        // Once, and not beside the refusal.
        if (const auto still = weak.lock(); still && still->timer.cancel() > 0) again();
      });
  topic->producers.when_changed(waiting->wake);
  waiting->timer.expires_after(kPatience);
  waiting->timer.async_wait(
      [waiting, refusal = busy(*topic, in_the_way, exclusive),
       refused = std::move(later.refused)](const boost::system::error_code& cancelled) {
        if (!cancelled) refused(refusal);
      });
  return false;
}

void ProducerAdmission::ask_to_share(const std::shared_ptr<Topic>& topic, std::uint64_t owner) {
  topic->producers.asked_to_share(owner);  // in whatever ring it has, and when it moves
  parts_.flusher.share(topic->served, [post = parts_.post, topic, owner] {
    post([topic, owner] {
      const auto found = topic->producers.all().find(owner);
      if (found == topic->producers.all().end() || !found->second.exclusive) return;
      // Before the next one's entry: another supervisor must not find two and one exclusive.
      topic->served->memory().attachments()[found->second.attachment].flags.fetch_and(
          ~std::uint32_t{layout::kExclusive}, std::memory_order::relaxed);
      for (const auto& wake : topic->producers.shared(owner)) (*wake)();
    });
  });
}

}  // namespace ringway::daemon
