#include "daemon/handles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string_view>
#include <utility>

#include "client/committed_walk.hpp"
#include "control/topic_settings.hpp"
#include "control/utf8.hpp"
#include "daemon/layout_minor.hpp"
#include "ringway/error.hpp"
#include "shm/barrier.hpp"
#include "shm/memory_file.hpp"
#include "shm/memory_name.hpp"

namespace ringway::daemon {
namespace {

using layout::kFree;
using layout::kOpen;
using layout::kReleasing;

std::size_t free_attachment(const Topic& topic) {
  const auto table = topic.served->memory().attachments();
  for (std::size_t i = 0; i < table.size(); ++i) {
    // Relaxed: only this thread writes them.
    if (table[i].state.load(std::memory_order::relaxed) == kFree) return i;
  }
  throw Error(ErrorCode::limit, fmt::format("topic '{}'", topic.row.name),
              fmt::format("is open {} times, the limit", table.size()),
              "close some, or raise limits.handles_per_topic in the configuration and restart the "
              "supervisor in an orderly way");
}

template <std::size_t N>
void copy_cut(char (&to)[N], const std::string& from) {
  const std::string_view fits = control::cut(from, N - 1);
  std::memcpy(to, fits.data(), fits.size());
  std::memset(to + fits.size(), 0, N - fits.size());
}

/// How a producer that has the topic exclusively claims in its present ring. As others do where no
/// barrier could show that it claims nothing, and in a ring that is to end.
layout::ClaimMode claim_mode(const Session& session, const Topic& topic, bool exclusive) {
  if (!exclusive || !session.reached || !shm::ProcessBarrier::instance().available() ||
      topic.replacement) {
    return layout::ClaimMode::shared;
  }
  for (std::uint32_t p = 0; p < topic.served->partitions(); ++p) {
    // Relaxed: only supervisors write it.
    if (topic.served->view(p).retired().load(std::memory_order::relaxed) !=
        static_cast<std::uint32_t>(layout::Retired::no)) {
      return layout::ClaimMode::shared;
    }
  }
  return layout::ClaimMode::exclusive;
}

HandleSlots slots_of(const Session& session, std::uint64_t id, const Handle& handle,
                     layout::ClaimMode mode) {
  const Chunk& chunk = session.chunks.at(handle.chunk);
  return {.handle = id,
          .role = handle.role,
          .pid = session.process.pid,
          .slots = chunk.slot(handle.first_slot),
          .keep_alive = chunk.mapping,
          .reached = session.reached && shm::ProcessBarrier::instance().available(),
          .exclusive = mode == layout::ClaimMode::exclusive};
}

/// The handle's entry on the board, which counts from its last store on.
void write_entry(layout::Attachment& entry, const Session& session, std::uint64_t id,
                 const Handle& handle, bool protects) {
  entry.role = handle.role;
  entry.session = session.id;
  entry.handle = id;
  entry.chunk = handle.chunk;
  entry.first_slot = handle.first_slot;
  entry.producer = handle.producer;
  // Relaxed: only this thread writes them; who reads knows of them by `state`.
  entry.flags.store((protects ? layout::kProtects : 0u) |
                        (session.reached ? layout::kReached : 0u) |
                        (handle.exclusive ? layout::kExclusive : 0u),
                    std::memory_order::relaxed);
  entry.generation = handle.generation;
  entry.process = session.process;
  copy_cut(entry.user, session.user);
  copy_cut(entry.version, session.version);
  copy_cut(entry.cursor_name, handle.cursor);
  entry.state.store(kOpen, std::memory_order::release);
}

/// What a client is told of its handle, newly opened or moved.
void describe(control::Opened& reply, std::uint64_t id, const Handle& handle, const Chunk& chunk) {
  const Topic& topic = *handle.topic;
  reply.handle = id;
  reply.topic = topic.row.uuid;
  reply.generation = handle.generation;
  reply.partitions = topic.settings.partitions;
  reply.chunk = handle.chunk;
  reply.first_slot = handle.first_slot;
  reply.slots = chunk.runs.slots();
  reply.producer = handle.producer;
  reply.attachment = static_cast<std::uint32_t>(handle.attachment);
  reply.exclusive = handle.exclusive;
  reply.settings = topic.settings;
  if (topic.settings.persist) {
    reply.log_directory = topic.served->directory(0).parent_path().string();
  }
}

}  // namespace

void Handles::keep_proof(const Session& session) const {
  if (session.pidfd) {
    parts_.keepsakes.put(pidfd_name(session.id), {{"kind", "pidfd"}, {"session", session.id}},
                         session.pidfd.get());
  }
  parts_.keepsakes.put(doorbell_name(session.id), {{"kind", "doorbell"}, {"session", session.id}},
                       session.doorbell.get());
}

void Handles::make_chunk(Session& session, std::uint32_t slots) {
  std::uint32_t number = 0;
  while (session.chunks.contains(number)) ++number;
  const auto name = shm::MemoryName::of_session(session.id, number);
  Chunk chunk(shm::create_memory_file(shm::to_string(name), layout::session_file_bytes(slots)),
              slots);
  {
    const shm::Region writable(chunk.fd.get(), shm::Access::read_write, 0, layout::kPageBytes);
    auto& header = writable.at<layout::SessionHeader>(0);
    header.major = layout::kLayoutVersion.major;
    header.minor = kServedMinor;
    header.slots = slots;
    header.session = session.id;
    header.chunk = number;
    header.magic = layout::kSessionMagic;
  }
  chunk.clear(0, slots);
  if (session.chunks.empty()) {
    // The first memory of the session: from now on its process's death must be provable.
    keep_proof(session);
  }
  parts_.keepsakes.put(shm::to_string(name), {{"kind", "session"}, {"session", session.id}},
                       chunk.fd.get());
  session.chunks.emplace(number, std::move(chunk));
}

Handles::Run Handles::take_slots(Session& session, std::uint32_t count) {
  for (auto& [number, chunk] : session.chunks) {
    if (chunk.unheard) continue;
    if (const auto first = chunk.runs.take(count)) return {number, *first, false};
  }
  make_chunk(session, std::max(count, layout::kSlotsPerChunk));
  for (auto& [number, chunk] : session.chunks) {
    if (chunk.unheard) continue;
    if (const auto first = chunk.runs.take(count)) return {number, *first, true};
  }
  throw Error(ErrorCode::failed, fmt::format("client {}", session.process.pid),
              fmt::format("no memory has {} slots in a row for it", count),
              "let it close what it has open, or connect anew");
}

/// Slots that no client was told of. Memory made for them goes, too: nobody has its descriptor.
void Handles::give_back(Session& session, const Run& run, std::uint32_t count) {
  session.chunks.at(run.chunk).runs.give(run.first, count);
  if (!run.is_new) return;
  session.chunks.erase(run.chunk);
  parts_.keepsakes.drop(shm::to_string(shm::MemoryName::of_session(session.id, run.chunk)));
}

std::vector<shm::Descriptor> Handles::descriptors_of(const Topic& topic, layout::Role role) {
  const TopicMemory& memory = topic.served->memory();
  std::vector<shm::Descriptor> descriptors;
  descriptors.push_back(shm::reopen_read_only(memory.board_fd()));
  descriptors.push_back(role == layout::Role::producer ? shm::duplicate(memory.ring_fd())
                                                       : shm::reopen_read_only(memory.ring_fd()));
  descriptors.push_back(shm::duplicate(memory.bell_fd()));
  return descriptors;
}

/// The handle stays what it is to everybody; only its slots begin anew. Its client waits for the
/// answer and touches none of them.
bool Handles::move(const std::shared_ptr<Session>& session, const std::shared_ptr<Topic>& topic,
                   const control::Open& request, const Done& done) {
  if (!request.moved) return false;
  const auto found = session->handles.find(*request.moved);
  if (found == session->handles.end() || found->second.topic != topic ||
      found->second.role != request.role || found->second.releasing) {
    return false;
  }
  Handle& handle = found->second;
  OpenedHandle opened;
  control::Opened& reply = opened.reply;
  const Chunk& chunk = session->chunks.at(handle.chunk);
  const bool moves = handle.generation != topic->row.generation;
  // Somebody who was let in meanwhile does not expect it to be.
  if (moves) handle.exclusive = topic->producers.stays_exclusive(found->first);
  const layout::ClaimMode mode = claim_mode(*session, *topic, handle.exclusive);
  reply.memory = request.mapped_generation != topic->row.generation;
  if (reply.memory) opened.descriptors = descriptors_of(*topic, request.role);
  if (moves) {
    if (!handle.cursor.empty()) save_cursors(*topic);
    chunk.clear(handle.first_slot, topic->settings.partitions,
                blocker_of(topic->served->memory().attachments()[handle.attachment],
                           topic->served->memory().board())
                    ? 0
                    : layout::kNoPin,
                mode);
    handle.generation = topic->row.generation;
    topic->served->memory().attachments()[handle.attachment].generation = handle.generation;
    TopicRegistry::forget_retired(*topic);
  }
  describe(reply, found->first, handle, chunk);
  if (const NamedCursor* cursor = topic->cursors.find(handle.cursor)) {
    reply.cursor_offsets = cursor->offsets;
  }
  const auto answer = answering(std::move(opened), done);
  if (moves) {
    parts_.flusher.attach(topic->served, slots_of(*session, found->first, handle, mode), answer);
  } else {
    answer();
  }
  return true;
}

void Handles::open(const std::shared_ptr<Session>& session, const std::shared_ptr<Topic>& topic,
                   const control::Open& request, Done done) {
  const std::uint32_t partitions = topic->settings.partitions;
  if (session->slots_taken() + partitions > parts_.config.slots_per_client_max) {
    throw Error(
        ErrorCode::limit, fmt::format("process {}", session->process.pid),
        fmt::format("would have more than {} partitions open", parts_.config.slots_per_client_max),
        "close some, or raise limits.slots_per_client in the configuration");
  }
  const std::size_t attachment = free_attachment(*topic);
  // Whatever may fail comes before anything that others see.
  const std::uint64_t id = handle_ids_.next();
  const bool produces = request.role == layout::Role::producer;
  const auto producer = produces ? static_cast<std::uint32_t>(producer_ids_.next()) : 0;
  const Run run = take_slots(*session, partitions);
  Chunk& chunk = session->chunks.at(run.chunk);
  OpenedHandle opened;
  control::Opened& reply = opened.reply;
  bool protects = false;
  const layout::ClaimMode mode = claim_mode(*session, *topic, request.exclusive);
  try {
    chunk.clear(run.first, partitions, layout::kNoPin, mode);
    reply.memory = request.mapped_generation != topic->row.generation;
    if (reply.memory) opened.descriptors = descriptors_of(*topic, request.role);
    if (run.is_new) opened.descriptors.push_back(shm::duplicate(chunk.fd.get()));
    if (request.cursor) {
      const NamedCursor& cursor = topic->cursors.hold(
          *request.cursor, request.protects, {id, session->process.pid, chunk.slot(run.first)});
      reply.cursor_offsets = cursor.offsets;
      protects = cursor.protects;
    }
  } catch (const Error&) {
    give_back(*session, run, partitions);
    throw;
  }
  Handle handle{.topic = topic,
                .role = request.role,
                .chunk = run.chunk,
                .first_slot = run.first,
                .producer = producer,
                .attachment = attachment,
                .cursor = request.cursor.value_or(""),
                .generation = topic->row.generation,
                .exclusive = request.exclusive};
  handle.latency.begin(*chunk.slot(run.first));
  write_entry(topic->served->memory().attachments()[attachment], *session, id, handle, protects);
  session->handles.emplace(id, handle);
  note_producer(*session, id, handle);
  // Not only with the next position: who never moves the cursor has its records kept, too.
  try {
    if (request.protects) save_cursors(*topic);
  } catch (const Error&) {
    // The supervisor's tick tries again, and says what fails.
  }
  describe(reply, id, handle, chunk);
  reply.new_chunk = run.is_new;
  parts_.flusher.attach(topic->served, slots_of(*session, id, handle, mode),
                        answering(std::move(opened), std::move(done)));
}

/// From the flusher's thread back into this one. Descriptors are move-only and std::function
/// copies: hence the shared box.
std::function<void()> Handles::answering(OpenedHandle opened, Done done) const {
  auto box = std::make_shared<OpenedHandle>(std::move(opened));
  return
      [this, box, done = std::move(done)] { parts_.post([box, done] { done(std::move(*box)); }); };
}

void Handles::note_producer(const Session& session, std::uint64_t id, const Handle& handle) {
  if (handle.role != layout::Role::producer) return;
  handle.topic->producers.add(id, {.session = session.id,
                                   .pid = session.process.pid,
                                   .exclusive = handle.exclusive,
                                   .attachment = handle.attachment});
}

void Handles::release(const std::shared_ptr<Session>& session, std::uint64_t id,
                      std::function<void(std::uint32_t)> done) {
  const auto found = session->handles.find(id);
  // A topic that is being deleted frees its handles by itself.
  if (found == session->handles.end() || found->second.topic->deleting) return done(0);
  Handle& handle = found->second;
  if (std::exchange(handle.releasing, true)) {
    return handle.when_released.push_back([done = std::move(done)] { done(0); });
  }
  handle.topic->producers.leaves(id);
  // Not carried over into another ring, nor kept by another supervisor.
  handle.topic->served->memory().attachments()[handle.attachment].state.store(
      kReleasing, std::memory_order::release);
  parts_.flusher.release(handle.topic->served, id,
                         [this, session, id, done = std::move(done)](std::uint32_t repaired) {
                           parts_.post([this, session, id, repaired, done] {
                             finish_release(*session, id);
                             done(repaired);
                           });
                         });
}

void Handles::finish_release(Session& session, std::uint64_t id) {
  const auto found = session.handles.find(id);
  if (found == session.handles.end()) return;  // the topic was deleted meanwhile
  take_latency(session, found->second);
  const Handle handle = found->second;
  if (!handle.cursor.empty()) {
    try {
      save_cursors(*handle.topic);
    } catch (const Error& error) {
      parts_.log.warning("cursor_not_saved", {{"topic", handle.topic->row.name},
                                              {"cursor", handle.cursor},
                                              {"why", error.what()},
                                              {"effect", "it is tried again"}});
    }
    handle.topic->cursors.let_go(handle.cursor, id);
  }
  handle.topic->served->memory().attachments()[handle.attachment].state.store(
      kFree, std::memory_order::release);
  TopicRegistry::forget_retired(*handle.topic);
  session.handles.erase(found);
  free_slots(session, handle);
  for (const auto& wake : handle.topic->producers.gone(id)) (*wake)();
  for (const auto& released : handle.when_released) released();
}

/// Of a handle's slots only the first counts: it costs the same however many partitions there are.
void Handles::take_latency(const Session& session, Handle& handle) {
  if (handle.role != layout::Role::consumer) return;
  const auto chunk = session.chunks.find(handle.chunk);
  if (chunk == session.chunks.end()) return;
  handle.latency.take(*chunk->second.slot(handle.first_slot), handle.topic->latency);
}

void Handles::take_latencies(Session& session) {
  for (auto& [id, handle] : session.handles) take_latency(session, handle);
}

void Handles::free_slots(Session& session, const Handle& handle) {
  const auto chunk = session.chunks.find(handle.chunk);
  if (chunk != session.chunks.end()) {
    chunk->second.runs.give(handle.first_slot, handle.topic->settings.partitions);
  }
}

void Handles::drop_free_chunks(Session& session) {
  const std::size_t dropped = std::erase_if(session.chunks, [&](const auto& entry) {
    if (!entry.second.runs.empty()) return false;
    parts_.keepsakes.drop(shm::to_string(shm::MemoryName::of_session(session.id, entry.first)));
    return true;
  });
  if (dropped == 0 || !session.chunks.empty()) return;
  parts_.keepsakes.drop(pidfd_name(session.id));
  parts_.keepsakes.drop(doorbell_name(session.id));
}

void Handles::forget(Session& session, const Topic& topic) {
  for (auto handle = session.handles.begin(); handle != session.handles.end();) {
    if (handle->second.topic.get() != &topic) {
      ++handle;
      continue;
    }
    free_slots(session, handle->second);
    for (const auto& wake : handle->second.topic->producers.gone(handle->first)) {
      parts_.post([wake] { (*wake)(); });
    }
    for (auto& released : handle->second.when_released) parts_.post(std::move(released));
    handle = session.handles.erase(handle);
  }
}

bool Handles::adopt(Session& session, const std::shared_ptr<Topic>& topic, std::size_t attachment) {
  layout::Attachment& entry = topic->served->memory().attachments()[attachment];
  const std::uint32_t flags = entry.flags.load(std::memory_order::relaxed);
  const std::uint32_t partitions = topic->settings.partitions;
  const auto chunk = session.chunks.find(entry.chunk);
  if (chunk == session.chunks.end() || !chunk->second.runs.take_at(entry.first_slot, partitions)) {
    entry.state.store(kFree, std::memory_order::release);
    return false;
  }
  Handle handle{.topic = topic,
                .role = entry.role,
                .chunk = entry.chunk,
                .first_slot = entry.first_slot,
                .producer = entry.producer,
                .attachment = attachment,
                .cursor = std::string(entry.cursor_name,
                                      ::strnlen(entry.cursor_name, sizeof entry.cursor_name)),
                .generation = entry.generation,
                .exclusive = (flags & layout::kExclusive) != 0};
  handle.latency.begin(*chunk->second.slot(handle.first_slot));
  session.reached = session.reached || (flags & layout::kReached) != 0;
  try {
    if (!handle.cursor.empty()) {
      topic->cursors.hold(
          handle.cursor, (flags & layout::kProtects) != 0,
          {entry.handle, session.process.pid, chunk->second.slot(handle.first_slot)});
    }
  } catch (const Error& held) {
    // A crash between two holders: the first of them has it.
    parts_.log.warning("cursor_not_adopted", {{"topic", topic->row.name}, {"why", held.what()}});
    handle.cursor.clear();
  }
  const layout::BoardHeader& board = topic->served->memory().board();
  if (handle.generation == board.generation) {
    topic->served->adopted_handles.push_back(
        slots_of(session, entry.handle, handle,
                 handle.exclusive ? layout::ClaimMode::exclusive : layout::ClaimMode::shared));
  } else if (auto blocker = blocker_of(entry, board)) {
    topic->served->adopted_handles.push_back(std::move(*blocker));
  }
  note_producer(session, entry.handle, handle);
  session.handles.emplace(entry.handle, std::move(handle));
  return true;
}

void Handles::save_cursors(Topic& topic) {
  if (!topic.served) return;
  std::vector<CursorRow> changed;
  // Readers find out for themselves what is committed, and may be ahead of the board. Once for all
  // cursors of a partition: any number of them may say anything.
  std::map<std::uint32_t, std::uint64_t> walked;
  const auto committed = [&](std::uint32_t p, std::uint64_t offset) {
    const ring::PartitionView view = topic.served->view(p);
    if (offset <= view.board().committed_offset.load(std::memory_order::acquire)) return true;
    const auto [known, is_new] = walked.try_emplace(p);
    if (is_new) known->second = CommittedWalk(view).offset();
    return offset <= known->second;
  };
  topic.cursors.collect(committed, changed);
  parts_.catalog.save_cursors(changed);
  topic.cursors.saved();
}

}  // namespace ringway::daemon
