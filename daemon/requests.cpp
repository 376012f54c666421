#include "daemon/requests.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "control/shell_word.hpp"
#include "control/topic_settings.hpp"
#include "daemon/access_change.hpp"
#include "daemon/segment_opening.hpp"
#include "daemon/topic_report.hpp"
#include "daemon/trim.hpp"
#include "ringway/error.hpp"

namespace ringway::daemon {
namespace {

using control::Right;

// So that a page is one message, whatever the names are.
constexpr std::size_t kTopicsAPage = 256;
constexpr std::size_t kCursorsAPage = 256;
constexpr std::size_t kCursorOffsetsAPage = 8'000;

void answer_with(const Answer& answer, OpenedSegment opened) {
  std::vector<shm::Descriptor> descriptors;
  if (opened.file) descriptors.push_back(std::move(opened.file));
  answer(opened.found, std::move(descriptors));
}

}  // namespace

Requests::Requests(const SupervisorParts& parts, TopicRegistry& registry, SessionTable& sessions,
                   Handles& handles, ProducerAdmission& admission, Status status)
    : parts_(parts),
      registry_(registry),
      sessions_(sessions),
      handles_(handles),
      admission_(admission),
      status_(std::move(status)) {
  resolve_creators();
}

void Requests::resolve_creators() {
  std::vector<std::string> creators = parts_.config.create;
  everybody_creates_ = std::erase(creators, "*") > 0;
  creators_ = control::resolve(creators, control::Accounts::system());
}

void Requests::dispatch(const std::shared_ptr<Session>& session, const control::Request& request,
                        const Answer& answer) {
  if (waits_for_creation(session, request, answer)) return;
  try {
    std::visit([&](const auto& asked) { handle(session, asked, answer); }, request);
  } catch (...) {
    refuse(*session, answer);
  }
}

/// What names a topic that is being made is answered when that is over: who is told that it exists
/// may use it.
bool Requests::waits_for_creation(Asker session, const control::Request& request,
                                  const Answer& answer) {
  const std::string* const name = std::visit(
      [](const auto& asked) -> const std::string* {
        if constexpr (requires { std::string_view(asked.topic); }) {
          return &asked.topic;
        } else if constexpr (requires { asked.name; }) {
          return &asked.name;
        } else {
          return nullptr;
        }
      },
      request);
  return name != nullptr && registry_.await_creation(*name, [this, session, request, answer] {
    if (answer.wanted()) dispatch(session, request, answer);
  });
}

/// Of what was thrown, in its handler.
void Requests::refuse(const Session& session, const Answer& answer) const {
  try {
    throw;
  } catch (const Error& error) {
    answer.refuse(error);
  } catch (const std::exception& error) {
    parts_.log.error("request_failed", {{"pid", session.process.pid}, {"why", error.what()}});
    answer.refuse(Error(ErrorCode::failed, "supervisor", error.what(), ""));
  }
}

bool Requests::may(const Session& session, Right right, const Topic& topic) const {
  return control::allowed(right, session.credentials, topic.access, parts_.self.uid);
}

bool Requests::may_anything(const Session& session, const Topic& topic) const {
  return may(session, Right::read, topic) || may(session, Right::write, topic) ||
         may(session, Right::administer, topic);
}

void Requests::demand(const Session& session, Right right, const Topic& topic) const {
  if (may(session, right, topic)) return;
  const std::string_view missing = control::to_string(right);
  const std::string_view list = right == Right::read    ? "readers"
                                : right == Right::write ? "writers"
                                                        : "admins";
  const std::string option =
      fmt::format("--{} {}", right == Right::administer ? "admin" : missing,
                  control::shell_quoted(session.user));
  throw Error(ErrorCode::denied, fmt::format("topic '{}'", topic.row.name),
              fmt::format("user '{}' lacks the right to {}", session.user, missing),
              fmt::format("an admin of the topic gives it: {}; or add the user to its {} in the "
                          "supervisor's configuration",
                          control::typed("ringway acl grant", {topic.row.name}, option), list));
}

void Requests::demand_served(const Topic& topic) {
  if (topic.served) return;
  throw Error(ErrorCode::failed, fmt::format("topic '{}'", topic.row.name),
              fmt::format("is not served: {}", topic.fault),
              "mend that and restart the supervisor");
}

void Requests::handle(Asker, const control::Hello&, const Answer&) {
  throw Error(ErrorCode::usage, "request hello", "was made already on this connection", "");
}

void Requests::handle(Asker session, const control::CreateTopic& create, const Answer& answer) {
  const control::Credentials& peer = session->credentials;
  if (!everybody_creates_ && !control::trusted(peer, parts_.self.uid) &&
      !creators_.contains(peer)) {
    control::validate_topic_name(create.name);
    throw Error(ErrorCode::denied, fmt::format("topic '{}'", create.name),
                fmt::format("user '{}' lacks the right to create topics", session->user),
                "add the user to `create` in the supervisor's configuration");
  }
  const TopicSettings settings = control::settle(create.settings, parts_.config.defaults);
  registry_.create(
      create.name, settings, peer,
      [this, session, answer](const std::shared_ptr<Topic>& topic, std::exception_ptr refused) {
        try {
          if (refused) std::rethrow_exception(refused);
          answer(control::TopicCreated{topic->row.uuid});
        } catch (...) {
          refuse(*session, answer);
        }
      });
}

void Requests::handle(Asker session, const control::AlterTopic& alter, const Answer& answer) {
  const auto topic = registry_.get(alter.name);
  demand(*session, Right::administer, *topic);
  demand_served(*topic);
  if (control::is_retention_only(alter.settings)) {
    alter_retention(*topic, alter.settings);
    return answer(control::Done{});
  }
  registry_.alter(topic, control::alter(topic->settings, alter.settings),
                  [answer](const std::optional<Error>& refused) {
                    refused ? answer.refuse(*refused) : answer(control::Done{});
                  });
}

/// The log's alone: the ring stays, so that it can be done on a full disk, too.
void Requests::alter_retention(Topic& topic, const TopicChoices& choices) {
  const TopicSettings altered = control::alter(topic.settings, choices);
  control::validate(altered);
  const std::string settings = control::to_json(altered).dump();
  parts_.catalog.set_settings(topic.row.uuid, settings);
  topic.row.settings = settings;
  topic.settings = altered;
  if (topic.replacement) {  // what follows the ring has settings of its own, and keeps the others
    topic.replacement->settings = control::alter(topic.replacement->settings, choices);
  }
  parts_.log.info("retention_altered", {{"topic", topic.row.name},
                                        {"retention_bytes", altered.retention_bytes},
                                        {"retention_age_ms", altered.retention_age_ms}});
}

void Requests::handle(Asker session, const control::DeleteTopic& remove, const Answer& answer) {
  const auto topic = registry_.get(remove.name);
  demand(*session, Right::administer, *topic);
  registry_.remove(
      topic, [this, topic] { sessions_.forget(*topic); }, [answer] { answer(control::Done{}); });
}

void Requests::handle(Asker session, const control::ListTopics& list, const Answer& answer) {
  control::TopicList page;
  const std::size_t most = std::min<std::size_t>(list.max, kTopicsAPage);
  for (auto next = registry_.all().upper_bound(list.after); next != registry_.all().end(); ++next) {
    const Topic& topic = *next->second;
    if (topic.deleting || !may_anything(*session, topic)) continue;
    if (page.topics.size() == most) {
      page.more = true;
      break;
    }
    page.topics.push_back(
        {topic.row.name, topic.row.uuid, topic.settings.partitions, mode_of(topic.settings)});
  }
  answer(std::move(page));
}

void Requests::handle(Asker session, const control::DescribeTopic& ask, const Answer& answer) {
  const auto topic = registry_.get(ask.name);
  if (!may_anything(*session, *topic)) demand(*session, Right::read, *topic);
  nlohmann::json details = describe(*topic);
  if (topic->settings.persist) details["log_writer"] = parts_.flusher.engine_name();
  answer(control::TopicDescription{topic->row.uuid, topic->settings, std::move(details)});
}

void Requests::handle(Asker, const control::GetStatus&, const Answer& answer) {
  answer(control::StatusReport{status_()});
}

void Requests::handle(Asker session, const control::Open& open, const Answer& answer) {
  const auto topic = registry_.get(open.topic);
  demand(*session, open.role == layout::Role::producer ? Right::write : Right::read, *topic);
  demand_served(*topic);
  const auto again = [this, session, open, answer] {
    if (answer.wanted()) dispatch(session, open, answer);
  };
  if (open.cursor) {
    control::validate_cursor_name(*open.cursor);
    if (const auto holder = sessions_.dead_holder(*topic, *open.cursor)) {
      holder->when_gone.push_back(again);
      return;
    }
  }
  const auto opened = [answer](OpenedHandle handle) {
    answer(std::move(handle.reply), std::move(handle.descriptors));
  };
  if (handles_.move(session, topic, open, opened)) return;
  if (open.role == layout::Role::producer &&
      !admission_.admits(topic, open.exclusive, {.again = again, .refused = answer.refuse})) {
    return;
  }
  handles_.open(session, topic, open, opened);
}

void Requests::handle(Asker session, const control::Close& close, const Answer& answer) {
  // One that is unknown is closed already: its topic was deleted.
  sessions_.close(session, close.handle, [answer] { answer(control::Done{}); });
}

void Requests::handle(Asker session, const control::FindSegment& find, const Answer& answer) {
  const auto topic = readable(*session, find);
  if (find.unreadable) {
    damage_check_.look_at(topic, find.partition, *find.unreadable, session->credentials.uid);
  }
  OpenedSegment opened = open_segment(*topic, find, parts_.log);
  if (!opened.newest_refused) return answer_with(answer, std::move(opened));
  // Records must not go on into a file that nobody can read.
  parts_.flusher.leave_segment(topic->served, find.partition, [this, session, find, answer] {
    parts_.post([this, session, find, answer] {
      if (answer.wanted()) find_again(session, find, answer);
    });
  });
}

/// Once the flusher has left the newest segment.
void Requests::find_again(Asker session, const control::FindSegment& find,
                          const Answer& answer) const {
  try {
    OpenedSegment opened = open_segment(*readable(*session, find), find, parts_.log);
    if (opened.newest_refused) throw Error(*opened.newest_refused);
    answer_with(answer, std::move(opened));
  } catch (...) {
    refuse(*session, answer);
  }
}

/// The topic whose log is asked for, if it is there to be read.
std::shared_ptr<Topic> Requests::readable(const Session& session,
                                          const control::FindSegment& find) const {
  auto topic = registry_.get(find.topic);
  demand(session, Right::read, *topic);
  demand_served(*topic);
  if (find.partition < topic->settings.partitions) return topic;
  throw Error(ErrorCode::usage,
              fmt::format("partition {} of topic '{}'", find.partition, topic->row.name),
              fmt::format("the topic has {} partitions", topic->settings.partitions),
              "count from 0");
}

void Requests::handle(Asker session, const control::ListCursors& list, const Answer& answer) {
  const auto topic = registry_.get(list.topic);
  demand(*session, Right::read, *topic);
  try {
    handles_.save_cursors(*topic);
  } catch (const Error&) {
    // They are known all the same; the supervisor's tick tries again, and says what fails.
  }
  control::CursorList page;
  const auto& cursors = topic->cursors.all();
  const std::size_t most = std::max(
      std::size_t{1}, std::min(kCursorsAPage, kCursorOffsetsAPage / topic->settings.partitions));
  for (auto next = cursors.upper_bound(list.after); next != cursors.end(); ++next) {
    if (page.cursors.size() == most) {
      page.more = true;
      break;
    }
    const NamedCursor& cursor = next->second;
    page.cursors.push_back(
        {next->first, cursor.offsets, cursor.protects, cursor.holder ? cursor.holder->pid : 0});
  }
  answer(std::move(page));
}

void Requests::handle(Asker session, const control::DeleteCursor& remove, const Answer& answer) {
  const auto topic = registry_.get(remove.topic);
  demand(*session, Right::administer, *topic);
  control::validate_cursor_name(remove.name);
  topic->cursors.demand_free(remove.name);
  parts_.catalog.remove_cursor(topic->row.uuid, remove.name);
  topic->cursors.remove(remove.name);
  answer(control::Done{});
}

void Requests::handle(Asker session, const control::ChangeAccess& change, const Answer& answer) {
  const auto topic = registry_.get(change.name);
  demand(*session, Right::administer, *topic);
  const TopicSettings settings = changed(topic->row.name, topic->settings, change,
                                         control::Accounts::system());
  registry_.set_access(*topic, settings);
  parts_.log.info(change.grant ? EventName("access_granted") : EventName("access_revoked"),
                  {{"topic", topic->row.name},
                   {"read", fmt::format("{}", fmt::join(change.readers, ","))},
                   {"write", fmt::format("{}", fmt::join(change.writers, ","))},
                   {"administer", fmt::format("{}", fmt::join(change.admins, ","))},
                   {"by_uid", session->credentials.uid}});
  answer(control::Done{});
}

void Requests::handle(Asker session, const control::ListAccess& list, const Answer& answer) {
  const auto topic = registry_.get(list.name);
  if (!may_anything(*session, *topic)) demand(*session, Right::read, *topic);
  answer(access_report(*topic, parts_.config, parts_.self.uid));
}

void Requests::handle(Asker session, const control::TrimTopic& asked, const Answer& answer) {
  const auto topic = registry_.get(asked.name);
  demand(*session, Right::administer, *topic);
  demand_served(*topic);
  trim(parts_, *topic, asked,
       [answer](const control::TopicTrimmed& trimmed, const std::optional<Error>& refused) {
         refused ? answer.refuse(*refused) : answer(trimmed);
       });
}

}  // namespace ringway::daemon
