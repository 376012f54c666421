#include "control/keeper_connection.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "control/fields.hpp"
#include "control/wire.hpp"
#include "ringway/error.hpp"

namespace ringway::control {
namespace {

constexpr const char* kThing = "descriptor keeper";

Error died() {
  return Error(ErrorCode::unavailable, kThing, "has died", "the supervisor starts another");
}

/// It may only be stopped: it goes on where it was, and holds what it held.
Error silent(pid_t pid) {
  if (pid == 0) return Error(ErrorCode::timeout, kThing, "does not answer", "see what stops it");
  return Error(ErrorCode::timeout, kThing, fmt::format("pid {} does not answer", pid),
               fmt::format("let it go on: kill -CONT {}", pid));
}

}  // namespace

std::string keeper_socket(const std::string& runtime_dir) {
  return runtime_dir + "/keeper.sock";
}

KeeperConnection::KeeperConnection(const std::string& runtime_dir,
                                   std::chrono::milliseconds timeout)
    : channel_(Channel::connect(keeper_socket(runtime_dir))), timeout_(timeout) {}

Envelope KeeperConnection::call(nlohmann::json request, std::span<const int> descriptors) {
  if (owes_answer_) take_late_answer();
  request["id"] = ++last_id_;
  switch (channel_.send(text_of(request), descriptors, timeout_)) {
    case Delivery::sent:
      break;
    case Delivery::closed:
      throw died();
    case Delivery::congested:
      throw silent(pid());
  }
  Message message;
  switch (channel_.receive(message, timeout_)) {
    case Arrival::message:
      break;
    case Arrival::closed:
      throw died();
    case Arrival::nothing:
      owes_answer_ = true;
      throw silent(pid());
    case Arrival::broken:
      throw Error(ErrorCode::limit, kThing,
                  "sent more descriptors than this process may open: its limit is reached",
                  "raise the limit of open files (ulimit -n, LimitNOFILE=)");
  }
  Envelope envelope = open_envelope(message.text);
  decode_reply<Done>(envelope);  // throws what it refuses with
  if (envelope.id != last_id_) {
    throw Error(ErrorCode::incompatible, kThing, "answered another request", "");
  }
  received_ = std::move(message.descriptors);
  return envelope;
}

/// Lest it be taken for that of the next request. Does not wait.
void KeeperConnection::take_late_answer() {
  Message message;
  switch (channel_.receive(message, std::chrono::milliseconds(0))) {
    case Arrival::nothing:
      throw silent(pid());
    case Arrival::closed:
      throw died();
    case Arrival::message:
    case Arrival::broken:
      owes_answer_ = false;
  }
}

std::vector<KeptDescriptor> KeeperConnection::pages(nlohmann::json request) {
  std::vector<KeptDescriptor> all;
  for (bool more = true; more;) {
    request["after"] = all.empty() ? "" : all.back().name;
    const Envelope envelope = call(request);
    const Fields fields(envelope.body, "keeper reply");
    const auto& page = fields.array("kept");
    more = fields.flag("more");
    if (page.size() != received_.size() || (more && page.empty())) {
      throw fields.wrong("kept", "does not match the descriptors that came with it");
    }
    for (std::size_t i = 0; i < page.size(); ++i) {
      const Fields entry(page[i], "kept descriptor");
      all.push_back({entry.text("name"), entry.any("meta"), std::move(received_[i])});
    }
  }
  return all;
}

std::vector<KeptDescriptor> KeeperConnection::look(const std::string& topic) {
  nlohmann::json request{{"op", "look"}, {"topic", topic}};
  demand_utf8(request);
  return pages(std::move(request));
}

KeeperConnection::Whose KeeperConnection::whose() {
  const Envelope reply = call({{"op", "where"}});
  const Fields fields(reply.body, "keeper reply");
  Whose whose{.state_dir = fields.text("state_dir")};
  if (fields.has("rings")) whose.rings = fields.number<std::uint64_t>("rings");
  return whose;
}

}  // namespace ringway::control
