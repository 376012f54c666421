#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/access.hpp"
#include "control/messages.hpp"
#include "daemon/damage_check.hpp"
#include "daemon/handles.hpp"
#include "daemon/producer_admission.hpp"
#include "daemon/session_table.hpp"
#include "daemon/topic_registry.hpp"

namespace ringway::daemon {

/// How a request is answered: once, now or later.
struct Answer {
  std::function<void(control::Reply, std::vector<shm::Descriptor>)> reply;
  std::function<void(const Error&)> refuse;
  std::function<bool()> wanted;  ///< whether somebody is still there to get it

  void operator()(control::Reply with, std::vector<shm::Descriptor> descriptors = {}) const {
    reply(std::move(with), std::move(descriptors));
  }
};

/// What the supervisor does for a session that asks: rights first, then the registry, the handles,
/// the catalog. Everything that is wrong with a request is its answer. Control thread only.
class Requests {
 public:
  using Status = std::function<nlohmann::json()>;

  /// @throws Error where the configuration names an account that there is not.
  Requests(const SupervisorParts& parts, TopicRegistry& registry, SessionTable& sessions,
           Handles& handles, ProducerAdmission& admission, Status status);

  void dispatch(const std::shared_ptr<Session>& session, const control::Request& request,
                const Answer& answer);
  /// Who may create topics, by the configuration as it is now. @throws Error as the constructor.
  void resolve_creators();

 private:
  using Asker = const std::shared_ptr<Session>&;
  bool waits_for_creation(Asker, const control::Request&, const Answer&);
  void refuse(const Session& session, const Answer& answer) const;
  void handle(Asker, const control::Hello&, const Answer&);
  void handle(Asker, const control::CreateTopic&, const Answer&);
  void handle(Asker, const control::AlterTopic&, const Answer&);
  void handle(Asker, const control::DeleteTopic&, const Answer&);
  void handle(Asker, const control::ListTopics&, const Answer&);
  void handle(Asker, const control::DescribeTopic&, const Answer&);
  void handle(Asker, const control::GetStatus&, const Answer&);
  void handle(Asker, const control::Open&, const Answer&);
  void handle(Asker, const control::Close&, const Answer&);
  void handle(Asker, const control::FindSegment&, const Answer&);
  void handle(Asker, const control::ListCursors&, const Answer&);
  void handle(Asker, const control::DeleteCursor&, const Answer&);
  void handle(Asker, const control::TrimTopic&, const Answer&);
  void handle(Asker, const control::ChangeAccess&, const Answer&);
  void handle(Asker, const control::ListAccess&, const Answer&);

  void find_again(Asker, const control::FindSegment&, const Answer&) const;
  std::shared_ptr<Topic> readable(const Session& session, const control::FindSegment& find) const;

  bool may(const Session& session, control::Right right, const Topic& topic) const;
  bool may_anything(const Session& session, const Topic& topic) const;
  void demand(const Session& session, control::Right right, const Topic& topic) const;
  static void demand_served(const Topic& topic);
  void alter_retention(Topic& topic, const TopicChoices& choices);

  SupervisorParts parts_;
  TopicRegistry& registry_;
  SessionTable& sessions_;
  Handles& handles_;
  ProducerAdmission& admission_;
  Status status_;
  control::AccessList creators_;
  DamageCheck damage_check_{parts_};
  bool everybody_creates_ = false;
};

}  // namespace ringway::daemon
