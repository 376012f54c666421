#include "daemon/topic_duty.hpp"

#include <algorithm>
#include <utility>

#include "shm/barrier.hpp"
#include "shm/park.hpp"

namespace ringway::daemon {

namespace {

/// Between two rounds while records come in: short enough for `committed`, long enough to leave
/// producers' cache lines alone.
constexpr std::chrono::microseconds kRoundPause{1000};
/// The shortest that is worth sleeping.
constexpr std::chrono::microseconds kShortPause{100};
/// Where nothing has come for so long and it is still awake, a pin or a claim holds it up: nobody
/// rings when that ends, so it is looked at, but less often.
constexpr std::chrono::milliseconds kHeldAfter{100};
constexpr std::chrono::milliseconds kHeldPause{10};
/// A topic without a record for this long asks to be rung.
constexpr std::chrono::milliseconds kQuietAfter{10};
constexpr std::chrono::seconds kTroubleEvery{1};
/// So many of a topic's tails are looked at in each millisecond in which others are awake: enough
/// for ten thousand within 10 ms, and few enough to cost nothing beside the rounds.
constexpr int kTailsAPause = 1000;

std::vector<std::unique_ptr<PartitionDuty>> duties_of(ServedTopic& topic,
                                                      storage::FileSystem& file_system,
                                                      storage::WriteEngine& engine,
                                                      const EventLog& events) {
  std::vector<std::unique_ptr<PartitionDuty>> duties;
  for (std::uint32_t p = 0; p < topic.partitions(); ++p) {
    duties.push_back(std::make_unique<PartitionDuty>(topic, p, file_system, engine, events));
  }
  return duties;
}

}  // namespace

TopicDuty::TopicDuty(std::shared_ptr<ServedTopic> topic, storage::FileSystem& file_system,
                     storage::WriteEngine& engine, const EventLog& events)
    : topic_(std::move(topic)),
      events_(events),
      partitions_(duties_of(*topic_, file_system, engine, events)),
      rest_(partitions_) {
  for (const HandleSlots& handle : topic_->adopted_handles) know(handle);
}

void TopicDuty::attach(const HandleSlots& handle) {
  if (handle.exclusive) {
    // Nobody else produces, so nobody waits. Relaxed: the client learns of its slots by a message.
    for (std::uint32_t p = 0; p < topic_->partitions(); ++p) {
      topic_->view(p).share_wanted().store(0, std::memory_order::relaxed);
    }
  }
  know(handle);
  if (draining_) want_sharing();
}

void TopicDuty::know(const HandleSlots& handle) {
  for (auto& partition : partitions_) partition->attach(handle);
  keep_alive_[handle.handle] = handle.keep_alive;
}

void TopicDuty::want_sharing() {
  bool needs_barrier = false;
  for (auto& partition : partitions_) needs_barrier |= partition->want_sharing();
  if (needs_barrier && shm::ProcessBarrier::instance().issue()) {
    for (auto& partition : partitions_) partition->barrier_passed();
  }
}

void TopicDuty::share(std::function<void()> done) {
  want_sharing();
  shares_.push_back(std::move(done));
  rest_.wake_all();
  wake();
  say_if_shared();
}

void TopicDuty::say_if_shared() {
  if (shares_.empty() || !std::all_of(partitions_.begin(), partitions_.end(),
                                      [](const auto& partition) { return partition->shared(); })) {
    return;
  }
  for (const auto& done : std::exchange(shares_, {})) done();
}

void TopicDuty::release(std::uint64_t handle, Released done) {
  std::uint32_t left = 0;
  for (auto& partition : partitions_) left += partition->release(handle) ? 0 : 1;
  releases_[handle] = {left, 0, std::move(done)};
  if (left == 0) {
    settled(handle, 0);
  } else {
    rest_.wake_all();
    wake();
    // Others wait behind that claim: now, and before anything that may wait for the device.
    for (auto& partition : partitions_) {
      partition->settle([&](std::uint64_t id, bool repaired) { settled(id, repaired ? 1 : 0); });
    }
  }
}

void TopicDuty::settled(std::uint64_t handle, std::uint32_t repaired) {
  const auto found = releases_.find(handle);
  if (found == releases_.end()) return;
  Release& release = found->second;
  release.repaired += repaired;
  if (release.partitions_left > 0) {
    if (--release.partitions_left > 0) return;
    ring_for_the_dead();
  }
  const Release done = std::move(release);
  releases_.erase(found);
  keep_alive_.erase(handle);
  done.done(done.repaired);
}

/// Between its last stamp and its last wake-up a producer may have died, with the sleepers' marks
/// taken away already: nobody else would ring for them.
void TopicDuty::ring_for_the_dead() const noexcept {
  std::atomic<std::uint32_t>& bell_seq = topic_->memory().ring().bell_seq;
  bell_seq.fetch_add(1, std::memory_order::release);  // BELL
  shm::wake_all(bell_seq);
}

SteadyTime TopicDuty::round(SteadyTime now, SteadyTime until) {
  const bool comes_soon = now - busy_at_ < kHeldAfter;  // the next round
  if (std::exchange(round_is_over_, false)) {
    const std::chrono::nanoseconds pause = kRoundPause;
    const auto share = std::min(now - round_at_, pause) * kTailsAPause / pause;
    rest_.look(now, comes_soon ? static_cast<std::size_t>(share) + 1 : partitions_.size());
  }
  while (next_ < rest_.awake().size()) {
    const PartitionDuty::Round round = rest_.awake()[next_]->round(
        now, [&](std::uint64_t handle, bool repaired) { settled(handle, repaired ? 1 : 0); });
    round_due_ = std::min(round_due_, round.due);
    round_most_ = std::max(round_most_, round.bytes);
    if (!rest_.rests_after_round(next_)) ++next_;
    if (next_ < rest_.awake().size() && std::chrono::steady_clock::now() >= until) return now;
  }
  next_ = 0;
  round_is_over_ = true;
  say_if_shared();
  SteadyTime due = std::exchange(round_due_, SteadyTime::max());
  const std::uint64_t most = std::exchange(round_most_, 0);
  looked_ = true;
  if (most != 0) busy_at_ = now;
  if (ending_) {
    look_at_end(now);
    due = std::min(due, now + kRoundPause);
  }
  const SteadyTime pause_ends = now + pause_behind(now, most);
  // What is due by now was looked at: it waits for something else, for a pin to end or for time.
  return due <= now ? pause_ends : std::min(due, pause_ends);
}

/// `most`: what came in one partition since the round before.
std::chrono::nanoseconds TopicDuty::pause_behind(SteadyTime now, std::uint64_t most) noexcept {
  const auto since = now - std::exchange(round_at_, now);
  const std::uint64_t ring_bytes = topic_->settings().ring_bytes;
  if (!topic_->settings().persist && most != 0 && most < ring_bytes / 4) {
    // In pieces that can be jumped over (PartitionDuty): as long as a twelfth of the ring takes.
    using Precise = std::chrono::duration<double, std::nano>;
    const Precise twelfth =
        since * (static_cast<double>(ring_bytes) / 12 / static_cast<double>(most));
    if (most >= ring_bytes / 8 && twelfth < kShortPause) return {};
    return std::chrono::round<std::chrono::nanoseconds>(
        std::clamp<Precise>(twelfth, kShortPause, kRoundPause));
  }
  // Half a round's worth more could fill the ring: no pause.
  if (most >= ring_bytes / 8) return {};
  return now - busy_at_ < kHeldAfter ? kRoundPause : kHeldPause;
}

void TopicDuty::say_that_bell_is_lost() {
  bell_is_lost_ = true;
  events_.error("bell_lost",
                {{"topic", topic_->name()},
                 {"reason", "a page of its bell was punched out while memory was short"},
                 {"effect", "who waits is woken late"},
                 {"fix", "restart ringwayd in an orderly way"}});
}

bool TopicDuty::lull(SteadyTime now) {
  if (state_ != State::awake || !looked_) return false;
  if (ending_ || !shares_.empty() || now - busy_at_ < kQuietAfter ||
      !std::ranges::all_of(rest_.awake(), [](const auto& one) { return one->quiet(); })) {
    return false;
  }
  state_ = State::falling_asleep;
  // Relaxed: the barrier that follows orders it before look_again().
  topic_->memory().bell().sleepers.fetch_or(layout::kSupervisorSleeps, std::memory_order::relaxed);
  return true;
}

void TopicDuty::look_again(SteadyTime now) {
  if (state_ != State::falling_asleep) return;
  const std::size_t awake = rest_.awake().size();
  rest_.look(now);
  if (rest_.awake().size() != awake ||
      std::ranges::any_of(rest_.awake(), [](const auto& one) { return one->something_came(); })) {
    return wake();
  }
  state_ = State::asleep;
  rest_.park();
}

void TopicDuty::wake() noexcept {
  state_ = State::awake;
  looked_ = false;
}

void TopicDuty::rouse(SteadyTime now, bool anyway) {
  if (anyway) {
    rest_.look_closely(now);
    if (!bell_is_lost_ && topic_->memory().lost_bell_page()) say_that_bell_is_lost();
  }
  if (state_ != State::asleep) return;
  // Relaxed: a hint; a full look comes within the longest sleep.
  const std::uint32_t sleepers = topic_->memory().bell().sleepers.load(std::memory_order::relaxed);
  const bool rung = (sleepers & layout::kSupervisorSleeps) == 0;
  if (!rung && !anyway) return;
  rest_.look(now);
  if (rung || !rest_.awake().empty()) wake();
}

std::optional<Trouble> TopicDuty::trouble(SteadyTime now) {
  if (ending_ || now < next_trouble_) return std::nullopt;
  const auto awake = rest_.awake();
  for (std::size_t i = 0; i < awake.size(); ++i) {
    // On from the one behind the last: what lasts there keeps nothing from being said elsewhere.
    trouble_at_ = (trouble_at_ + 1) % awake.size();
    if (const auto found = awake[trouble_at_]->trouble(now)) {
      next_trouble_ = now + kTroubleEvery;
      return found;
    }
  }
  return std::nullopt;
}

void TopicDuty::end_ring(SteadyTime now, RingEnd how, std::function<void(RingEnded)> done) {
  rest_.wake_all();
  wake();
  want_sharing();
  for (auto& partition : partitions_) partition->begin_end();
  ending_ = Ending{how, now, std::move(done)};
}

bool TopicDuty::device_refuses() const noexcept {
  for (std::uint32_t p = 0; p < topic_->partitions(); ++p) {
    if (topic_->device_refuses(p).load(std::memory_order::relaxed)) return true;  // own
  }
  return false;
}

void TopicDuty::look_at_end(SteadyTime now) {
  const auto finish = [&](const RingEnded& outcome) {
    const auto done = std::move(ending_->done);
    ending_.reset();
    done(outcome);
  };
  if (std::ranges::all_of(partitions_, [&](const auto& one) { return one->ended(now); })) {
    return finish({.ended = true});
  }
  const auto& fence_after = ending_->how.fence_after;
  std::vector<PartitionDuty*> stuck;
  std::optional<PartitionHandles::Holder> culprit;
  bool unreachable = false, all_due = fence_after.has_value();
  for (const auto& partition : partitions_) {
    const PartitionHandles::Open open = partition->open_claims();
    if (open.claims == 0) continue;
    stuck.push_back(partition.get());
    culprit = fence_after && open.unreached ? open.unreached : open.first;
    unreachable = unreachable || (fence_after && open.unreached);
    // Those behind the culprit have as long as it had.
    all_due = all_due && !open.unreached && open.claims <= layout::kVoidClaims &&
              now - partition->stuck_since() >= *fence_after &&
              (open.one_place || now - ending_->begun >= *fence_after);
  }
  const bool refused = !ending_->how.waits_for_device && device_refuses();
  if (all_due && !refused) {
    for (PartitionDuty* partition : stuck) partition->fence();
    return;
  }
  // Where one partition's end is final, the others must come to theirs, however long it takes.
  if ((!culprit && !refused) || now - ending_->begun < ending_->how.patience ||
      std::ranges::any_of(partitions_, [](const auto& one) { return one->end_is_final(); })) {
    return;
  }
  for (auto& partition : partitions_) partition->cancel_end();
  finish({.ended = false, .pid = culprit ? culprit->pid : 0, .unreachable = unreachable});
}

void TopicDuty::let_go() {
  if (ending_) std::exchange(ending_->done, nullptr)({});
  ending_.reset();
  for (auto& [handle, release] : std::exchange(releases_, {})) release.done(release.repaired);
  for (const auto& done : std::exchange(shares_, {})) done();
}

void TopicDuty::drain() {
  rest_.wake_all();
  wake();  // and stays so: nothing is lulled any more
  draining_ = true;
  want_sharing();
  for (auto& partition : partitions_) partition->drain();
}

bool TopicDuty::drained() const {
  return std::all_of(partitions_.begin(), partitions_.end(),
                     [](const auto& partition) { return partition->drained(); });
}

bool TopicDuty::writing() const {
  return std::any_of(partitions_.begin(), partitions_.end(),
                     [](const auto& partition) { return partition->writing(); });
}

}  // namespace ringway::daemon
