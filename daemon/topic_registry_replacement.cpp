// A topic that is being served gets another ring: of another size, without a claim that stands
// still, without a pin that is held too long, or because the old one's content is corrupt.
//
//   memory of the new generation                made in a thread of its own
//   keeper                                      refused up to here: nothing has happened
//   the old ring ends (Flusher::end_ring)       given up here: it goes on as it was
//   the flusher lets go of it
//   the new ring goes on at its end; what stood behind the end is carried over; magic
//   the old board says `replaced`
//   catalog: the new generation
//   flusher, clients: they ask for it when they find their ring closed or at its end
//
// A supervisor that dies before the catalog knows leaves the old ring to its successor, which ends
// it once more; behind that it leaves the new one, whole.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "control/topic_settings.hpp"
#include "daemon/gap_list.hpp"
#include "daemon/ring_opening.hpp"
#include "daemon/ring_start.hpp"
#include "daemon/topic_registry.hpp"
#include "ring/carry_over.hpp"
#include "ringway/error.hpp"
#include "shm/clock.hpp"

namespace ringway::daemon {
namespace {

/// What a caller of `topic alter` waits for claims to be finished.
constexpr std::chrono::milliseconds kEndPatience{3000};

layout::Retired retired(const ring::PartitionView& view) {
  return static_cast<layout::Retired>(view.retired().load(std::memory_order::acquire));
}

RetiredRing retired_ring(std::uint64_t generation, const ServedTopic& of) {
  return {.generation = generation,
          .bytes = of.memory().bytes(),
          .ring_bytes = of.settings().ring_bytes * of.partitions()};
}

bool quarantined(const layout::BoardPartition& board) {
  return board.hold.load(std::memory_order::relaxed) ==
         static_cast<std::uint32_t>(layout::Hold::quarantined);
}

/// What people count goes on with the topic.
void carry_counters(const layout::BoardPartition& from, layout::BoardPartition& to,
                    bool with_voids) {
  // Relaxed throughout: nobody else writes the one or knows the other.
  constexpr auto kRelaxed = std::memory_order::relaxed;
  to.write_errors.store(from.write_errors.load(kRelaxed), kRelaxed);
  to.hostile_pins.store(from.hostile_pins.load(kRelaxed), kRelaxed);
  std::uint64_t holes = from.repairs.load(kRelaxed);
  const auto copy = [&](layout::Hole& hole, std::uint64_t offset, std::uint64_t offsets,
                        std::uint64_t bytes, std::uint64_t at_ns, std::uint32_t pid) {
    hole.offset.store(offset, kRelaxed);
    hole.offsets.store(offsets, kRelaxed);
    hole.bytes.store(bytes, kRelaxed);
    hole.repaired_at_ns.store(at_ns, kRelaxed);
    hole.pid.store(pid, kRelaxed);
  };
  for (std::uint32_t i = 0; i < layout::kHoles; ++i) {
    const layout::Hole& hole = from.hole[i];
    copy(to.hole[i], hole.offset.load(kRelaxed), hole.offsets.load(kRelaxed),
         hole.bytes.load(kRelaxed), hole.repaired_at_ns.load(kRelaxed), hole.pid.load(kRelaxed));
  }
  const auto now_ns = static_cast<std::uint64_t>(shm::realtime_ns());
  const std::uint32_t voids = with_voids ? from.void_claims.load(kRelaxed) : 0;
  for (std::uint32_t i = 0; i < std::min(voids, layout::kVoidClaims); ++i) {
    const layout::VoidClaim& claim = from.void_claim[i];
    copy(to.hole[holes++ % layout::kHoles], claim.offset.load(kRelaxed),
         claim.offsets.load(kRelaxed), claim.bytes.load(kRelaxed), now_ns,
         claim.pid.load(kRelaxed));
  }
  to.repairs.store(holes, kRelaxed);
}

/// Without a log a consumer finds what it has not read yet in the ring before only.
void demand_nobody_behind(const Topic& topic) {
  const TopicMemory& memory = topic.served->memory();
  if (memory.board().mode != layout::TopicMode::memory_block) return;
  for (const layout::Attachment& entry : memory.attachments()) {
    // Relaxed: only this thread writes them.
    if (entry.state.load(std::memory_order::relaxed) == layout::kOpen &&
        entry.role == layout::Role::consumer && entry.generation != topic.row.generation) {
      throw Error(
          ErrorCode::busy, fmt::format("topic '{}'", topic.row.name),
          fmt::format("pid {} has not read the ring before this one to its end", entry.process.pid),
          "try again when it has, or end it");
    }
  }
}

/// As events have it.
std::string_view word(ReplacedBecause reason) {
  switch (reason) {
    case ReplacedBecause::altered:
      return "altered";
    case ReplacedBecause::stopped_claim:
      return "stopped_claim";
    case ReplacedBecause::long_pin:
      return "long_pin";
    case ReplacedBecause::worn_out:
      return "worn_out";
    case ReplacedBecause::interrupted:
      return "interrupted";
  }
  return "unknown";
}

}  // namespace

void TopicRegistry::demand_device(const Topic& topic) {
  for (std::uint32_t p = 0; p < topic.served->partitions(); ++p) {
    if (!topic.served->device_refuses(p).load(std::memory_order::relaxed)) continue;
    throw Error(ErrorCode::busy, fmt::format("topic '{}'", topic.row.name),
                fmt::format("partition {} cannot end its ring: the device of its log refuses", p),
                "make room where it is full (--retention-bytes and --retention-age alone need no "
                "new ring), or mend it, and try again");
  }
}

void TopicRegistry::alter(const std::shared_ptr<Topic>& topic, const TopicSettings& settings,
                          Replaced done) {
  control::validate(settings);
  demand_device(*topic);
  replace_ring(topic, settings, ReplacedBecause::altered, std::move(done));
}

void TopicRegistry::replace_ring(const std::shared_ptr<Topic>& topic, const TopicSettings& settings,
                                 ReplacedBecause reason, Replaced done) {
  const std::string thing = fmt::format("topic '{}'", topic->row.name);
  if (topic->replacement) {
    throw Error(ErrorCode::busy, thing, "gets another ring at this moment", "try again");
  }
  if (stopping_) {
    throw Error(ErrorCode::busy, thing, "gets no other ring while the bus is stopping",
                "try again when it serves");
  }
  forget_retired(*topic);
  demand_nobody_behind(*topic);
  const std::uint32_t attachments = std::max<std::uint32_t>(
      parts_.config.handles_per_topic_max, topic->served->memory().board().attachments);
  check_budget(topic->row.name, settings, attachments);
  topic->replacement = std::make_unique<Replacement>(
      Replacement{.settings = settings, .reason = reason, .served = {}, .done = std::move(done)});
  make_memory({topic->row.uuid, topic->row.name, topic->row.generation + 1}, settings, attachments,
              [this, topic](const MadeMemory& memory) { next_ring_made(topic, memory); });
}

void TopicRegistry::next_ring_made(const std::shared_ptr<Topic>& topic, const MadeMemory& memory) {
  if (!topic->replacement) return;  // it was given up
  if (topic->deleting) return give_up_replacement(*topic, "it is being deleted", "");
  Replacement& replacement = *topic->replacement;
  const TopicIdentity identity{topic->row.uuid, topic->row.name, topic->row.generation + 1};
  try {
    replacement.served = make_served(identity, replacement.settings, memory());
    keep(*topic, *replacement.served);
  } catch (const Error& refused) {
    return give_up_replacement(*topic, refused);
  } catch (const std::exception& failed) {
    return give_up_replacement(
        *topic,
        Error(ErrorCode::failed, fmt::format("topic '{}'", identity.name), failed.what(), ""));
  }
  // One whose positions run out has to wait.
  RingEnd how{.patience = kEndPatience,
              .waits_for_device = replacement.reason == ReplacedBecause::worn_out};
  if (replacement.settings.when_stopped == WhenStopped::fence) {
    how.fence_after = std::chrono::milliseconds(replacement.settings.stopped_after_ms);
    // Who asked because of a claim that is due waits until all that are due are decided.
    if (replacement.reason != ReplacedBecause::altered) how.patience += *how.fence_after;
  }
  parts_.flusher.end_ring(topic->served, how, [this, topic](RingEnded outcome) {
    parts_.post([this, topic, outcome] { ring_ended(topic, outcome); });
  });
}

void TopicRegistry::ring_ended(const std::shared_ptr<Topic>& topic, const RingEnded& outcome) {
  if (topic->deleting) return give_up_replacement(*topic, "it is being deleted", "");
  if (!outcome.ended) {
    std::string rule = outcome.pid != 0
                           ? fmt::format("pid {} does not finish its claim", outcome.pid)
                           : "the device of its log refuses";
    if (outcome.unreachable) rule += ", and its kernel's membarrier cannot fence it";
    parts_.log.warning(
        "ring_not_replaced",
        {{"topic", topic->row.name}, {"reason", word(topic->replacement->reason)}, {"why", rule}});
    return give_up_replacement(*topic, rule,
                               outcome.pid != 0
                                   ? "end that process, or have it fenced: --when-stopped fence"
                                   : "try again when it works");
  }
  parts_.flusher.remove(topic->served, [this, topic] {
    parts_.post([this, topic] {
      topic->replacement->old_is_free = true;
      finish_replacement(*topic);
    });
  });
}

void TopicRegistry::give_up_replacement(Topic& topic, const std::string& why,
                                        const std::string& fix) {
  give_up_replacement(topic,
                      Error(ErrorCode::busy, fmt::format("topic '{}'", topic.row.name), why, fix));
}

void TopicRegistry::give_up_replacement(Topic& topic, const Error& why) {
  const auto replacement = std::move(topic.replacement);
  drop(topic.row.uuid, topic.row.generation + 1);
  if (replacement->done) replacement->done(why);
}

void TopicRegistry::finish_replacement(Topic& topic) {
  Replacement& replacement = *topic.replacement;
  if (topic.deleting) return give_up_replacement(topic, "it is being deleted", "");
  ServedTopic& served = *replacement.served;
  const ServedTopic& old = *topic.served;
  TopicRow row = topic.row;
  row.generation = served.generation();
  row.settings = control::to_json(replacement.settings).dump();
  try {
    std::vector<log::Recovered> logs = recover(topic, served, log::RecoverMode::repair);
    for (std::uint32_t p = 0; p < served.partitions(); ++p) {
      row.partitions[p] = go_on_behind(topic, served, p, logs[p]);
    }
    carry_handles(old, served);
    // Before the catalog knows: whoever dies in between finds the old ring or all of the new one.
    begin_service(served);
    old.set_state(layout::TopicState::replaced);
    parts_.catalog.begin_ring(row);
  } catch (const std::exception& failed) {
    // Nobody can use the old ring by now, and memory is there: tried until the disk lets it.
    if (replacement.refused != failed.what()) {
      replacement.refused = failed.what();
      parts_.log.error("ring_replacement_waits",
                       {{"topic", row.name}, {"why", replacement.refused}});
    }
    return;
  }
  const std::uint64_t before = topic.row.generation;
  topic.row = row;
  topic.settings = replacement.settings;
  topic.retired.push_back(retired_ring(before, old));
  const auto left = std::exchange(topic.served, replacement.served);
  forget_retired(topic);  // perhaps nobody had it open
  const auto finished = std::move(topic.replacement);
  parts_.flusher.add(topic.served);
  left->wake_everybody();
  drop(row.uuid, before);
  parts_.log.info("ring_replaced", {{"topic", row.name},
                                    {"generation", row.generation},
                                    {"reason", word(finished->reason)},
                                    {"ring_bytes", finished->settings.ring_bytes}});
  if (finished->done) finished->done(std::nullopt);
}

/// Opens a partition of the new ring behind the end of the old one's.
PartitionRow TopicRegistry::go_on_behind(Topic& topic, ServedTopic& served, std::uint32_t partition,
                                         log::Recovered& recovered) {
  const ServedTopic& old = *topic.served;
  const ring::PartitionView from = old.view(partition), to = served.view(partition);
  const layout::BoardPartition& board = from.board();
  // Relaxed throughout: the flusher has let go of it.
  const layout::Retired how = retired(from);
  const std::uint64_t base = board.base_position.load(std::memory_order::relaxed);
  PartitionRow end = topic.row.partitions[partition];
  end.clean = how != layout::Retired::spoiled && !quarantined(board);
  end.clean_offset = how == layout::Retired::no
                         ? board.committed_offset.load(std::memory_order::relaxed)
                         : board.end_offset.load(std::memory_order::relaxed);
  end.clean_position =
      base + (how == layout::Retired::no ? board.committed_position.load(std::memory_order::relaxed)
                                         : board.end_position.load(std::memory_order::relaxed));
  note_missing_tail(topic, served, partition, end, recovered);
  std::optional<log::LogPoint> floor;
  if (topic.settings.persist) floor = recovered.floor;
  // The jump is as wide as the old ring.
  log::LogPoint start = ring_start(topic.settings, end, floor);
  open_partition(served, partition, start, recovered);
  if (end.clean && how == layout::Retired::decided && !ring::carry_over(from, to)) {
    parts_.log.error("ring_not_carried_over",
                     {{"topic", topic.row.name},
                      {"partition", partition},
                      {"offset", end.clean_offset},
                      {"effect", "what stood behind a claim that was taken away is lost"}});
    end.clean = false;
    start = ring_start(topic.settings, end, floor);
    open_partition(served, partition, start, recovered);
  }
  if (topic.settings.persist) GapList(to.board()).go_on(board, recovered.end, start);
  const bool carried = end.clean && how == layout::Retired::decided;
  carry_counters(board, to.board(), carried);
  for (std::uint32_t i = 0; carried && i < board.void_claims.load(std::memory_order::relaxed);
       ++i) {
    const layout::VoidClaim& claim = board.void_claim[i];
    parts_.log.warning("claim_voided",
                       {{"topic", topic.row.name},
                        {"partition", partition},
                        {"pid", claim.pid.load(std::memory_order::relaxed)},
                        {"offset", claim.offset.load(std::memory_order::relaxed)},
                        {"offsets", claim.offsets.load(std::memory_order::relaxed)}});
  }
  if (!end.clean) {
    parts_.log.warning("ring_was_lost", {{"topic", topic.row.name},
                                         {"partition", partition},
                                         {"log_end", recovered.end.offset},
                                         {"goes_on_at", start.offset}});
  }
  return {.base_offset = start.offset, .base_position = start.position};
}

/// Everybody who has the topic open keeps the place in the table; until it has moved, its slots
/// speak of the old ring. Who blocks producers does so from the new ring's beginning on.
void TopicRegistry::carry_handles(const ServedTopic& from, ServedTopic& to) {
  const auto before = from.memory().attachments();
  const auto after = to.memory().attachments();
  to.adopted_handles.clear();
  for (std::size_t i = 0; i < before.size(); ++i) {
    std::memcpy(static_cast<void*>(&after[i]), static_cast<const void*>(&before[i]),
                sizeof(layout::Attachment));
    if (before[i].state.load(std::memory_order::relaxed) != layout::kOpen) continue;  // own
    if (auto blocker = blocker_of(before[i], to.memory().board())) {
      to.adopted_handles.push_back(std::move(*blocker));
    }
  }
}

std::optional<HandleSlots> blocker_of(const layout::Attachment& entry,
                                      const layout::BoardHeader& board) {
  if (board.mode != layout::TopicMode::memory_block || entry.role != layout::Role::consumer ||
      entry.generation == board.generation) {
    return std::nullopt;
  }
  auto slots = std::make_shared<std::vector<layout::Slot>>(board.partitions);
  for (layout::Slot& slot : *slots) slot.pin.store(0, std::memory_order::relaxed);
  return HandleSlots{.handle = entry.handle,
                     .role = entry.role,
                     .pid = entry.process.pid,
                     .slots = slots->data(),
                     .keep_alive = slots};
}

bool TopicRegistry::replacing() const {
  return std::ranges::any_of(
      topics_, [](const auto& named) { return named.second->replacement != nullptr; });
}

void TopicRegistry::finish_replacements() {
  const auto topics = topics_;
  for (const auto& [name, topic] : topics) {
    if (topic->replacement && topic->replacement->old_is_free) finish_replacement(*topic);
  }
}

std::vector<control::StatusTrouble> TopicRegistry::resume_replacements() {
  std::vector<control::StatusTrouble> refused;
  const auto refuse = [&](const std::string& topic, const std::string& why) {
    refused.push_back({.what = control::TroubleKind::ring_replacement_waits,
                       .topic = topic,
                       .reason = why,
                       .text = why});
  };
  for (const auto& [name, topic] : topics_) {
    if (!topic->served || !topic->served->adopted || topic->deleting) continue;
    bool begun = false;
    for (std::uint32_t p = 0; p < topic->served->partitions(); ++p) {
      begun = begun || retired(topic->served->view(p)) != layout::Retired::no;
    }
    if (!begun) continue;
    try {
      if (!topic->replacement) {
        replace_ring(topic, topic->settings, ReplacedBecause::interrupted,
                     [&not_resumed = topic->not_resumed](const std::optional<Error>& why) {
                       not_resumed = why ? why->what() : "";
                     });
      }
      if (!topic->not_resumed.empty()) refuse(name, topic->not_resumed);
    } catch (const Error& error) {
      refuse(name, error.what());
    }
  }
  return refused;
}

/// How large they were is not known any more: taken to be as the present ones.
void TopicRegistry::remember_retired() {
  for (const auto& [name, topic] : topics_) {
    if (!topic->served || !topic->served->adopted) continue;
    std::set<std::uint64_t> before;
    for (const layout::Attachment& entry : topic->served->memory().attachments()) {
      // Relaxed: only this thread writes them.
      if (entry.state.load(std::memory_order::relaxed) == layout::kFree) continue;
      if (entry.generation < topic->row.generation) before.insert(entry.generation);
    }
    for (const std::uint64_t generation : before) {
      topic->retired.push_back(retired_ring(generation, *topic->served));
    }
  }
}

void TopicRegistry::forget_retired(Topic& topic) {
  std::erase_if(topic.retired, [&](const RetiredRing& ring) {
    const auto table = topic.served->memory().attachments();
    return std::ranges::none_of(table, [&](const layout::Attachment& entry) {
      // Relaxed: only this thread writes them.
      return entry.state.load(std::memory_order::relaxed) != layout::kFree &&
             entry.generation == ring.generation;
    });
  });
}

}  // namespace ringway::daemon
