#include "daemon/keeper_service.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "control/messages.hpp"
#include "control/wire.hpp"

namespace ringway::daemon {
namespace {

using control::Fields;

constexpr std::size_t kNameBytesMax = 1024;
constexpr std::size_t kMetaBytesMax = 16 * 1024;
// A page of a list: so many descriptors, or once it holds so many bytes.
constexpr std::size_t kPageDescriptors = 200;
constexpr std::size_t kPageBytes = 64 * 1024;

Error denied(const control::Credentials& peer, const std::string& thing, const std::string& right) {
  return Error(ErrorCode::denied, thing,
               fmt::format("user {} lacks the right to {}", peer.uid, right),
               "ask an admin of the topic, or act as root or as the supervisor's user");
}

}  // namespace

KeeperService::KeeperService(std::string state_dir, uid_t trusted_uid, std::size_t descriptors_max)
    : state_dir_(std::move(state_dir)),
      trusted_uid_(trusted_uid),
      descriptors_max_(descriptors_max) {}

KeeperService::Reply KeeperService::answer(Peer& peer, control::Message& request) {
  std::uint64_t id = 0;
  try {
    const control::Envelope envelope = control::open_envelope(request.text);
    id = envelope.id;
    Reply reply;
    nlohmann::json json{{"id", id}};
    dispatch(peer, Fields(envelope.body, "keeper request"), request, json, reply);
    reply.text = control::text_of(json);
    return reply;
  } catch (const Error& refusal) {
    return {control::encode(id, refusal), {}, {}};
  }
}

void KeeperService::dispatch(Peer& peer, const Fields& fields, control::Message& request,
                             nlohmann::json& json, Reply& reply) {
  const std::string op = fields.text("op", 64);
  if (op == "look") return look(peer.credentials, fields, json, reply);
  if (op == "where") {
    json["state_dir"] = state_dir_;
    json["rings"] =
        std::ranges::count(kept_, "ring", [](const auto& one) { return one.second.kind; });
    return;
  }
  if (!control::trusted(peer.credentials, trusted_uid_)) {
    throw denied(peer.credentials, "descriptor keeper", op);
  }
  if (op == "attach") return attach(peer, fields);
  if (!peer.attached) throw fields.wrong("op", "must be attach before anything else");
  if (op == "put") return put(fields, request);
  if (op == "list") return list(fields.text("after", kNameBytesMax), json, reply);
  if (op == "drop") {
    kept_.erase(fields.text("name", kNameBytesMax));
  } else if (op == "end") {
    ended_ = true;
  } else {
    throw fields.wrong("op", "names no operation of this version");
  }
}

void KeeperService::attach(Peer& peer, const Fields& fields) const {
  peer.attached = fields.text("state_dir") == state_dir_;
  if (peer.attached) return;
  throw Error(ErrorCode::busy, "descriptor keeper",
              fmt::format("keeps the memory of state directory {}", state_dir_),
              "use that state directory, or another runtime directory");
}

void KeeperService::put(const Fields& fields, control::Message& request) {
  if (request.descriptors.size() != 1) {
    throw Error(ErrorCode::usage, "descriptor keeper", "takes one descriptor with each put", "");
  }
  const nlohmann::json& meta = fields.any("meta");
  const Fields facts(meta, "meta");
  if (control::text_of(meta).size() > kMetaBytesMax) {
    throw fields.wrong("meta", fmt::format("is longer than {} bytes", kMetaBytesMax));
  }
  Kept kept{meta, {}, facts.text("kind", 64), {}, std::move(request.descriptors.front())};
  if (facts.has("topic")) {
    kept.topic = facts.text("topic", kNameBytesMax);
    kept.access = control::topic_access_from_json(facts.any("access"));
  }
  const std::string name = fields.text("name", kNameBytesMax);
  if (kept_.size() >= descriptors_max_ && !kept_.contains(name)) {
    throw Error(
        ErrorCode::limit, "descriptor keeper",
        fmt::format("keeps {} descriptors, all that its limit of open files allows", kept_.size()),
        "raise the hard limit (ulimit -Hn, LimitNOFILE=), or delete topics");
  }
  kept_.insert_or_assign(name, std::move(kept));
}

void KeeperService::list(const std::string& after, nlohmann::json& json, Reply& reply) {
  auto& page = json["kept"] = nlohmann::json::array();
  std::size_t bytes = 0;
  auto next = kept_.upper_bound(after);
  for (; next != kept_.end() && page.size() < kPageDescriptors && bytes < kPageBytes; ++next) {
    page.push_back({{"name", next->first}, {"meta", next->second.meta}});
    bytes += control::text_of(page.back()).size();
    reply.descriptors.push_back(next->second.descriptor.get());
  }
  json["more"] = next != kept_.end();
}

bool KeeperService::visible(const Kept& kept, const control::Credentials& peer) const {
  if (control::trusted(peer, trusted_uid_)) return true;
  const auto right = kept.kind == "session" ? control::Right::administer : control::Right::read;
  return kept.access && control::allowed(right, peer, *kept.access, trusted_uid_);
}

void KeeperService::look(const control::Credentials& peer, const Fields& fields,
                         nlohmann::json& json, Reply& reply) {
  control::require_known(peer);
  const std::string topic = fields.text("topic", kNameBytesMax);
  const auto belongs = [&](const Kept& kept) {
    if (kept.kind == "session") return kept.topic.empty() || kept.topic == topic;
    return kept.topic == topic && (kept.kind == "ring" || kept.kind == "board");
  };
  bool exists = false;
  bool readable = false;
  for (const auto& [name, kept] : kept_) {
    const bool memory = belongs(kept) && kept.kind != "session";
    exists = exists || memory;
    readable = readable || (memory && visible(kept, peer));
  }
  const std::string thing = fmt::format("topic '{}'", topic);
  if (!exists) throw Error(ErrorCode::not_found, thing, "has no memory kept here", "");
  if (!readable) throw denied(peer, thing, "read");

  auto& page = json["kept"] = nlohmann::json::array();
  json["more"] = false;
  std::size_t bytes = 0;
  for (auto next = kept_.upper_bound(fields.text("after", kNameBytesMax)); next != kept_.end();
       ++next) {
    if (!belongs(next->second) || !visible(next->second, peer)) continue;
    if (page.size() == kPageDescriptors || bytes >= kPageBytes) {
      json["more"] = true;
      return;
    }
    reply.reopened.push_back(shm::reopen_read_only(next->second.descriptor.get()));
    reply.descriptors.push_back(reply.reopened.back().get());
    page.push_back({{"name", next->first}, {"meta", next->second.meta}});
    bytes += control::text_of(page.back()).size();
  }
}

}  // namespace ringway::daemon
