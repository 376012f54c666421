#pragma once

#include <sys/types.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "control/access.hpp"
#include "control/channel.hpp"
#include "control/fields.hpp"
#include "shm/descriptor.hpp"

namespace ringway::daemon {

/// What the keeper answers, apart from sockets and polling: one request in, one reply out. Owns all
/// kept descriptors. One thread.
class KeeperService {
 public:
  /// `trusted_uid` may do everything, as may root. No more than `descriptors_max` are kept.
  KeeperService(std::string state_dir, uid_t trusted_uid, std::size_t descriptors_max);

  /// Who asks, over one connection.
  struct Peer {
    control::Credentials credentials;
    bool attached = false;  ///< has named the right state directory
  };

  struct Reply {
    std::string text;
    std::vector<int> descriptors;  ///< of what is kept, or of `reopened`
    std::vector<shm::Descriptor> reopened;
  };

  /// Never throws for what a request holds: refusals are replies.
  Reply answer(Peer& peer, control::Message& request);

  /// Whether "end" was asked for.
  bool ended() const noexcept { return ended_; }

 private:
  struct Kept {
    nlohmann::json meta;
    std::string topic;
    std::string kind;
    std::optional<control::TopicAccess> access;
    shm::Descriptor descriptor;
  };

  void dispatch(Peer& peer, const control::Fields& fields, control::Message& request,
                nlohmann::json& json, Reply& reply);
  void attach(Peer& peer, const control::Fields& fields) const;
  void put(const control::Fields& fields, control::Message& request);
  void list(const std::string& after, nlohmann::json& json, Reply& reply);
  void look(const control::Credentials& peer, const control::Fields& fields, nlohmann::json& json,
            Reply& reply);
  bool visible(const Kept& kept, const control::Credentials& peer) const;

  std::string state_dir_;
  uid_t trusted_uid_;
  std::size_t descriptors_max_;
  std::map<std::string, Kept> kept_;
  bool ended_ = false;
};

}  // namespace ringway::daemon
