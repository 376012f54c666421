#include "tools/top/bus_eye.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ringway/error.hpp"
#include "tools/bus_access.hpp"
#include "tools/service_state.hpp"

namespace ringway::cli::top {
namespace {

/// What cannot be opened is tried again, but not with every question.
constexpr std::chrono::seconds kTryAgain{10};
/// Topics that are asked for their cursors in one round; of more, each less often.
constexpr std::size_t kCursorsAtOnce = 100;

bool passes(const Error& error) {
  return error.code() == ErrorCode::unavailable || error.code() == ErrorCode::timeout;
}

/// Words that are loaded one after another while all of them move: each is true for itself.
PartitionSample sample_of(TopicMemory& memory, std::uint32_t p) {
  const layout::BoardPartition& board = memory.board(p);
  const layout::TailCodec codec(memory.ring_bytes());
  PartitionSample seen;
  // From low to high, so that they stand in order although all of them move.
  seen.first_offset = board.first_offset.load(std::memory_order::acquire);
  seen.durable = board.durable_offset.load(std::memory_order::acquire);
  seen.written = board.written_offset.load(std::memory_order::acquire);
  seen.committed = board.committed_offset.load(std::memory_order::acquire);
  const std::uint64_t anchor = board.anchor.load(std::memory_order::acquire);
  const std::uint64_t limit = board.limit.load(std::memory_order::acquire);
  const layout::Tail tail = codec.unpack(memory.tail(p).load(std::memory_order::acquire));
  seen.claimed_position = tail.position;
  seen.claimed_offset = codec.full_offset(tail.offset_low, anchor);
  const double free = limit > tail.position ? static_cast<double>(limit - tail.position) : 0;
  seen.fill = std::clamp(1 - free / static_cast<double>(memory.ring_bytes()), 0.0, 1.0);
  // Relaxed: for people.
  seen.log_bytes = board.log_bytes.load(std::memory_order::relaxed);
  seen.hold = static_cast<layout::Hold>(board.hold.load(std::memory_order::relaxed));
  seen.hold_pid = board.hold_pid.load(std::memory_order::relaxed);
  return seen;
}

}  // namespace

BusEye::BusEye(const Common& common) : common_(hastened(common)) {}

void BusEye::ask() {
  try {
    if (!bus_) bus_ = connect(common_);
    const nlohmann::json said = Administration(*bus_).status();
    const std::vector<TopicSummary> listed = bus_->topics();
    const auto pid = said.value("pid", std::uint64_t{0});
    state_ = said.value("state", "unknown");
    const auto all = said.value("topics", std::uint64_t{0});
    hidden_ = all - std::min<std::uint64_t>(all, listed.size());
    if (pid != pid_) {  // what was tried with another one may go well with this one
      for (auto& [name, watched] : topics_) watched.try_again = {};
      recorded_ = Recorded::somewhere;
    }
    pid_ = pid;
    sessions_.serve(pid_here(socket_path(common_), static_cast<pid_t>(pid)));
    answers_ = true;
    forget_topics_but(listed);
    const std::size_t groups = topics_.size() / kCursorsAtOnce + 1;
    std::size_t turn = ++asked_;
    for (auto& [name, watched] : topics_) {
      open(name, watched, turn++ % groups == 0 ? Cursors::asked : Cursors::as_known);
    }
  } catch (const Error& error) {
    if (!passes(error)) throw;
    answers_ = false;
    state_ = error.what();
  }
}

void BusEye::forget_topics_but(const std::vector<TopicSummary>& listed) {
  std::map<std::string, Watched> kept;
  for (const TopicSummary& topic : listed) {
    auto known = topics_.extract(topic.name);
    if (known) {
      kept.insert(std::move(known));
    } else {
      kept[topic.name].partitions = topic.partitions;
    }
  }
  topics_ = std::move(kept);
}

void BusEye::open(const std::string& name, Watched& watched, Cursors cursors) {
  const bool serves =
      watched.memory && watched.memory->board().state.load(std::memory_order::acquire) ==
                            static_cast<std::uint32_t>(layout::TopicState::serving);
  const auto now = std::chrono::steady_clock::now();
  if (!serves && now < watched.try_again) return;
  try {
    Administration administration(*bus_);
    if (!serves) {
      watched.memory = administration.memory(name);
      watched.trouble.clear();
    } else if (cursors == Cursors::as_known) {
      return;
    }
    watched.cursors = administration.cursors(name);  // the right to it may be gone meanwhile
  } catch (const Error& error) {
    if (passes(error)) throw;
    watched.memory.reset();
    watched.try_again = now + kTryAgain;
    watched.trouble = error.code() == ErrorCode::denied ? "no right to read it" : error.rule();
  }
}

const control::CursorListing* BusEye::cursor_of(const Watched& watched, std::string_view name) {
  const auto found = std::ranges::find(watched.cursors, name, &control::CursorListing::name);
  return name.empty() || found == watched.cursors.end() ? nullptr : &*found;
}

/// A named cursor that nobody holds, where its last holder left it.
HandleSample BusEye::unattached(const control::CursorListing& cursor, const TopicSample& topic) {
  HandleSample seen{.role = layout::Role::consumer, .cursor = cursor.name};
  for (std::size_t p = 0; p < std::min(topic.partitions.size(), cursor.offsets.size()); ++p) {
    if (!cursor.offsets[p]) continue;  // it has no position there
    const std::uint64_t end = topic.partitions[p].committed;
    seen.lag = seen.lag.value_or(0) + (end - std::min(end, *cursor.offsets[p]));
  }
  return seen;
}

std::string_view BusEye::process_of(const layout::ProcessId& process) {
  const auto known = processes_.find(process.pid);
  if (known != processes_.end()) return known->second;
  return processes_[process.pid] = process_state(process, recorded_);
}

HandleSample BusEye::sample(const Handle& handle, Watched& watched, const TopicSample& topic) {
  HandleSample seen{.id = {handle.session, handle.chunk, handle.first_slot},
                    .role = handle.role,
                    .pid = handle.process.pid,
                    .user = handle.user,
                    .process = process_of(handle.process),
                    .cursor = handle.cursor,
                    .exclusive = handle.exclusive,
                    .copies = handle.copies};
  if (handle.role != layout::Role::consumer) return seen;
  for (std::uint32_t p = 0; p < topic.partitions.size(); ++p) {
    const layout::Slot* slot = sessions_.slot(handle, p);
    if (slot == nullptr) break;
    const std::uint64_t at = slot->offset.load(std::memory_order::acquire);
    if (at == layout::kNoOffset) continue;  // a partition that it does not read
    const PartitionSample& partition = topic.partitions[p];
    // While there is no supervisor nobody moves the board's watermark.
    const std::uint64_t committed = answers_ ? partition.committed : partition.claimed_offset;
    seen.lag = seen.lag.value_or(0) + (committed - std::min(committed, at));
    seen.read = seen.read.value_or(0) + at;
  }
  if (const auto* said = cursor_of(watched, handle.cursor); !seen.lag && said != nullptr) {
    seen.lag = unattached(*said, topic).lag;
    for (const auto& offset : said->offsets) seen.read = seen.read.value_or(0) + offset.value_or(0);
  }
  return seen;
}

TopicSample BusEye::sample(const std::string& name, Watched& watched) {
  TopicSample seen{.name = name, .trouble = watched.trouble};
  if (!watched.memory) return seen;
  TopicMemory& memory = *watched.memory;
  if (is_here(memory.board().supervisor)) recorded_ = Recorded::here;
  seen.generation = memory.identity().generation;
  seen.persisted = memory.mode() == layout::TopicMode::persisted;
  for (std::uint32_t p = 0; p < memory.partitions(); ++p) {
    seen.partitions.push_back(sample_of(memory, p));
  }
  for (const Handle& handle : handles_in(memory.attachments())) {
    seen.handles.push_back(sample(handle, watched, seen));
  }
  for (const control::CursorListing& cursor : watched.cursors) {
    const bool held = std::ranges::any_of(seen.handles, [&](const HandleSample& handle) {
      return handle.role == layout::Role::consumer && handle.cursor == cursor.name;
    });
    if (!held) seen.handles.push_back(unattached(cursor, seen));
  }
  return seen;
}

BusSample BusEye::look() {
  const auto now = std::chrono::steady_clock::now();
  if (now >= next_ask_) {
    next_ask_ = now + kAskEvery;
    ask();
    sessions_.forget_unused();
  }
  processes_.clear();
  BusSample seen{.at = std::chrono::steady_clock::now(),
                 .answers = answers_,
                 .state = state_,
                 .pid = pid_,
                 .hidden = hidden_};
  for (auto& [name, watched] : topics_) seen.topics.push_back(sample(name, watched));
  return seen;
}

}  // namespace ringway::cli::top
