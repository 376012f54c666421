#include "daemon/session_table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/death_watch.hpp"
#include "ringway/error.hpp"
#include "shm/memory_name.hpp"
#include "shm/process.hpp"

namespace ringway::daemon {
namespace {

namespace asio = boost::asio;

template <std::size_t N>
std::string text(const char (&field)[N]) {
  return {field, ::strnlen(field, N)};
}

}  // namespace

std::shared_ptr<Session> SessionTable::begin(const control::Credentials& credentials,
                                             shm::Descriptor pidfd, const control::Hello& hello) {
  const auto process = shm::identify(credentials.pid, credentials.uid);
  // Identified after the pidfd was opened: alive still, so it is this process's identity.
  if (!process || shm::is_dead(pidfd.get())) {
    throw Error(ErrorCode::denied, fmt::format("process {}", credentials.pid), "has ended", "");
  }
  auto session = std::make_shared<Session>(io_, ids_.next());
  session->process = *process;
  session->credentials = credentials;
  session->user = shm::user_name(credentials.uid);
  session->client = hello.client;
  session->version = hello.version;
  session->reached = hello.membarrier;
  session->pidfd = std::move(pidfd);
  session->doorbell = doorbells_.make();
  watch(session);  // may fail, for want of a descriptor: then there is no session
  sessions_.emplace(session->id, session);
  return session;
}

std::shared_ptr<Session> SessionTable::resume(const control::Credentials& credentials,
                                              const control::Hello& hello) {
  const auto found = sessions_.find(hello.session.value_or(0));
  if (found == sessions_.end()) return nullptr;
  const auto session = found->second;
  const auto process = shm::identify(credentials.pid, credentials.uid);
  if (session->dead || !process || !shm::same_process(*process, session->process) ||
      shm::is_dead(session->pidfd.get())) {
    return nullptr;
  }
  if (session->disconnect) std::exchange(session->disconnect, {})();
  session->credentials = credentials;
  session->client = hello.client;
  session->version = hello.version;
  session->reached = hello.membarrier;
  return session;
}

void SessionTable::take_back_behind(const std::shared_ptr<Session>& session,
                                    std::uint64_t last_handle, std::function<void()> done) {
  std::vector<std::uint64_t> unheard;
  for (auto handle = session->handles.upper_bound(last_handle); handle != session->handles.end();
       ++handle) {
    unheard.push_back(handle->first);
  }
  // The memory that came with these handles has not arrived either. It goes when they are released:
  // perhaps not yet when the client, who asked once more meanwhile, opens the next.
  for (auto& chunk : session->chunks) {
    chunk.second.unheard =
        std::none_of(session->handles.begin(), session->handles.upper_bound(last_handle),
                     [&](const auto& handle) { return handle.second.chunk == chunk.first; });
  }
  // One more than there are releases, so that it ends here when there are none.
  const auto left = std::make_shared<std::size_t>(unheard.size() + 1);
  const auto one_less = [this, session, left, done = std::move(done)](std::uint32_t) {
    if (--*left != 0) return;
    handles_.drop_free_chunks(*session);
    done();
  };
  for (const std::uint64_t handle : unheard) handles_.release(session, handle, one_less);
  one_less(0);
}

void SessionTable::watch(const std::shared_ptr<Session>& session) {
  session->watch.assign(shm::duplicate(session->pidfd.get()).release());
  await_death(session->watch, [this, session] { died(session); });
}

void SessionTable::disconnected(const std::shared_ptr<Session>& session) {
  session->disconnect = {};
  if (session->dead) return;
  if (shm::is_dead(session->pidfd.get())) return died(session);
  if (session->handles.empty()) return end(session);
  parts_.log.write(Severity::debug, "client_disconnected",
                   {{"pid", session->process.pid},
                    {"user", session->user},
                    {"handles", session->handles.size()},
                    {"effect", "its process lives and keeps them"}});
}

void SessionTable::died(const std::shared_ptr<Session>& session) {
  if (session->dead) return;
  session->dead = true;
  boost::system::error_code ignored;
  session->watch.close(ignored);
  if (session->disconnect) std::exchange(session->disconnect, {})();
  if (session->handles.empty()) return end(session);
  // Also of many a process that ended well, right after it had asked to close them.
  parts_.log.write(Severity::debug, "client_died",
                   {{"pid", session->process.pid},
                    {"user", session->user},
                    {"handles", session->handles.size()}});
  std::vector<std::uint64_t> handles;
  for (const auto& [id, handle] : session->handles) handles.push_back(id);
  for (const std::uint64_t id : handles) {
    handles_.release(session, id, [this, session](std::uint32_t) { end_if_over(session); });
  }
}

void SessionTable::close(const std::shared_ptr<Session>& session, std::uint64_t handle,
                         std::function<void()> done) {
  handles_.release(session, handle, [this, session, done = std::move(done)](std::uint32_t) {
    done();
    end_if_over(session);
  });
}

void SessionTable::forget(const Topic& topic) {
  const auto sessions = sessions_;
  for (const auto& [id, session] : sessions) {
    handles_.forget(*session, topic);
    end_if_over(session);
  }
}

/// Nothing of it is left, and nobody is there who could want more.
void SessionTable::end_if_over(const std::shared_ptr<Session>& session) {
  if (session->handles.empty() && (session->dead || !session->disconnect)) end(session);
}

void SessionTable::end(const std::shared_ptr<Session>& session) {
  if (sessions_.erase(session->id) == 0) return;
  boost::system::error_code ignored;
  session->watch.close(ignored);
  for (const auto& [number, chunk] : session->chunks) {
    parts_.keepsakes.drop(shm::to_string(shm::MemoryName::of_session(session->id, number)));
  }
  if (!session->chunks.empty()) {
    parts_.keepsakes.drop(pidfd_name(session->id));
    parts_.keepsakes.drop(doorbell_name(session->id));
  }
  doorbells_.forget(session->doorbell.get());
  for (auto& waiting : std::exchange(session->when_gone, {})) waiting();
}

bool SessionTable::is_dead(std::uint64_t id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return true;
  const auto session = found->second;
  if (!session->dead && !shm::is_dead(session->pidfd.get())) return false;
  died(session);
  return true;
}

std::shared_ptr<Session> SessionTable::dead_holder(const Topic& topic, const std::string& cursor) {
  const NamedCursor* found = topic.cursors.find(cursor);
  if (found == nullptr || !found->holder) return nullptr;
  for (const auto& [id, session] : sessions_) {
    if (!session->handles.contains(found->holder->handle)) continue;
    const auto holder = session;
    return is_dead(id) ? holder : nullptr;
  }
  return nullptr;
}

std::map<std::uint64_t, std::set<std::uint32_t>> SessionTable::holders_of_retired(
    const Topic& topic) const {
  std::map<std::uint64_t, std::set<std::uint32_t>> holders;
  for (const auto& [id, session] : sessions_) {
    if (session->dead) continue;
    for (const auto& [handle_id, handle] : session->handles) {
      if (handle.topic.get() != &topic || handle.role != layout::Role::consumer ||
          handle.generation == topic.row.generation) {
        continue;
      }
      const layout::Slot* const slots = session->chunks.at(handle.chunk).slot(handle.first_slot);
      const bool holds =
          std::any_of(slots, slots + topic.settings.partitions, [](const layout::Slot& slot) {
            // Relaxed: nothing of that ring is used again, whatever it says.
            return slot.pin.load(std::memory_order::relaxed) != layout::kNoPin;
          });
      if (holds) holders[handle.generation].insert(session->process.pid);
    }
  }
  return holders;
}

layout::Attachment* SessionTable::entry_of(std::uint64_t id) const {
  for (const auto& [session_id, session] : sessions_) {
    const auto found = session->handles.find(id);
    if (found == session->handles.end()) continue;
    return &found->second.topic->served->memory().attachments()[found->second.attachment];
  }
  return nullptr;
}

std::uint64_t SessionTable::pin_of(std::uint64_t id, std::uint32_t partition) const {
  for (const auto& [session_id, session] : sessions_) {
    const auto found = session->handles.find(id);
    if (found == session->handles.end()) continue;
    const Handle& handle = found->second;
    const layout::Slot* const slots = session->chunks.at(handle.chunk).slot(handle.first_slot);
    return slots[partition].pin.load(std::memory_order::acquire);  // UNPIN
  }
  return layout::kNoPin;
}

bool SessionTable::kill_holder(std::uint64_t handle) const {
  for (const auto& [id, session] : sessions_) {
    if (!session->handles.contains(handle)) continue;
    return !shm::same_process(session->process, parts_.self) &&
           shm::kill_process(session->pidfd.get());
  }
  return false;
}

std::shared_ptr<Session> SessionTable::adopt_session(const layout::Attachment& entry,
                                                     std::map<std::string, KeptDescriptor>& kept) {
  if (const auto known = sessions_.find(entry.session); known != sessions_.end()) {
    return known->second;
  }
  auto session = std::make_shared<Session>(io_, entry.session);
  session->process = entry.process;
  session->credentials.pid = static_cast<pid_t>(entry.process.pid);
  session->credentials.uid = entry.process.uid;
  session->user = text(entry.user);
  session->version = text(entry.version);
  // The kept pidfd is the better proof: it also knows a process whose start time was hidden.
  if (const auto found = kept.find(pidfd_name(session->id)); found != kept.end()) {
    session->pidfd = shm::duplicate(found->second.descriptor.get());
    kept.erase(found);
  } else if (auto opened = shm::open_process(entry.process)) {
    session->pidfd = std::move(*opened);
  }
  if (const auto found = kept.find(doorbell_name(session->id)); found != kept.end()) {
    // Its producers ring this one until they have greeted us.
    session->doorbell = shm::duplicate(found->second.descriptor.get());
    doorbells_.watch(session->doorbell.get());
    kept.erase(found);
  } else {
    session->doorbell = doorbells_.make();
  }
  // Numbers may have gaps; no name of this session comes before that of its first.
  auto found = kept.lower_bound(shm::to_string(shm::MemoryName::of_session(session->id, 0)));
  while (found != kept.end()) {
    const auto name = shm::parse_memory_name(found->first);
    const auto number = name ? static_cast<std::uint32_t>(name->number) : 0;
    if (name != shm::MemoryName::of_session(session->id, number)) break;
    const int fd = found->second.descriptor.get();
    session->chunks.emplace(number, Chunk(shm::duplicate(fd), Chunk::slots_in(fd, found->first)));
    parts_.keepsakes.keep_on(found->second, {{"kind", "session"}, {"session", session->id}},
                             session->chunks.at(number).fd.get());
    found = kept.erase(found);
  }
  handles_.keep_proof(*session);
  sessions_.emplace(session->id, session);
  return session;
}

/// An older copy of the catalog would give them once more.
void SessionTable::reserve_adopted(const TopicRegistry& registry,
                                   const std::map<std::string, KeptDescriptor>& kept) const {
  std::uint64_t session = 0, handle = 0, producer = 0;
  for (const auto& [text, one] : kept) {
    const auto name = shm::parse_memory_name(text);
    if (name && name->kind == shm::MemoryKind::session) session = std::max(session, name->session);
  }
  for (const auto& [name, topic] : registry.all()) {
    if (!topic->served || !topic->served->adopted) continue;
    for (const layout::Attachment& entry : topic->served->memory().attachments()) {
      if (entry.state.load(std::memory_order::acquire) == 0) continue;
      handle = std::max(handle, entry.handle);
      producer = std::max<std::uint64_t>(producer, entry.producer);
    }
  }
  parts_.catalog.reserve_up_to(Identity::session, session);
  parts_.catalog.reserve_up_to(Identity::handle, handle);
  parts_.catalog.reserve_up_to(Identity::producer, producer);
}

void SessionTable::adopt(const TopicRegistry& registry,
                         std::map<std::string, KeptDescriptor>& kept) {
  reserve_adopted(registry, kept);
  for (const auto& [name, topic] : registry.all()) {
    if (!topic->served || !topic->served->adopted) continue;
    const auto table = topic->served->memory().attachments();
    for (std::size_t i = 0; i < table.size(); ++i) {
      if (table[i].state.load(std::memory_order::acquire) == 0) continue;
      const auto session = adopt_session(table[i], kept);
      if (!handles_.adopt(*session, topic, i)) {
        parts_.log.error("handle_not_adopted", {{"topic", name},
                                                {"pid", session->process.pid},
                                                {"why", "its session memory is gone"}});
      }
    }
  }
  for (const auto& [id, session] : sessions_) {
    for (auto& [number, chunk] : session->chunks) {
      // Slots of handles of topics that are kept out.
      const auto name = shm::to_string(shm::MemoryName::of_session(id, number));
      if (parts_.keepsakes.holds(name)) chunk.runs.take_rest();
    }
  }
  // One of which nothing was adopted is not resumed: its client would go on with slots that nobody
  // sees. Greeted anew, it opens everything again.
  const auto adopted = sessions_;
  for (const auto& [id, session] : adopted) {
    if (!session->handles.empty()) continue;
    parts_.keepsakes.drop(pidfd_name(id));
    parts_.keepsakes.drop(doorbell_name(id));
    end(session);
  }
}

void SessionTable::watch_adopted() {
  const auto adopted = sessions_;
  for (const auto& [id, session] : adopted) {
    if (!session->pidfd || shm::is_dead(session->pidfd.get())) {
      died(session);
    } else {
      watch(session);
      close_released(session);
    }
  }
}

/// What the supervisor before this one had not done with.
void SessionTable::close_released(const std::shared_ptr<Session>& session) {
  std::vector<std::uint64_t> released;
  for (const auto& [id, handle] : session->handles) {
    const auto table = handle.topic->served->memory().attachments();
    // Relaxed: only this thread writes them.
    if (table[handle.attachment].state.load(std::memory_order::relaxed) == layout::kReleasing) {
      released.push_back(id);
    }
  }
  for (const std::uint64_t id : released) close(session, id, [] {});
}

}  // namespace ringway::daemon
